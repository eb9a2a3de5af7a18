package message

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"slices"
	"strings"
)

// attach lists the attachments, those of b and the text parts that are too large,
// in the order of the message.
func (p *parser) attach(root *part, parts []*part, large map[*part]bool) {
	for pt := range large {
		parts = append(parts, pt)
	}
	if len(large) > 0 {
		slices.SortFunc(parts, func(a, b *part) int { return int(a.start - b.start) })
	}
	if len(parts) == 0 {
		return
	}
	p.msg.Attachments = make([]Attachment, 0, len(parts))
	for _, pt := range parts {
		a := p.attachment(pt)
		if pt.isTNEF(&a) && p.openTNEF(pt) {
			continue
		}
		p.msg.Attachments = append(p.msg.Attachments, a)
	}
}

// attachment reads the part once, for its size and digest.
func (p *parser) attachment(pt *part) Attachment {
	enc := p.transfer(pt)
	a := Attachment{
		Filename:    p.filename(pt),
		ContentType: neutral(pt.media),
		Charset:     neutral(firstToken(pt.params.get("charset"))),
		Disposition: pt.disposition(),
		ContentID:   pt.cid,
	}
	d := &p.dec
	d.reset(p.r, pt.start, pt.end, enc)
	h := sha256.New()
	inner := pt.media == "message/rfc822" && a.Filename == ""
	for d.step() {
		if inner {
			a.Filename = p.innerName(d.out)
			inner = false
		}
		h.Write(d.out)
		a.Size += int64(len(d.out))
	}
	h.Sum(a.SHA256[:0])
	p.noteDecoder(pt, d)
	if pt.media == "message/rfc822" && a.Filename == "" {
		a.Filename = "message.eml"
	}
	r, start, end, size := p.r, pt.start, pt.end, a.Size
	a.open = func() io.Reader {
		d := new(decoder)
		d.reset(r, start, end, enc)
		return io.LimitReader(d, size)
	}
	if enc == base64Encoded && !d.mended && !d.damaged && d.err == nil {
		a.openBase64 = func() io.Reader {
			return io.LimitReader(&lettersReader{r, start, end}, (size+2)/3*4)
		}
	}
	return a
}

// lettersReader is a range of clean base64 without its line ends.
type lettersReader struct {
	r        io.ReaderAt
	off, end int64
}

// Read implements io.Reader. It reads into p and takes the line ends out there.
func (l *lettersReader) Read(p []byte) (int, error) {
	for len(p) > 0 {
		room := int(min(int64(len(p)), l.end-l.off))
		if room == 0 {
			return 0, io.EOF
		}
		n, err := l.r.ReadAt(p[:room], l.off)
		l.off += int64(n)
		if n < room && (err == nil || errors.Is(err, io.EOF)) {
			err = io.ErrUnexpectedEOF
		} else if n == room {
			err = nil
		}
		if kept := joinLines(p[:n]); kept > 0 || err != nil {
			return kept, err
		}
	}
	return 0, nil
}

// joinLines takes the line ends out of b, which is part of clean base64, and returns
// how much is left, at the front of b.
func joinLines(b []byte) (kept int) {
	for width, rest := 0, b; len(rest) > 0; {
		var line []byte
		line, rest, width = cutLine(rest, width)
		kept += copy(b[kept:], line)
	}
	if kept > 0 && b[kept-1] == '\r' {
		kept-- // its LF comes with the next part
	}
	// A line of the same length may have held shorter ones.
	if bytes.IndexByte(b[:kept], '\r') < 0 && bytes.IndexByte(b[:kept], '\n') < 0 {
		return kept
	}
	letters := b[:0]
	for _, c := range b[:kept] {
		if c != '\r' && c != '\n' {
			letters = append(letters, c)
		}
	}
	return len(letters)
}

// disposition returns what the part says, or what a reader takes it for: inline
// when something refers to it.
func (p *part) disposition() string {
	switch {
	case p.disp == "inline" || p.disp == "attachment":
		return p.disp
	case p.disp == "" && p.cid != "" && p.parent != nil && p.parent.media == "multipart/related":
		return "inline"
	}
	return "attachment" // an unknown word is an attachment (RFC 2183 2.8)
}

// innerName makes a file name of the subject of a nested message, of which b is
// the beginning: "SUBJECT.eml", "message.eml" without a subject.
func (p *parser) innerName(b []byte) string {
	name := ""
	for _, f := range p.innerHeader(b[:min(len(b), 16<<10)]) {
		if strings.EqualFold(f.Name, "Subject") {
			name = f.Value
			break
		}
	}
	return emlName(name)
}

// emlName makes a file name of a subject.
func emlName(subject string) string {
	name := strings.Map(func(r rune) rune {
		if strings.ContainsRune(`/\:*?"<>|`, r) || r == '\t' {
			return '_'
		}
		return r
	}, subject)
	if len(name) > 100 {
		name = strings.ToValidUTF8(name[:100], "")
	}
	if name = strings.Trim(name, " ."); name == "" {
		return "message.eml"
	}
	return name + ".eml"
}
