package message

import (
	"bufio"
	"encoding/base64"
	"io"
)

const (
	base64Line = 57 // octets in a line of 76 characters (RFC 2045 6.8)
	quotedLine = 76 // characters of a line of quoted-printable, with the = at its end
)

// quoted encodes text as quoted-printable (RFC 2045 6.7), exactly: CRLF is a line end, a
// CR or LF alone is encoded.
type quoted struct {
	src  *bufio.Reader
	out  []byte // encoded and not read yet
	mem  [quotedLine + 8]byte
	line int // characters of the line so far
}

func newQuoted(src io.Reader) *quoted { return &quoted{src: bufio.NewReader(src)} }

// Read implements io.Reader.
func (q *quoted) Read(p []byte) (int, error) {
	total := 0
	for total < len(p) {
		if len(q.out) == 0 {
			if err := q.next(); err != nil {
				if total > 0 {
					return total, nil
				}
				return 0, err
			}
		}
		n := copy(p[total:], q.out)
		q.out = q.out[n:]
		total += n
	}
	return total, nil
}

// next encodes one octet, or a line end.
func (q *quoted) next() error {
	c, err := q.src.ReadByte()
	if err != nil {
		return err
	}
	more, _ := q.src.Peek(2) // less at the end
	if c == '\r' && len(more) > 0 && more[0] == '\n' {
		q.src.Discard(1)
		q.out, q.line = append(q.mem[:0], "\r\n"...), 0
		return nil
	}
	literal := c > ' ' && c < 0x7f && c != '='
	switch {
	case c == '-' && (q.line == 0 || q.line+1 >= quotedLine):
		literal = false // a line that begins with it could become a boundary
	case c == ' ' || c == '\t':
		literal = len(more) == 1 && more[0] != '\r' || len(more) == 2 && string(more) != "\r\n"
	}
	if literal {
		q.out = append(q.room(1), c)
		q.line++
		return nil
	}
	const hex = "0123456789ABCDEF"
	q.out = append(q.room(3), '=', hex[c>>4], hex[c&15])
	q.line += 3
	return nil
}

// room begins another line where n characters and a = don't fit.
func (q *quoted) room(n int) []byte {
	if q.line+n < quotedLine {
		return q.mem[:0]
	}
	q.line = 0
	return append(q.mem[:0], "=\r\n"...)
}

// base64Lines encodes as base64 in lines.
type base64Lines struct {
	src io.Reader
	out []byte
	mem [base64Line/3*4 + 2]byte
	err error
}

// Read implements io.Reader.
func (b *base64Lines) Read(p []byte) (int, error) {
	if len(b.out) == 0 {
		if b.err != nil {
			return 0, b.err
		}
		var in [base64Line]byte
		n, err := io.ReadFull(b.src, in[:])
		if err == io.ErrUnexpectedEOF {
			err = io.EOF
		}
		if b.err = err; n == 0 {
			return 0, err
		}
		b.out = append(base64.StdEncoding.AppendEncode(b.mem[:0], in[:n]), "\r\n"...)
	}
	n := copy(p, b.out)
	b.out = b.out[n:]
	return n, nil
}

// eightBit takes octets beyond ASCII out of an encoded body: quoted-printable has them
// escaped, of base64 they are no part.
type eightBit struct {
	src    io.Reader
	escape bool
	in     [2048]byte
	out    []byte
	mem    []byte
}

// Read implements io.Reader.
func (e *eightBit) Read(p []byte) (int, error) {
	for len(e.out) == 0 {
		n, err := e.src.Read(e.in[:])
		e.mem = e.mem[:0]
		for _, c := range e.in[:n] {
			const hex = "0123456789ABCDEF"
			switch {
			case c < 0x80:
				e.mem = append(e.mem, c)
			case e.escape:
				e.mem = append(e.mem, '=', hex[c>>4], hex[c&15])
			}
		}
		e.out = e.mem
		if n == 0 && err != nil {
			return 0, err
		}
	}
	n := copy(p, e.out)
	e.out = e.out[n:]
	return n, nil
}
