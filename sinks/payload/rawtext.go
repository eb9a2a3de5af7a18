package payload

import (
	"io"
	"unicode/utf8"

	"mxhook/inbound/message"
	"mxhook/sinks"
	"mxhook/sinks/trace"
)

// RawText is the raw copy of e for formats that carry it as text, always UTF-8. It is the
// same as Raw where that is UTF-8. Of other mail the parts that are not are encoded
// anew and fields are written in UTF-8, so that a reader finds in it what it would find in
// the original (see message.Downgrade); what is left of such octets, where no reader looks,
// becomes U+FFFD. It reads e's Data once; other mail some times more. The error says what e
// lacks, or is one of that.
func RawText(e *sinks.Event) (Source, error) {
	if err := complete(e); err != nil {
		return Source{}, err
	}
	c, err := trace.Copy(e)
	if err != nil {
		return Source{}, err
	}
	if ok, err := IsUTF8(c.Open()); ok || err != nil {
		return Source{Open: c.Open, Size: c.Size()}, err
	}
	edits, field := message.Downgrade(e.Data, e.Data.Size(), message.Options{SMTPUTF8: e.Mail.SMTPUTF8})
	if c, err = trace.CopyEdited(e, edits, field); err != nil {
		return Source{}, err
	}
	ok, err := IsUTF8(c.Open())
	if ok || err != nil {
		return Source{Open: c.Open, Size: c.Size()}, err
	}
	open := func() io.Reader { return &validReader{src: c.Open()} }
	size, err := io.Copy(io.Discard, open())
	return Source{Open: open, Size: size}, err
}

// IsUTF8 tells whether r's octets are. It reads r to its end, or to the first that is not.
func IsUTF8(r io.Reader) (bool, error) {
	buf := make([]byte, 32<<10)
	kept := 0 // octets of a character that may go on
	for {
		n, err := r.Read(buf[kept:])
		p := buf[:kept+n]
		whole := len(p)
		if err != io.EOF {
			whole = wholeCharacters(p)
		}
		switch {
		case !utf8.Valid(p[:whole]):
			return false, nil
		case err == io.EOF:
			return true, nil
		case err != nil:
			return false, err
		}
		kept = copy(buf, p[whole:])
	}
}

// validReader writes U+FFFD for each octet that is no UTF-8.
type validReader struct {
	src   io.Reader
	buf   [4096]byte
	kept  int    // octets of buf that may go on
	out   []byte // read and not taken yet
	mem   []byte // the memory of out
	ended error
}

// Read implements io.Reader.
func (v *validReader) Read(p []byte) (int, error) {
	for len(v.out) == 0 {
		if v.ended != nil {
			return 0, v.ended
		}
		n, err := v.src.Read(v.buf[v.kept:])
		b := v.buf[:v.kept+n]
		whole := len(b)
		if v.ended = err; err == nil {
			whole = wholeCharacters(b)
		}
		v.mem = v.mem[:0]
		for rest := b[:whole]; len(rest) > 0; {
			c, size := utf8.DecodeRune(rest)
			v.mem = utf8.AppendRune(v.mem, c)
			rest = rest[size:]
		}
		v.out = v.mem
		v.kept = copy(v.buf[:], b[whole:])
	}
	n := copy(p, v.out)
	v.out = v.out[n:]
	return n, nil
}
