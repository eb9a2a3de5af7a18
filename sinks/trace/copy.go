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
	keep  []sinks.Range
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
	c := &Content{data: e.Data, keep: without(e.Cut, e.Data.Size())}
	for _, r := range c.keep {
		c.size += r.End - r.Start
	}
	start := make([]byte, maxName)
	n, err := io.ReadFull(c.kept(), start)
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
func (c *Content) Open() io.Reader { return io.MultiReader(bytes.NewReader(c.front), c.kept()) }

func (c *Content) kept() io.Reader {
	parts := make([]io.Reader, 0, len(c.keep))
	for _, r := range c.keep {
		parts = append(parts, io.NewSectionReader(c.data, r.Start, r.End-r.Start))
	}
	return io.MultiReader(parts...)
}

// without returns what is left of size octets without the cut ranges, which are in
// order and may touch or overlap.
func without(cut []sinks.Range, size int64) []sinks.Range {
	var keep []sinks.Range
	at := int64(0)
	for _, r := range cut {
		if start := min(r.Start, size); start > at {
			keep = append(keep, sinks.Range{Start: at, End: start})
		}
		at = max(at, min(r.End, size))
	}
	if at < size {
		keep = append(keep, sinks.Range{Start: at, End: size})
	}
	return keep
}
