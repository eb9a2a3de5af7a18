package trace

import (
	"io"

	"mxhook/inbound/message"
	"mxhook/sinks"
)

// CopyEdited is Copy with edits of the message (see message.Downgrade), which are in order
// and apart from each other, and with a field of the message's, "" mostly, behind ours. An
// edit of what e.Cut leaves out is left out as well.
func CopyEdited(e *sinks.Event, edits []message.Edit, field string) (*Content, error) {
	fields := Fields(e)
	c, err := CopyWith(e, append(fields[:len(fields):len(fields)], field...))
	if err != nil {
		return nil, err
	}
	cut := e.Cut
	for _, edit := range edits {
		for len(cut) > 0 && cut[0].End <= edit.Start {
			cut = cut[1:]
		}
		if len(cut) > 0 && cut[0].Start < edit.End {
			continue
		}
		c.edits = append(c.edits, edit)
		c.size += edit.Size - (edit.End - edit.Start)
	}
	return c, nil
}

// edited reads what is kept, with the edits in their places.
type edited struct {
	kept
	edits []message.Edit // what is left
	open  io.Reader      // of edits[0], when it is open
	done  int64          // octets read of it
}

// Read implements io.Reader.
func (x *edited) Read(p []byte) (int, error) {
	for {
		if x.open == nil && len(x.edits) > 0 && (!x.seek() || x.at >= x.edits[0].Start) {
			x.open, x.done = x.edits[0].Open(), 0
		}
		if x.open == nil {
			break
		}
		left := x.edits[0].Size - x.done
		if left == 0 {
			x.at, x.edits, x.open = max(x.at, x.edits[0].End), x.edits[1:], nil
			continue
		}
		n, err := x.open.Read(p[:min(int64(len(p)), left)])
		x.done += int64(n)
		switch {
		case n > 0 || len(p) == 0:
			return n, nil
		case err == io.EOF:
			return 0, io.ErrUnexpectedEOF
		case err != nil:
			return 0, err
		}
	}
	if len(x.edits) > 0 {
		p = p[:min(int64(len(p)), x.edits[0].Start-x.at)]
	}
	return x.kept.Read(p)
}
