package trace

import (
	"bytes"
	"fmt"
	"io"

	"mxhook/inbound"
	"mxhook/sinks"
)

// Content is a message as a raw copy has it: our fields, then what is kept of the
// frozen bytes. It is immutable and safe for concurrent use; it reads MailData, so
// it lives as long as that.
type Content struct {
	front []byte
	data  *inbound.MailData
	cut   []sinks.Range
	size  int64
}

// Copy returns the raw copy of e: Fields(e), then e.Data without the ranges of
// e.Cut, each octet of it as it was received.
//
// A message whose first line is no header field would not be one any more with
// fields before it. So an mbox "From " line becomes the body of an X-Mailbox-Line
// field, and before any other such line (text without a header section, a line
// that begins with a blank and would continue our last field) stands an empty
// line, as Postfix does it. Nothing of the bytes is changed for that.
//
// The error is one of reading e.Data.
func Copy(e *sinks.Event) (*Content, error) { return CopyWith(e, Fields(e)) }

// CopyWith is Copy with other fields, such as those of OriginalTo. They are whole
// fields that end with CRLF, or none.
func CopyWith(e *sinks.Event, fields []byte) (*Content, error) {
	c := &Content{data: e.Data, cut: e.Cut}
	for k := (kept{Content: c}); k.seek(); k.at = k.end {
		c.size += k.end - k.at
	}
	start := make([]byte, maxName)
	n, err := io.ReadFull(&kept{Content: c}, start)
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return nil, fmt.Errorf("trace: read the message: %w", err)
	}
	c.front = append(fields[:len(fields):len(fields)], joint(start[:n])...)
	c.size += int64(len(c.front))
	return c, nil
}

// Size returns the octets of the copy.
func (c *Content) Size() int64 { return c.size }

// Open returns a new reader over the copy. Its errors are those of reading Data.
func (c *Content) Open() io.Reader {
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
