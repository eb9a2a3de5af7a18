package dkim

import (
	"bytes"
	"cmp"
	"hash"
	"slices"
	"strings"
)

// relaxedHeader canonicalizes one field (RFC 6376 3.4.2), with its final CRLF.
func relaxedHeader(raw string) []byte {
	name, value, ok := strings.Cut(raw, ":")
	if !ok {
		return []byte(raw)
	}
	b := make([]byte, 0, len(raw)+2)
	b = append(b, strings.ToLower(strings.TrimRight(name, fws))...)
	b = append(b, ':')
	start, blank := len(b), false
	for i := range len(value) {
		switch c := value[i]; c {
		case ' ', '\t', '\r', '\n':
			blank = true
		default:
			if blank && len(b) > start {
				b = append(b, ' ')
			}
			blank = false
			b = append(b, c)
		}
	}
	return append(b, "\r\n"...)
}

// bodyHash is the hash of a canonical body, or of its beginning.
type bodyHash struct {
	limit int64 // l=, or -1 for the whole
	sum   []byte
	size  int64 // of the whole canonical body
}

// canonicalBody canonicalizes a body in one pass (RFC 6376 3.4.3, 3.4.4), and hashes it
// once for all signatures that want it so, whatever their limits. What is canonical as
// it stands, and that is nearly all of a real body, is hashed where it lies; the rest
// goes byte by byte. Line ends that may turn out to be the empty lines at the end are
// counted, not kept, so that a flood of them costs no more than other bytes.
type canonicalBody struct {
	relaxed bool
	hash    hash.Hash
	wanted  []*bodyHash // those without a sum, by limit, the whole last
	all     []*bodyHash
	size    int64

	out     []byte
	pending int64 // line ends not yet written
	cr      bool  // the last byte was CR
	blank   bool  // relaxed: blanks not yet written
	any     bool  // something was written
}

// Sizes in bytes: about how much is collected before it is hashed, and how much is
// hashed without being collected.
const (
	maxOut = 64 << 10
	direct = 1 << 10
)

var lineEnds = bytes.Repeat([]byte("\r\n"), 2048)

// want gives the hash for a limit, the same one for the same limit. It must be called
// before the first Write.
func (c *canonicalBody) want(limit int64) *bodyHash {
	at, found := slices.BinarySearchFunc(c.all, limit, func(h *bodyHash, limit int64) int {
		return cmp.Compare(uint64(h.limit), uint64(limit)) // -1 is above all others
	})
	if !found {
		c.all = slices.Insert(c.all, at, &bodyHash{limit: limit})
		c.wanted = c.all
	}
	return c.all[at]
}

func (c *canonicalBody) emit(p []byte) {
	before := c.size
	c.size += int64(len(p))
	for len(c.wanted) > 0 {
		h := c.wanted[0]
		if h.limit < 0 || h.limit > c.size {
			c.hash.Write(p)
			return
		}
		n := h.limit - before
		c.hash.Write(p[:n])
		h.sum = c.hash.Sum(nil)
		p, before, c.wanted = p[n:], h.limit, c.wanted[1:]
	}
}

// release writes what was held back, since something comes after it.
func (c *canonicalBody) release() {
	c.any = true
	for c.pending > 0 {
		n := min(c.pending, int64(len(lineEnds)/2))
		c.out = append(c.out, lineEnds[:2*n]...)
		c.pending -= n
		if len(c.out) > maxOut {
			c.flush()
		}
	}
	if c.blank {
		c.out = append(c.out, ' ')
		c.blank = false
	}
}

func (c *canonicalBody) flush() {
	if len(c.out) > 0 {
		c.emit(c.out)
		c.out = c.out[:0]
	}
}

// Write takes the next bytes of the body. A bare LF counts as a line end: a relay
// that stored the message with LF has not changed it.
func (c *canonicalBody) Write(p []byte) {
	for len(p) > 0 {
		if !c.cr && !c.blank {
			if n := plain(p, c.relaxed); n > 0 {
				c.take(p[:n])
				p = p[n:]
				continue
			}
		}
		n := min(len(p), window)
		c.step(p[:n])
		p = p[n:]
	}
	c.flush()
}

// take writes what is canonical but for the line ends at its end.
func (c *canonicalBody) take(p []byte) {
	text := p
	for n := len(text); n > 1 && text[n-1] == '\n' && text[n-2] == '\r'; n = len(text) {
		text = text[:n-2]
	}
	ends := int64(len(p)-len(text)) / 2
	if len(text) == 0 {
		c.pending += ends
		return
	}
	c.release()
	if len(text) < direct {
		c.out = append(c.out, text...)
	} else {
		c.flush()
		c.emit(text)
	}
	c.pending = ends
}

// window is how many bytes are taken one by one before the next attempt to take many.
// It bounds what a body of short pieces can cost.
const window = 4

// step takes the first bytes of p one by one.
func (c *canonicalBody) step(p []byte) {
	for _, b := range p {
		if c.cr && b != '\n' {
			c.put('\r')
		}
		c.cr = false
		switch {
		case b == '\n':
			c.blank = false
			c.pending++
		case b == '\r':
			c.cr = true
		case c.relaxed && (b == ' ' || b == '\t'):
			c.blank = true
		default:
			c.put(b)
		}
	}
}

func (c *canonicalBody) put(b byte) {
	if c.blank || c.pending > 0 || !c.any {
		c.release()
	}
	c.out = append(c.out, b)
}

// Close ends the body: one line end in place of those at its end. An empty simple
// body is one line end, an empty relaxed one is nothing.
func (c *canonicalBody) Close() {
	if c.cr {
		c.put('\r')
	}
	c.flush()
	if c.any || !c.relaxed {
		c.emit(lineEnds[:2])
	}
	for _, h := range c.wanted {
		h.sum = c.hash.Sum(nil)
	}
	for _, h := range c.all {
		h.size = c.size
	}
}
