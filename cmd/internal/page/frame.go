package page

import (
	"net/http"

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
		if text = still(s[:min(len(s), maxHTML)]); text == nil {
			text = []byte("<!doctype html>\n<p>This HTML can't be drawn: it is too deep, or made to be read in more than one way. See the source.")
		}
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
