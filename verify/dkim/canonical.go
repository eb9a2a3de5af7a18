package dkim

import (
	"bytes"
	"hash"
	"strings"
)

// relaxedHeader canonicalizes one field (RFC 6376 3.4.2), with its final CRLF.
func relaxedHeader(raw string) string {
	name, value, ok := strings.Cut(raw, ":")
	if !ok {
		return raw
	}
	b := make([]byte, 0, len(raw))
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
	return string(append(b, "\r\n"...))
}

// bodyHash hashes a canonical body, and how much of it a signature covers.
type bodyHash struct {
	hash  hash.Hash
	limit int64 // l=, or -1
	size  int64 // of the canonical body
}

func (h *bodyHash) write(p []byte) {
	before := h.size
	h.size += int64(len(p))
	if h.limit >= 0 {
		p = p[:max(0, min(int64(len(p)), h.limit-before))]
	}
	h.hash.Write(p)
}

// canonicalBody canonicalizes a body in one pass (RFC 6376 3.4.3, 3.4.4) for all the
// hashes that want it so. Line ends that may turn out to be the empty lines at the
// end are counted, not kept, so that a flood of them costs no more than other bytes.
type canonicalBody struct {
	relaxed bool
	hashes  []*bodyHash

	out     []byte
	pending int64 // line ends not yet written
	cr      bool  // the last byte was CR
	blank   bool  // relaxed: blanks not yet written
	any     bool  // something was written
}

// maxOut is about how much is collected before it is hashed.
const maxOut = 64 << 10

var lineEnds = bytes.Repeat([]byte("\r\n"), 2048)

func (c *canonicalBody) emit(p []byte) {
	for _, h := range c.hashes {
		h.write(p)
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
		if c.cr {
			c.cr = false
			if p[0] == '\n' {
				p = p[1:]
				c.lineEnd()
				continue
			}
			c.release()
			c.out = append(c.out, '\r')
		}
		switch b := p[0]; {
		case b == '\r':
			if len(p) > 1 && p[1] == '\n' {
				p = p[2:]
				c.lineEnd()
				continue
			}
			c.cr = true
			p = p[1:]
		case b == '\n':
			p = p[1:]
			c.lineEnd()
		case c.relaxed && (b == ' ' || b == '\t'):
			c.blank = true
			p = p[1:]
		default:
			n := c.run(p[:min(len(p), window)])
			c.release()
			c.out = append(c.out, p[:n]...)
			p = p[n:]
		}
	}
	c.flush()
}

func (c *canonicalBody) lineEnd() {
	c.blank = false
	c.pending++
}

// window is how far run looks ahead. It bounds what a body made of many short runs
// can cost.
const window = 512

var twoBlanks = []byte("  ")

// run gives how many bytes at the beginning of p are taken as they are. The first is
// no blank and no line end. In relaxed lines single blanks between words stay too.
func (c *canonicalBody) run(p []byte) int {
	if n := bytes.IndexByte(p, '\n'); n >= 0 {
		p = p[:n]
	}
	if n := bytes.IndexByte(p, '\r'); n >= 0 {
		p = p[:n]
	}
	if !c.relaxed {
		return len(p)
	}
	if n := bytes.IndexByte(p, '\t'); n >= 0 {
		p = p[:n]
	}
	if n := bytes.Index(p, twoBlanks); n >= 0 {
		p = p[:n]
	}
	return len(bytes.TrimRight(p, " "))
}

// Close ends the body: one line end in place of those at its end. An empty simple
// body is one line end, an empty relaxed one is nothing.
func (c *canonicalBody) Close() {
	if c.cr {
		c.release()
		c.out = append(c.out, '\r')
	}
	c.flush()
	if c.any || !c.relaxed {
		c.emit(lineEnds[:2])
	}
}
