package message

import "bytes"

// qpCut returns how much of b, which has no line end, can be decoded before more
// has come: not a trailing run of blanks, nor a begun "=XX".
func qpCut(b []byte) int {
	cut := len(b)
	for cut > 0 && len(b)-cut < 1024 && (b[cut-1] == ' ' || b[cut-1] == '\t' || b[cut-1] == '\r') {
		cut--
	}
	for k := 1; k <= 2 && k < cut; k++ {
		if b[cut-k] == '=' {
			return cut - k
		}
	}
	return max(cut, 1)
}

// qp decodes quoted-printable (RFC 2045 6.7): lines with their line ends, of which
// the last one may lack its own. last tells that nothing follows.
func (d *decoder) qp(b []byte, last bool) {
	if cap(d.dec) < len(b) {
		d.dec = make([]byte, 0, len(b))
	}
	for len(b) > 0 {
		l, eol := b, 0
		if k := bytes.IndexByte(b, '\n'); k >= 0 {
			l, eol = b[:k+1], 1
			if k > 0 && b[k-1] == '\r' {
				eol = 2
			}
		}
		b = b[len(l):]
		text, end := l[:len(l)-eol], l[len(l)-eol:]
		if eol > 0 || last {
			text = trimBlanks(text)
			if k := len(text) - 1; k >= 0 && text[k] == '=' {
				text, end = text[:k], nil // a soft line break
			}
		}
		d.qpText(text)
		d.dec = append(d.dec, end...)
	}
}

// trimBlanks cuts blanks that transport added to a line (RFC 2045 6.7 rule 3).
func trimBlanks(b []byte) []byte {
	for len(b) > 0 && (b[len(b)-1] == ' ' || b[len(b)-1] == '\t') {
		b = b[:len(b)-1]
	}
	return b
}

func (d *decoder) qpText(b []byte) {
	for {
		k := bytes.IndexByte(b, '=')
		if k < 0 {
			d.dec = append(d.dec, b...)
			return
		}
		d.dec = append(d.dec, b[:k]...)
		b = b[k:]
		if len(b) > 2 {
			if hi, lo := unhex(b[1]), unhex(b[2]); hi < 16 && lo < 16 {
				d.dec = append(d.dec, hi<<4|lo)
				b = b[3:]
				continue
			}
		}
		d.damaged = true
		d.dec = append(d.dec, '=')
		b = b[1:]
	}
}

// uu decodes uuencoded lines between begin and end.
func (d *decoder) uu(b []byte) {
	for len(b) > 0 && !d.done {
		l := b
		if k := bytes.IndexByte(b, '\n'); k >= 0 {
			l = b[:k+1]
		}
		b = b[len(l):]
		l = bytes.TrimRight(l, "\r\n")
		switch {
		case !d.begun:
			d.begun = bytes.HasPrefix(l, []byte("begin "))
		case len(l) == 0 || l[0] == '`':
		case bytes.Equal(l, []byte("end")):
			d.done = true
		default:
			d.uuLine(l)
		}
	}
}

func (d *decoder) uuLine(l []byte) {
	n := int(l[0]-' ') & 63
	l = l[1:]
	if need := (n + 2) / 3 * 4; len(l) > need+1 || n == 0 {
		d.damaged = true
		return
	} else if len(l) < need {
		// A count must not make octets out of nothing.
		d.damaged = true
		n = min(n, len(l)*3/4)
	}
	at := func(i int) byte {
		if i < len(l) {
			return (l[i] - ' ') & 63
		}
		return 0
	}
	for i := 0; n > 0; i += 4 {
		b := [3]byte{at(i)<<2 | at(i+1)>>4, at(i+1)<<4 | at(i+2)>>2, at(i+2)<<6 | at(i+3)}
		d.dec = append(d.dec, b[:min(n, 3)]...)
		n -= 3
	}
}
