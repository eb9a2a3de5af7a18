package trace

import (
	"bytes"
	"io"

	"mxhook/inbound"
	"mxhook/inbound/message"
	"mxhook/sinks"
)

// Content is a message as a raw copy has it: our fields, then what is kept of the
// frozen bytes. It is immutable and safe for concurrent use; it reads MailData, so
// it lives as long as that.
type Content struct {
	front []byte
	data  *inbound.MailData
	cut   []sinks.Range
	edits []message.Edit
	size  int64
}

// Copy returns the raw copy of e: Fields(e), then e.Data without the ranges of
// e.Cut, each octet of it as it was received.
//
// Fields before it must not make another message of what begins with no field. So
// an mbox "From " line becomes the body of an X-Mailbox-Line field; any other damaged
// line before the sender's fields (no name, a name that is not ASCII, a byte order
// mark, a blank that would continue our last field, an empty line) that of an
// X-Damaged-Line field; and before text without a header section stands an empty
// line. Nothing of the bytes is changed for that.
//
// The error is one of reading e.Data.
func Copy(e *sinks.Event) (*Content, error) { return CopyWith(e, Fields(e)) }

// CopyWith is Copy with other fields, such as those of OriginalTo. They are whole
// fields that end with CRLF, or none.
func CopyWith(e *sinks.Event, fields []byte) (*Content, error) {
	c := &Content{data: e.Data, cut: e.Cut}
	first := int64(-1)
	for k := (kept{Content: c}); k.seek(); k.at = k.end {
		if first < 0 {
			first = k.at
		}
		c.size += k.end - k.at
	}
	joint := ""
	if first >= 0 {
		o, err := openingAt(e.Data, e.Message, first)
		if err != nil {
			return nil, err
		}
		joint = o.joint()
	}
	c.front = append(fields[:len(fields):len(fields)], joint...)
	c.size += int64(len(c.front))
	return c, nil
}

// Size returns the octets of the copy.
func (c *Content) Size() int64 { return c.size }

// Open returns a new reader over the copy. Its errors are those of reading Data.
func (c *Content) Open() io.Reader {
	if len(c.edits) > 0 {
		return io.MultiReader(bytes.NewReader(c.front), &edited{kept: kept{Content: c}, edits: c.edits})
	}
	return io.MultiReader(bytes.NewReader(c.front), &kept{Content: c})
}

// kept reads data without the cut ranges. These may be as many as a peer likes, so
// nothing is made for each of them.
type kept struct {
	*Content
	at   int64 // offset in data
	end  int64 // where the octets that are kept end, after seek
	next int   // the first range of cut that lies after at
}

// seek moves to the next octet that is kept and tells whether there is one. The
// ranges are in order and may touch or overlap.
func (k *kept) seek() bool {
	for k.next < len(k.cut) && k.cut[k.next].Start <= k.at {
		k.at = max(k.at, k.cut[k.next].End)
		k.next++
	}
	k.end = k.data.Size()
	if k.next < len(k.cut) {
		k.end = min(k.end, k.cut[k.next].Start)
	}
	return k.at < k.end
}

// Read implements io.Reader.
func (k *kept) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if !k.seek() {
		return 0, io.EOF
	}
	n, err := k.data.ReadAt(p[:min(int64(len(p)), k.end-k.at)], k.at)
	k.at += int64(n)
	switch {
	case err != io.EOF:
		return n, err
	case n == 0:
		return 0, io.ErrUnexpectedEOF
	}
	return n, nil
}
