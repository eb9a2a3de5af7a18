package payload

import (
	"encoding/base64"
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
	return Source{
		Open: func() io.Reader {
			return &base64Reader{src: src.Open(), left: src.Size, buf: new(scratch).get()}
		},
		Size: int64(base64.StdEncoding.EncodedLen(int(src.Size))),
	}
}

// AttachmentBase64 is the base64 of an attachment, carried over from the message where
// it is clean there.
func AttachmentBase64(a *message.Attachment) Source {
	if _, ok := a.Base64(); !ok {
		return Base64Source(ContentSource(a))
	}
	return Source{
		Open: func() io.Reader {
			r, _ := a.Base64()
			return r
		},
		Size: int64(base64.StdEncoding.EncodedLen(int(a.Size))),
	}
}
