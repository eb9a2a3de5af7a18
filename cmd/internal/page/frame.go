package page

import (
	"bytes"
	"io"
	"net/http"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"mxhook/sinks"
)

// framePolicy is that of a mail's HTML: it is drawn, with its own style and the images
// that it carries as data: URLs, and may do nothing else. It has an origin of its own,
// runs no script, sends no form, opens no window, loads nothing, and only the page may
// frame it.
const framePolicy = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'none'; base-uri 'none'; frame-ancestors 'self'"

// maxHTML is how much of a mail's HTML is drawn.
const maxHTML = 1 << 20

// frame serves a mail's HTML for the frame. By itself a browser doesn't get it: there a
// link would lead away from it, which the page around it forbids.
func (p *Page) frame(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	if _, ok := p.show(w, r, id); !ok {
		return
	}
	if dest := r.Header.Get("Sec-Fetch-Dest"); dest != "" && dest != "iframe" {
		p.problem(w, r, http.StatusForbidden, "A mail's HTML is shown only in the frame of its page.")
		return
	}
	var text []byte
	err := p.made(r, id, func(e *sinks.Event) error {
		s := e.Message.HTML
		text = still([]byte(s[:min(len(s), maxHTML)]))
		return nil
	})
	if err != nil {
		p.problem(w, r, http.StatusInternalServerError, "The message can't be read: "+err.Error())
		return
	}
	h := w.Header()
	h.Set("Content-Security-Policy", framePolicy)
	h.Set("X-Frame-Options", "SAMEORIGIN")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Content-Type", "text/html; charset=utf-8")
	w.Write(text)
}

func (p *Page) hasHTML(r *http.Request, id string) (has bool, err error) {
	err = p.made(r, id, func(e *sinks.Event) error {
		has = e.Message.HTML != ""
		return nil
	})
	return has, err
}

// dropped are the elements that are left out of the frame. The policy forbids what they
// would load; but a browser may open a connection, or look up a name, because of a link
// or a meta element, and no policy speaks of that.
var dropped = map[atom.Atom]bool{atom.Link: true, atom.Meta: true, atom.Base: true, atom.Script: true, atom.Noscript: true,
	atom.Iframe: true, atom.Frame: true, atom.Frameset: true, atom.Object: true, atom.Embed: true, atom.Applet: true, atom.Template: true}

// still returns HTML without the elements that are dropped. What they hold stays, but for
// the text of script, iframe and noscript. It is not what keeps the mail from doing harm: the
// sandbox and the policy are.
func still(text []byte) []byte {
	out := bytes.NewBufferString("<!doctype html>\n")
	z := html.NewTokenizer(bytes.NewReader(text))
	z.SetMaxBuf(maxHTML + 1)
	skip := atom.Atom(0) // whose text is left out
	for {
		kind := z.Next()
		if kind == html.ErrorToken {
			if z.Err() != io.EOF {
				out.Reset()
			}
			return out.Bytes()
		}
		raw := bytes.Clone(z.Raw())
		switch kind {
		case html.StartTagToken, html.SelfClosingTagToken, html.EndTagToken:
			name, _ := z.TagName()
			a := atom.Lookup(name)
			switch {
			case kind == html.EndTagToken && a == skip:
				skip = 0
			case kind == html.StartTagToken && (a == atom.Script || a == atom.Iframe || a == atom.Noscript):
				skip = a
			}
			if dropped[a] || skip != 0 {
				continue
			}
		case html.TextToken:
			if skip != 0 {
				continue
			}
		case html.DoctypeToken, html.CommentToken:
			continue
		}
		out.Write(raw)
	}
}
