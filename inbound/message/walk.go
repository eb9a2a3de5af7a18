package message

import (
	"bytes"
	"strconv"
)

// part is a node of the tree that the walker builds. Offsets are of the message.
type part struct {
	parent     *part
	kids       []*part
	num        string // as in IMAP
	depth      int
	media      string // lower case type/subtype by which the part is treated
	declared   string // the same as the part declares it
	params     params
	cte        string
	disp       string // lower case, "" without a Content-Disposition
	dispParams params
	cid        string
	multi      bool
	boundary   string
	shadow     *part // the outer part whose equal boundary this one hides
	closed     bool
	start, end int64  // of the body
	text       string // of a text part, if it is decoded
	decoded    bool
}

type walkState int

const (
	inHeader walkState = iota
	inBody
	inPreamble
	afterParts // epilogue, or beyond the limit of parts
)

// walker finds the structure of a message in one pass over its lines.
type walker struct {
	*parser
	lr      *lineReader
	hdr     headerBlock
	state   walkState
	root    *part
	cur     *part
	bounds  map[string]*part // open multiparts by boundary
	parts   int
	prevEOL int // octets of the line end before the current line
	nextEOL int // the same for the line that is read next

	guess     string // a line of the preamble that may be a boundary
	guessLine line
	guessEOL  int

	// headerSeen, if it is not nil, is told each header section when it has ended.
	headerSeen func(p *part, h *headerBlock)
}

// walk reads all lines. Afterwards root is the tree, and root's header section has
// been taken over by the parser.
func (w *walker) walk() {
	w.root = &part{media: "text/plain"}
	w.cur, w.parts = w.root, 1
	w.hdr.buf = make([]byte, 0, min(w.size, 4<<10))
	w.hdr.fields = make([]rawField, 0, 24)
	w.skipPrologue()
	for {
		l, ok := w.lr.next()
		if !ok {
			break
		}
		w.nextEOL = l.eol
		if !l.first || !w.delimiter(l) {
			w.inside(l)
		}
		w.prevEOL = w.nextEOL
		if (w.state == inBody || w.state == afterParts) && w.lr.skipRun(l) {
			w.prevEOL = 2
		}
	}
	w.finish()
}

// skipPrologue skips a byte order mark.
func (w *walker) skipPrologue() {
	if bytes.HasPrefix(w.lr.peek(), []byte("\xef\xbb\xbf")) {
		w.defect("", DefectBOM, "byte order mark before the first field")
		w.lr.seek(3)
		w.hdr.reset(3)
		return
	}
	w.hdr.reset(0)
}

// delimiter handles l if it is the boundary of an open multipart.
func (w *walker) delimiter(l line) bool {
	if len(l.data) < 3 || l.data[0] != '-' || l.data[1] != '-' || len(w.bounds) == 0 {
		return false
	}
	t := bytes.TrimRight(l.data[2:], " \t\r\n")
	if len(t) > w.lim.Boundary+2 {
		return false
	}
	if m := w.bounds[string(t)]; m != nil {
		w.open(m, l.start, w.prevEOL, l.end())
		return true
	}
	if k := len(t) - 2; k > 0 && t[k] == '-' && t[k+1] == '-' {
		if m := w.bounds[string(t[:k])]; m != nil {
			w.close(m, l.start, w.prevEOL)
			return true
		}
	}
	return false
}

// inside handles a line that is no delimiter.
func (w *walker) inside(l line) {
	switch w.state {
	case inHeader:
		w.headerLine(l)
	case inPreamble:
		if w.cur.boundary == "" && l.first {
			w.guessBoundary(l)
		}
	}
}

// open begins a new part of m at the delimiter line that starts at lineStart.
func (w *walker) open(m *part, lineStart int64, eol int, after int64) {
	w.closeTo(m, lineStart, eol)
	if w.parts >= w.lim.Parts {
		w.defect("", DefectPartsLimit, "more than "+strconv.Itoa(w.lim.Parts)+" parts")
		for c := m; c != nil; c = c.parent {
			c.closed, c.end = true, max(c.start, lineStart)
		}
		w.bounds, w.cur, w.state = nil, m, afterParts
		return
	}
	w.parts++
	child := &part{parent: m, depth: m.depth + 1, num: strconv.Itoa(len(m.kids) + 1), media: "text/plain"}
	if m.num != "" {
		child.num = m.num + "." + child.num
	}
	if m.media == "multipart/digest" {
		child.media = "message/rfc822"
	}
	m.kids = append(m.kids, child)
	w.cur, w.state = child, inHeader
	w.hdr.reset(after)
}

// close ends m at its closing delimiter.
func (w *walker) close(m *part, lineStart int64, eol int) {
	w.closeTo(m, lineStart, eol)
	m.closed, m.end = true, max(m.start, lineStart)
	w.unregister(m)
	w.state = afterParts
}

// closeTo ends all parts within m. The line end before a delimiter belongs to the
// delimiter (RFC 2046 5.1.1).
func (w *walker) closeTo(m *part, lineStart int64, eol int) {
	w.cutHeader(lineStart)
	for ; w.cur != m; w.cur = w.cur.parent {
		w.endPart(w.cur, lineStart-int64(eol))
	}
}

// cutHeader ends a header section that goes on to end. A line that is no field, and
// nothing after it, is the body.
func (w *walker) cutHeader(end int64) {
	if w.state != inHeader {
		return
	}
	if w.hdr.pending {
		end = w.hdr.pendingAt
		w.noBlankLine()
	}
	w.endHeader(end)
}

func (w *walker) endPart(p *part, end int64) {
	if p.closed {
		return
	}
	p.end = max(p.start, end)
	if !p.multi {
		return
	}
	w.unregister(p)
	switch {
	case p.boundary == "" || len(p.kids) == 0:
		// Nothing is lost: what can't be cut into parts is shown as text.
		if p.boundary != "" {
			w.defect(p.num, DefectNoParts, "the boundary never appears")
		}
		p.multi, p.media, p.cte = false, "text/plain", ""
	default:
		w.defect(p.num, DefectUnclosed, "no closing boundary")
	}
}

func (w *walker) register(m *part) {
	if w.bounds == nil {
		w.bounds = make(map[string]*part)
	}
	m.shadow = w.bounds[m.boundary]
	w.bounds[m.boundary] = m
}

func (w *walker) unregister(m *part) {
	if w.bounds[m.boundary] != m {
		return
	}
	if m.shadow != nil {
		w.bounds[m.boundary] = m.shadow
		return
	}
	delete(w.bounds, m.boundary)
}

// finish ends all that is open at the end of the message.
func (w *walker) finish() {
	end := w.lr.end()
	w.cutHeader(end)
	for c := w.cur; c != nil; c = c.parent {
		w.endPart(c, end)
	}
}

// guessBoundary looks for the boundary of a multipart that names none: a line of
// two dashes and more that a Content- field follows.
func (w *walker) guessBoundary(l line) {
	if w.guess != "" && len(l.data) > 8 && equalFold(l.data[:8], "Content-") && fieldName(l.content()) > 0 {
		m := w.cur
		m.boundary = w.guess
		w.guess = ""
		w.register(m)
		w.open(m, w.guessLine.start, w.guessEOL, l.start)
		if w.state == inHeader {
			w.headerLine(l)
		}
		return
	}
	w.guess = ""
	t := bytes.TrimRight(l.data, " \t\r\n")
	if len(t) > 2 && len(t) <= w.lim.Boundary+2 && t[0] == '-' && t[1] == '-' {
		w.guess = string(t[2:])
		w.guessLine = line{start: l.start}
		w.guessEOL = w.prevEOL
	}
}
