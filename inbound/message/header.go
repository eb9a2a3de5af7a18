package message

import (
	"bytes"
	"strings"
)

// headerLine takes one line of the header section of w.cur.
//
// A line that is no field may be damage between fields or the beginning of a body
// that no blank line announces. It waits for the line after it: a field after it
// makes it damage, anything else makes it body.
func (w *walker) headerLine(l line) {
	h := &w.hdr
	if !l.first {
		if !h.pending {
			h.extend(l, &w.lim)
		}
		return
	}
	content := l.content()
	blank := len(bytes.TrimRight(content, "\r")) == 0
	switch {
	case h.pending && (blank || fieldName(content) == 0):
		w.bodyAt(h.pendingAt, h.pendEOL)
	case blank && l.eol > 0:
		if !w.leadingBlank(l) {
			w.endHeader(l.end())
		}
	case len(content) > 0 && (content[0] == ' ' || content[0] == '\t') && len(h.fields) > 0:
		h.extend(l, &w.lim)
	case fieldName(content) > 0:
		if h.pending {
			h.pending = false
			w.defect(w.cur.num, DefectHeader, "a line that is no field")
		}
		h.add(l, fieldName(content), &w.lim)
	case w.cur == w.root && l.start == h.start && isMboxFrom(content):
		w.defect("", DefectMboxFrom, "an mbox line before the first field")
		h.start = l.end()
	case h.wantsMore() && bytes.IndexByte(content, '=') > 0:
		// A parameter that a mailer put on a line of its own without a blank before.
		w.defect(w.cur.num, DefectHeader, "a folded line without a blank before it")
		h.extend(l, &w.lim)
	case bytes.HasPrefix(content, []byte("--")):
		w.bodyAt(l.start, w.prevEOL)
	default:
		h.pending, h.pendingAt, h.pendEOL = true, l.start, w.prevEOL
	}
}

func isMboxFrom(b []byte) bool {
	return bytes.HasPrefix(b, []byte("From ")) || bytes.HasPrefix(b, []byte(">From "))
}

// bodyAt ends a header section without a blank line: the line at off begins the
// body and is read again as such.
func (w *walker) bodyAt(off int64, eol int) {
	w.noBlankLine()
	w.endHeader(off)
	w.lr.seek(off)
	w.nextEOL = eol
}

func (w *walker) noBlankLine() {
	if w.cur == w.root && len(w.hdr.fields) == 0 {
		return // it has no header section at all
	}
	w.defect(w.cur.num, DefectNoBlankLine, "no blank line after the header section")
}

// leadingBlank tells whether the blank line l stands before the message's first
// field and is to be skipped. Only a field that mail really begins with counts, so
// that a message without a header section keeps its body.
func (w *walker) leadingBlank(l line) bool {
	h := &w.hdr
	if w.cur != w.root || l.start != h.start || l.start > 64 {
		return false
	}
	var b [96]byte
	n, _ := w.lr.r.ReadAt(b[:], l.end())
	next := bytes.TrimLeft(b[:n], "\r\n")
	k := fieldName(next)
	if k == 0 || !firstFields[strings.ToLower(string(next[:k]))] {
		return false
	}
	w.defect("", DefectLeadingBlank, "a blank line before the first field")
	h.start = l.end()
	return true
}

// firstFields are the fields with which messages begin.
var firstFields = map[string]bool{
	"received": true, "return-path": true, "delivered-to": true, "x-original-to": true, "from": true,
	"to": true, "subject": true, "date": true, "message-id": true, "mime-version": true, "sender": true,
	"dkim-signature": true, "authentication-results": true, "arc-seal": true, "reply-to": true,
	"content-type": true, "envelope-to": true, "x-envelope-from": true, "cc": true,
}

// endHeader ends the header section of w.cur, whose body begins at off.
func (w *walker) endHeader(off int64) {
	p := w.cur
	p.start = off
	w.hdr.pending = false
	if w.hdr.full {
		w.defect(p.num, DefectHeaderLimit, "the header section is beyond the limit")
	}
	w.readPartFields(p)
	if w.headerSeen != nil {
		w.headerSeen(p, &w.hdr)
	}
	if p == w.root {
		if len(w.hdr.fields) == 0 {
			w.defect("", DefectNoHeader, "the message does not begin with a header field")
		}
		w.takeHeader(&w.hdr)
		if !p.multi {
			p.num = "1"
		}
	}
	w.state = inBody
	if !p.multi {
		return
	}
	if p.boundary != "" {
		w.register(p)
	}
	w.state = inPreamble
}

// readPartFields reads the fields that say what the part is: of the message itself the
// last ones, which signatures cover, of other parts the first ones, as other readers do.
func (w *walker) readPartFields(p *part) {
	get := w.hdr.get
	if p == w.root {
		get = w.hdr.last
	}
	if b, ok := get("Content-Type"); ok {
		w.contentType(p, unfold(w.headerText(b, p.num)))
	}
	if b, ok := get("Content-Transfer-Encoding"); ok {
		p.cte = strings.ToLower(strings.Trim(firstToken(unfold(w.headerText(b, p.num))), `"; `))
	}
	if b, ok := get("Content-Disposition"); ok {
		p.disp, p.dispParams = w.parseParams(unfold(w.headerText(b, p.num)), p.num)
	}
	if b, ok := get("Content-ID"); ok {
		p.cid = strings.Trim(w.decodeWords(unfold(w.headerText(b, p.num)), p.num), " \t<>")
	}
}

// contentType reads a Content-Type. What can't be read is text/plain (RFC 2045 5.2).
func (w *walker) contentType(p *part, value string) {
	media, ps := w.parseParams(value, p.num)
	kind, sub, ok := strings.Cut(media, "/")
	kind, sub = strings.TrimSpace(kind), strings.TrimSpace(sub)
	switch {
	case !ok && (kind == "text" || kind == "html"):
		// "Content-Type: text" is what old mailers say.
		p.media, p.params = "text/plain", ps
		if kind == "html" {
			p.media = "text/html"
		}
	case !ok || !isToken(kind) || !isToken(sub):
		w.defect(p.num, DefectContentType, "the Content-Type can't be read")
		p.params = ps
		return
	default:
		if p.media, p.params = media, ps; len(kind)+1+len(sub) < len(media) {
			p.media = kind + "/" + sub // there were blanks
		}
	}
	p.declared = p.media
	if kind != "multipart" {
		return
	}
	if p.depth >= w.lim.Depth {
		w.defect(p.num, DefectDepthLimit, "multiparts nested too deep")
		return
	}
	p.multi = true
	p.boundary = strings.TrimRight(ps.get("boundary"), " \t")
	switch {
	case len(p.boundary) > w.lim.Boundary:
		w.defect(p.num, DefectBoundaryLimit, "the boundary is longer than the limit")
		p.boundary = ""
	case p.boundary == "":
		w.defect(p.num, DefectNoBoundary, "a multipart without a boundary")
	}
}

func firstToken(s string) string {
	s = strings.TrimSpace(s)
	if i := strings.IndexAny(s, " \t("); i >= 0 {
		return s[:i]
	}
	return s
}

func isToken(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] >= 0x7f || strings.IndexByte(`()<>@,;:\"/[]?=`, s[i]) >= 0 {
			return false
		}
	}
	return s != ""
}
