package payload

import (
	"io"

	"mxhook/sinks"
	"mxhook/sinks/trace"
)

// Raw returns the raw copy of e as message/rfc822: our trace fields, then the bytes
// as received without e.Cut (see package trace). The error says what e lacks, or is
// one of reading its Data.
func Raw(e *sinks.Event) (*Body, error) {
	if err := complete(e); err != nil {
		return nil, err
	}
	c, err := trace.Copy(e)
	if err != nil {
		return nil, err
	}
	b := &Body{contentType: "message/rfc822"}
	b.addStream(segment{open: func(*scratch) io.Reader { return c.Open() }, size: c.Size()})
	return b, nil
}
