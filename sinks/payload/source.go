package payload

import (
	"io"
	"strings"

	"mxhook/inbound/message"
)

// Source is a part of a payload that is read when it is sent. Open gives a new reader
// from the start, which yields exactly Size octets; one that yields other than that
// makes the Body's reader fail.
type Source struct {
	Open func() io.Reader
	Size int64
}

func (s Source) segment() segment {
	return segment{open: func(*scratch) io.Reader { return s.Open() }, size: s.Size}
}

// TextSource is the octets of s, as they are.
func TextSource(s string) Source {
	return Source{Open: func() io.Reader { return strings.NewReader(s) }, Size: int64(len(s))}
}

// BodySource is what b yields.
func BodySource(b *Body) Source {
	return Source{Open: func() io.Reader { return b.Open() }, Size: b.size}
}

// ContentSource is the decoded octets of an attachment.
func ContentSource(a *message.Attachment) Source { return Source{Open: a.Open, Size: a.Size} }

// Base64Source is the base64 of src, padded, without line ends.
func Base64Source(src Source) Source {
	s := base64Of(src.Open, src.Size)
	return Source{Open: func() io.Reader { return s.open(new(scratch)) }, Size: s.size}
}
