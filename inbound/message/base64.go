package message

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
)

// base64 decodes whole blocks where all is clean, and line by line otherwise.
func (d *decoder) base64(b []byte) {
	if !d.padded && (d.cleanBase64(b, true) || d.cleanBase64(b, false)) {
		return
	}
	d.dec = d.dec[:0]
	for len(b) > 0 && !d.done {
		l := b
		if k := bytes.IndexByte(b, '\n'); k >= 0 {
			l = b[:k+1]
		}
		b = b[len(l):]
		d.base64Line(l)
	}
}

// cleanBase64 decodes b, which begins a line, if it is letters and line ends, with
// padding at the end alone and nothing hidden in its last letter; otherwise it changes
// nothing but the memory of d.dec. even says to try whether all lines are equally long,
// which saves the search for their ends; where they are not it may fail without reason.
func (d *decoder) cleanBase64(b []byte, even bool) bool {
	// The table writes eight octets for every six.
	if need := (len(b)+d.qn)/4*3 + 8; cap(d.dec) < need {
		d.dec = make([]byte, need)
	}
	out, n := d.dec[:cap(d.dec)], 0
	quantum, qn, padded := d.quantum, d.qn, false
	for width := 0; len(b) > 0; {
		var l []byte
		if !even {
			width = 0
		}
		l, b, width = cutLine(b, width)
		if padded && len(l) > 0 {
			return false
		}
		for ; qn > 0 && qn < 4 && len(l) > 0; qn++ {
			quantum[qn], l = l[0], l[1:]
		}
		if qn == 4 {
			k := decodeLast(out[n:], quantum[:])
			if k == 0 || k < 3 && len(l) > 0 {
				return false
			}
			n, qn, padded = n+k, 0, k < 3
		}
		whole := len(l) &^ 3
		k := decodeLetters(out[n:], l[:whole])
		n += k / 4 * 3
		if k < whole {
			last := 0
			if k == whole-4 && whole == len(l) {
				last = decodeLast(out[n:], l[k:whole])
			}
			if last == 0 {
				return false
			}
			n, padded = n+last, true
		}
		if whole < len(l) {
			qn = copy(quantum[:], l[whole:])
		}
	}
	for _, c := range quantum[:qn] {
		if !isBase64(c) {
			return false
		}
	}
	d.dec, d.quantum, d.qn, d.padded = out[:n], quantum, qn, padded
	return true
}

// cutLine cuts the first line off b and returns it without its line end. width is the
// length of the line before, with its end: as most lines are as long as the one before,
// no search is needed. What is returned for the next call is the same of this line. A
// line that is found so may hold a line end of its own, which is no letter of base64.
func cutLine(b []byte, width int) (l, rest []byte, next int) {
	if width < 2 || width > len(b) || b[width-1] != '\n' {
		if width = bytes.IndexByte(b, '\n') + 1; width == 0 {
			return b, nil, 0
		}
	}
	l = b[:width-1]
	if k := len(l) - 1; k >= 0 && l[k] == '\r' {
		l = l[:k]
	}
	return l, b[width:], width
}

// letterPairs are the 12 bits of two letters of base64, by the two octets as a number
// whose low half comes first; notLetters where one of them is no letter, as padding. Only
// the 4096 that are letters are looked at in clean base64, so that the cache holds them.
type letterPairs [1 << 16]uint16

const notLetters = 1 << 15

// pairTable is never written.
var pairTable = func() *letterPairs {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	var t letterPairs
	for i := range t {
		t[i] = notLetters
	}
	for hi := range len(letters) {
		for lo := range len(letters) {
			t[int(letters[hi])|int(letters[lo])<<8] = uint16(hi<<6 | lo)
		}
	}
	return &t
}()

// decodeLetters decodes src, whose length is a multiple of 4, up to the first eight or
// four that are not all letters, and returns how much of it was. dst has room for two
// octets more than come out.
func decodeLetters(dst, src []byte) (done int) {
	t := pairTable
	for len(src) >= 8 && len(dst) >= 8 {
		x := binary.LittleEndian.Uint64(src)
		a, b, c, d := t[uint16(x)], t[uint16(x>>16)], t[uint16(x>>32)], t[uint16(x>>48)]
		if (a|b|c|d)&notLetters != 0 {
			break
		}
		binary.BigEndian.PutUint64(dst, uint64(a)<<52|uint64(b)<<40|uint64(c)<<28|uint64(d)<<16)
		src, dst = src[8:], dst[6:]
		done += 8
	}
	for len(src) >= 4 && len(dst) >= 4 {
		a, b := t[uint16(src[0])|uint16(src[1])<<8], t[uint16(src[2])|uint16(src[3])<<8]
		if (a|b)&notLetters != 0 {
			break
		}
		binary.BigEndian.PutUint32(dst, uint32(a)<<20|uint32(b)<<8)
		src, dst = src[4:], dst[3:]
		done += 4
	}
	return done
}

// strictBase64 is the only base64 that its octets have.
var strictBase64 = base64.StdEncoding.Strict()

// decodeLast decodes four letters of which the last may be padding. It returns how many
// octets they are, 0 where they are no such letters.
func decodeLast(dst, src []byte) int {
	if bytes.IndexByte(src, '\r') >= 0 {
		return 0 // which the library skips
	}
	n, err := strictBase64.Decode(dst, src)
	if err != nil {
		return 0
	}
	return n
}

// base64Line decodes one line, leaving out what is no letter. After padding only a
// line that is base64 by itself goes on (some encoders pad each line); anything
// else was appended by a mailing list or a scanner and ends the content.
func (d *decoder) base64Line(l []byte) {
	t := bytes.TrimSpace(l)
	if len(t) == 0 {
		return
	}
	d.mended = true
	if d.padded {
		d.damaged = true
		if len(t)%4 != 0 || !allBase64(t) {
			d.done = true
			return
		}
	}
	for _, c := range t {
		switch {
		case isBase64(c):
			d.padded = false
			d.quantum[d.qn] = c
			if d.qn++; d.qn == 4 {
				d.flushQuantum()
			}
		case c == '=':
			d.damaged = d.damaged || d.qn < 2 && !d.padded
			d.flushQuantum()
			d.padded = true
		case c != ' ' && c != '\t' && c != '\r':
			d.damaged = true
		}
	}
}

func allBase64(b []byte) bool {
	for _, c := range b {
		if !isBase64(c) && c != '=' {
			return false
		}
	}
	return true
}

// flushQuantum decodes the letters that wait; a single one is lost.
func (d *decoder) flushQuantum() {
	var b [3]byte
	n, _ := base64.RawStdEncoding.Decode(b[:], d.quantum[:d.qn])
	d.dec = append(d.dec, b[:n]...)
	d.qn = 0
}
