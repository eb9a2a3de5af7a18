package message

import (
	"bytes"
	"slices"
	"strings"
)

// body is what of the part tree is text, html and attachment, in the order of the
// message. The choice is that of RFC 8621 4.1.4, with which mail readers agree.
type body struct {
	text, html  []*part
	attachments []*part
}

// lists are the two lists into which structure puts parts; a nil list takes none.
type lists struct{ text, html *[]*part }

func (b *body) structure(kids []*part, multi string, inAlternative bool, to lists) {
	textBefore, htmlBefore := to.len()
	root := 0
	if multi == "multipart/related" {
		root = relatedRoot(kids)
	}
	for i, p := range kids {
		if p.multi {
			b.structure(p.kids, p.media, inAlternative || p.media == "multipart/alternative", to)
			continue
		}
		if !p.isText() || p.disp == "attachment" || i != root && (multi == "multipart/related" || p.named()) {
			b.attachments = append(b.attachments, p)
			continue
		}
		if inAlternative || multi == "multipart/alternative" {
			to.one(p, multi, b)
			continue
		}
		if to.text == nil && to.html == nil {
			b.attachments = append(b.attachments, p)
			continue
		}
		to.both(p)
	}
	if multi != "multipart/alternative" || to.text == nil || to.html == nil {
		return
	}
	textNow, htmlNow := to.len()
	if textNow == textBefore && htmlNow != htmlBefore {
		*to.text = append(*to.text, (*to.html)[htmlBefore:]...)
	}
	if htmlNow == htmlBefore && textNow != textBefore {
		*to.html = append(*to.html, (*to.text)[textBefore:]...)
	}
}

// relatedRoot returns which part of a multipart/related is the one that the others
// belong to (RFC 2387 3): that which start names, else the first; but the first of the
// declared type where the first of all is of another.
func relatedRoot(kids []*part) int {
	if len(kids) == 0 || kids[0].parent == nil {
		return 0
	}
	params := kids[0].parent.params
	if start := strings.Trim(params.get("start"), "<> "); start != "" {
		if i := slices.IndexFunc(kids, func(p *part) bool { return p.cid == start }); i >= 0 {
			return i
		}
	}
	kind := strings.ToLower(strings.TrimSpace(params.get("type")))
	return max(0, slices.IndexFunc(kids, func(p *part) bool { return p.media == kind }))
}

func (l lists) len() (text, html int) {
	if l.text != nil {
		text = len(*l.text)
	}
	if l.html != nil {
		html = len(*l.html)
	}
	return text, html
}

// one puts a text part of an alternative into its list. A second one of its kind
// side by side in multipart/alternative stays an alternative that nobody shows.
func (l lists) one(p *part, multi string, b *body) {
	list := l.text
	if p.media == "text/html" {
		list = l.html
	}
	if list == nil {
		b.attachments = append(b.attachments, p)
		return
	}
	*list = append(*list, p)
}

func (l lists) both(p *part) {
	if l.text != nil {
		*l.text = append(*l.text, p)
	}
	if l.html != nil {
		*l.html = append(*l.html, p)
	}
}

// isText tells whether the part can be the message's text.
func (p *part) isText() bool { return p.media == "text/plain" || p.media == "text/html" }

// named tells whether the part has a file name.
func (p *part) named() bool {
	return p.dispParams.get("filename") != "" || p.params.get("name") != ""
}

// readBody fills Text, HTML and Attachments from the part tree.
func (p *parser) readBody(root *part) {
	var b body
	all := lists{&b.text, &b.html}
	if root.multi {
		b.structure(root.kids, root.media, root.media == "multipart/alternative", all)
	} else {
		if root.num == "" {
			root.num = "1"
		}
		b.structure([]*part{root}, "multipart/mixed", false, all)
	}
	large := make(map[*part]bool)
	p.msg.HTML = p.joinParts(b.html, "text/html", large)
	p.readText(&b, large)
	p.attach(root, b.attachments, large)
}

// readText makes Text of the text/plain parts. HTML stands in where there is none
// or only blank ones, or where it comes first, as when a list appended its footer.
func (p *parser) readText(b *body, large map[*part]bool) {
	parts := b.text
	if len(parts) == 0 || parts[0].media != "text/html" {
		p.msg.Text = p.joinParts(parts, "text/plain", large)
		if strings.TrimSpace(p.msg.Text) != "" || strings.TrimSpace(p.msg.HTML) == "" {
			return
		}
		parts = b.html
	}
	left := p.lim.HTMLToText
	var out strings.Builder
	for _, pt := range parts {
		text := p.textOf(pt, large)
		if pt.media == "text/html" {
			if len(text) > left {
				p.defect(pt.num, DefectHTMLLimit, "only the beginning became text")
				text = strings.ToValidUTF8(text[:left], "")
			}
			left -= len(text)
			text = htmlToText(text)
			p.msg.TextFromHTML = true
		}
		appendText(&out, text)
	}
	p.msg.Text = out.String()
}

// joinParts joins the parts of one media type, each from a line of its own.
func (p *parser) joinParts(parts []*part, media string, large map[*part]bool) string {
	var out strings.Builder
	first := ""
	n := 0
	for _, pt := range parts {
		if pt.media != media {
			continue
		}
		text := p.textOf(pt, large)
		if n++; n == 1 {
			first = text
			continue
		}
		if n == 2 {
			out.WriteString(first)
		}
		appendText(&out, text)
	}
	if n < 2 {
		return first
	}
	return out.String()
}

func appendText(out *strings.Builder, text string) {
	if s := out.String(); s != "" && text != "" && s[len(s)-1] != '\n' {
		out.WriteByte('\n')
	}
	out.WriteString(text)
}

// textOf decodes a text part. One that does not fit into what is left of the limit
// is an attachment.
func (p *parser) textOf(pt *part, large map[*part]bool) string {
	if pt.decoded {
		return pt.text
	}
	left := &p.textLeft
	if pt.media == "text/html" {
		left = &p.htmlLeft
	}
	enc := p.transfer(pt)
	size := pt.end - pt.start
	if enc == base64Encoded {
		size = size / 4 * 3
	}
	if size > *left {
		large[pt] = true
		p.defect(pt.num, DefectTextLimit, "too much text")
		return ""
	}
	*left -= size
	b := make([]byte, 0, size+4)
	d := &p.dec
	d.reset(p.r, pt.start, pt.end, enc)
	for d.step() {
		b = append(b, d.out...)
	}
	p.noteDecoder(pt, d)
	name := firstToken(pt.params.get("charset"))
	wide := strings.HasPrefix(strings.ToLower(name), "utf-16") || strings.HasPrefix(strings.ToLower(name), "utf-32")
	if !wide {
		b = newlines(b)
	}
	text := p.bodyText(b, name, pt.num, pt.media == "text/html")
	if wide {
		text = string(newlines([]byte(text)))
	}
	if flowed, delSp := pt.flowed(); flowed {
		text = unflow(text, delSp)
	}
	pt.text, pt.decoded = text, true
	return text
}

// newlines makes every line end of b, CRLF, CR CRLF or CR, an LF, in place.
func newlines(b []byte) []byte {
	if bytes.IndexByte(b, '\r') < 0 {
		return b
	}
	out := b[:0]
	for len(b) > 0 {
		k := bytes.IndexByte(b, '\r')
		if k < 0 {
			out = append(out, b...)
			break
		}
		out = append(out, b[:k]...)
		out = append(out, '\n')
		b = b[k+1:]
		if len(b) > 1 && b[0] == '\r' && b[1] == '\n' {
			b = b[1:]
		}
		if len(b) > 0 && b[0] == '\n' {
			b = b[1:]
		}
	}
	return out
}

// transfer returns the part's transfer encoding.
func (p *parser) transfer(pt *part) transfer {
	t, ok := transferOf(pt.cte)
	if !ok {
		p.defect(pt.num, DefectEncoding, "transfer encoding "+quoteShort(pt.cte))
	}
	return t
}

func (p *parser) noteDecoder(pt *part, d *decoder) {
	if d.err != nil {
		p.defect(pt.num, DefectRead, "the bytes of the part could not be read")
	}
	if !d.damaged {
		return
	}
	switch d.enc {
	case base64Encoded:
		p.defect(pt.num, DefectBase64, "damaged base64")
	case quotedPrintable:
		p.defect(pt.num, DefectQP, "damaged quoted-printable")
	case uuencoded:
		p.defect(pt.num, DefectUU, "damaged uuencode")
	}
}
