package message

import (
	"strings"
	"unicode"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// htmlToText renders HTML as text: blocks on lines of their own, links as
// "text <url>", quotes with "> ". It reads tokens and builds no tree, so that its
// cost is linear whatever the markup.
func htmlToText(s string) string {
	z := html.NewTokenizer(strings.NewReader(s))
	var r htmlRenderer
	for {
		switch z.Next() {
		case html.ErrorToken:
			return r.String()
		case html.TextToken:
			if r.skip == 0 {
				r.text(string(z.Text()))
			}
		case html.StartTagToken, html.SelfClosingTagToken:
			name, more := z.TagName()
			tag := atom.Lookup(name)
			r.start(tag)
			for more && (tag == atom.A || tag == atom.Img) {
				var k, v []byte
				k, v, more = z.TagAttr()
				r.attribute(tag, string(k), string(v))
			}
		case html.EndTagToken:
			name, _ := z.TagName()
			r.end(atom.Lookup(name))
		}
	}
}

type htmlRenderer struct {
	out       strings.Builder
	lines     int  // line ends that are owed before the next text
	space     bool // a blank is owed
	any       bool // something was written
	skip      atom.Atom
	pre       int
	quote     int
	lastQuote int // quote of what was written last
	href      string
	linkAt    int // length of out when the link began
}

func (r *htmlRenderer) String() string {
	s := strings.TrimRightFunc(r.out.String(), unicode.IsSpace)
	if s == "" {
		return ""
	}
	return s + "\n"
}

// breakLine owes n line ends; two make an empty line.
func (r *htmlRenderer) breakLine(n int) {
	if n > 0 {
		r.lines = max(r.lines, n)
		r.space = false
	}
}

func (r *htmlRenderer) text(s string) {
	if r.pre > 0 {
		for i, l := range strings.Split(strings.ReplaceAll(s, "\r\n", "\n"), "\n") {
			if i > 0 {
				r.lines++
			}
			r.write(l)
		}
		return
	}
	for i, w := range strings.Fields(s) {
		if i > 0 || isBlank(s[0]) || strings.HasPrefix(s, "\u00a0") {
			r.space = true
		}
		r.write(w)
		r.space = false
	}
	if s != "" && (isBlank(s[len(s)-1]) || strings.HasSuffix(s, "\u00a0")) {
		r.space = true
	}
}

func isBlank(c byte) bool { return c == ' ' || c == '\n' || c == '\t' || c == '\r' || c == '\f' }

// write writes what is owed and then s, which has no line end.
func (r *htmlRenderer) write(s string) {
	if s == "" {
		return
	}
	if r.any {
		gap := strings.Repeat(">", min(r.quote, r.lastQuote, 8))
		for i := min(r.lines, 20); i > 0; i-- {
			r.out.WriteByte('\n')
			if i > 1 {
				r.out.WriteString(gap)
			}
		}
	}
	if r.lines > 0 || !r.any {
		r.out.WriteString(strings.Repeat("> ", min(r.quote, 8)))
	} else if r.space {
		r.out.WriteByte(' ')
	}
	r.lastQuote = r.quote
	r.lines, r.space, r.any = 0, false, true
	r.out.WriteString(s)
}

func (r *htmlRenderer) start(tag atom.Atom) {
	switch tag {
	case atom.Script, atom.Style, atom.Title, atom.Iframe, atom.Noembed, atom.Noframes:
		if r.skip == 0 {
			r.skip = tag
		}
	case atom.Br:
		r.lines++
		r.space = false
	case atom.Hr:
		r.breakLine(1)
		r.write("---")
		r.breakLine(1)
	case atom.Pre:
		r.breakLine(2)
		r.pre++
	case atom.Blockquote:
		r.breakLine(2)
		r.quote++
	case atom.Li:
		r.breakLine(1)
		r.write("*")
		r.space = true
	case atom.Td, atom.Th:
		r.space = true
	case atom.A:
		r.href, r.linkAt = "", r.out.Len()
	default:
		r.breakLine(blockBreaks(tag))
	}
}

func (r *htmlRenderer) end(tag atom.Atom) {
	switch tag {
	case r.skip:
		r.skip = 0
	case atom.Pre:
		r.pre = max(r.pre-1, 0)
		r.breakLine(2)
	case atom.Blockquote:
		r.breakLine(2)
		r.quote = max(r.quote-1, 0)
	case atom.A:
		r.endLink()
	case atom.Li:
		r.breakLine(1)
	default:
		r.breakLine(blockBreaks(tag))
	}
}

// blockBreaks returns how many line ends stand around an element.
func blockBreaks(tag atom.Atom) int {
	switch tag {
	case atom.P, atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6, atom.Ul, atom.Ol, atom.Dl, atom.Table:
		return 2
	case atom.Div, atom.Tr, atom.Section, atom.Article, atom.Header, atom.Footer, atom.Dt, atom.Dd, atom.Address,
		atom.Form, atom.Fieldset, atom.Center, atom.Body, atom.Main, atom.Nav, atom.Aside, atom.Figure, atom.Caption:
		return 1
	}
	return 0
}

func (r *htmlRenderer) attribute(tag atom.Atom, k, v string) {
	v = strings.TrimSpace(v)
	switch {
	case tag == atom.A && k == "href":
		l := strings.ToLower(v[:min(len(v), 8)])
		if strings.HasPrefix(l, "http://") || strings.HasPrefix(l, "https://") || strings.HasPrefix(l, "mailto:") {
			r.href = strings.Join(strings.Fields(v), "%20")
		}
	case tag == atom.Img && k == "alt" && r.skip == 0:
		r.text(v)
	}
}

// endLink writes the address of a link whose text does not tell it.
func (r *htmlRenderer) endLink() {
	href := r.href
	r.href = ""
	if href == "" || r.linkAt >= r.out.Len() {
		return
	}
	shown := strings.TrimSpace(r.out.String()[r.linkAt:])
	if strings.Contains(href, shown) && len(shown) > 6 || shown == "" {
		return
	}
	r.space = true
	r.write("<" + href + ">")
}
