package message

import (
	"bytes"
	"slices"
)

// rawField is a field of a header section: where it stands in the message and
// where its kept octets stand in headerBlock.buf.
type rawField struct {
	start, end int64
	off, n     int
	name       int // octets of the name
	cut        bool
}

// headerBlock collects one header section, line by line.
type headerBlock struct {
	buf       []byte
	fields    []rawField
	start     int64
	full      bool // a field was beyond the limits; none after it is kept
	ignore    bool // the current field is not kept
	pending   bool // a line that is no field waits for what follows it
	pendingAt int64
	pendEOL   int
}

func (h *headerBlock) reset(start int64) {
	*h = headerBlock{buf: h.buf[:0], fields: h.fields[:0], start: start}
}

// add begins a field with its first line.
func (h *headerBlock) add(l line, name int, lim *Limits) {
	if h.ignore = h.full; h.ignore {
		return
	}
	if len(h.fields) >= lim.Fields || len(h.buf)+len(l.data) > lim.HeaderBytes {
		h.full, h.ignore = true, true
		return
	}
	h.fields = append(h.fields, rawField{start: l.start, end: l.start, off: len(h.buf), name: name})
	h.extend(l, lim)
}

// extend adds a line, or a piece of one, to the current field.
func (h *headerBlock) extend(l line, lim *Limits) {
	if h.ignore || len(h.fields) == 0 {
		return
	}
	f := &h.fields[len(h.fields)-1]
	f.end = l.end()
	if f.cut {
		return
	}
	keep := l.data
	room := min(lim.FieldBytes-f.n, lim.HeaderBytes-len(h.buf))
	if len(keep) > room {
		keep, f.cut = keep[:max(room, 0)], true
	}
	h.buf = append(h.buf, keep...)
	f.n += len(keep)
}

// wantsMore tells whether the current field ends in a semicolon, so that a parameter
// should follow.
func (h *headerBlock) wantsMore() bool {
	if h.ignore || len(h.fields) == 0 {
		return false
	}
	b := bytes.TrimRight(h.body(h.fields[len(h.fields)-1]), " \t")
	return len(b) > 0 && b[len(b)-1] == ';'
}

// body returns the field body of f as written, without the last line end.
func (h *headerBlock) body(f rawField) []byte {
	start, end := bodyRange(h.buf[f.off : f.off+f.n])
	return h.buf[f.off+start : f.off+end]
}

// bodyRange returns where the body of a field stands that begins with its name, without
// the last line end.
func bodyRange[T string | []byte](field T) (start, end int) {
	end = len(field)
	for i := range end {
		if field[i] == ':' {
			start = i + 1
			break
		}
	}
	if end > start && field[end-1] == '\n' {
		end--
	}
	if end > start && field[end-1] == '\r' {
		end--
	}
	return start, end
}

// get returns the body of the first field of that name.
func (h *headerBlock) get(name string) ([]byte, bool) {
	for _, f := range h.fields {
		if f.name == len(name) && equalFold(h.buf[f.off:f.off+f.name], name) {
			return h.body(f), true
		}
	}
	return nil, false
}

// last returns the body of the last field of that name.
func (h *headerBlock) last(name string) ([]byte, bool) {
	for _, f := range slices.Backward(h.fields) {
		if f.name == len(name) && equalFold(h.buf[f.off:f.off+f.name], name) {
			return h.body(f), true
		}
	}
	return nil, false
}

// equalFold compares ASCII without case and without allocating.
func equalFold(b []byte, s string) bool {
	if len(b) != len(s) {
		return false
	}
	for i, c := range b {
		if lower(c) != lower(s[i]) {
			return false
		}
	}
	return true
}

func lower(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

// fieldName returns how long the name is with which a line begins, 0 if the line
// begins no field (RFC 5322 2.2; blanks before the colon are obsolete and taken).
func fieldName(b []byte) int {
	n := 0
	for n < len(b) && b[n] > ' ' && b[n] < 0x7f && b[n] != ':' {
		n++
	}
	for i := n; i < len(b); i++ {
		if b[i] == ':' {
			return n
		}
		if b[i] != ' ' && b[i] != '\t' {
			break
		}
	}
	return 0
}
