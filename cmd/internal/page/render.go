package page

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strings"
	"time"
)

// frameOf is what every document of the page has: its title, the navigation and what is
// in it.
type frameOf struct {
	Title   string
	Section string // of the navigation
	Token   string
	Session bool // there is one to log out of
	Status  Status
	Body    any
}

// render writes a document. It has an ETag over all that it shows, so that who polls is
// told with 304 when nothing has changed.
func (p *Page) render(w http.ResponseWriter, r *http.Request, code int, name, section, title string, body any) {
	f := frameOf{Title: title, Section: section, Token: p.token, Body: body}
	f.Session, _ = r.Context().Value(sessionKey{}).(bool)
	if name != "login" {
		f.Status = p.config.Bridge.Status()
	}
	var b bytes.Buffer
	if err := p.templates[name].Execute(&b, f); err != nil {
		http.Error(w, "the page could not be made", http.StatusInternalServerError)
		return
	}
	sum := sha256.Sum256(b.Bytes())
	tag := `"` + base64.RawURLEncoding.EncodeToString(sum[:15]) + `"`
	w.Header().Set("ETag", tag)
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	if code == http.StatusOK && r.Header.Get("If-None-Match") == tag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	w.WriteHeader(code)
	w.Write(b.Bytes())
}

// problem tells what is wrong in a sentence.
func (p *Page) problem(w http.ResponseWriter, r *http.Request, code int, text string) {
	p.render(w, r, code, "problem", "", http.StatusText(code), text)
}

// Login writes the form that asks for the token. problem is "" the first time.
func (p *Page) Login(w http.ResponseWriter, r *http.Request, code int, problem string) {
	secure(w)
	p.render(w, r, code, "login", "", "Log in", problem)
}

// Static serves the style and the script, which hold nothing of anybody.
func (p *Page) Static(w http.ResponseWriter, r *http.Request) {
	secure(w)
	name := strings.TrimPrefix(r.URL.Path, "/")
	kind, known := map[string]string{"static/page.css": "text/css; charset=utf-8", "static/page.js": "text/javascript; charset=utf-8", "static/icon.svg": "image/svg+xml"}[name]
	if !known {
		http.NotFound(w, r)
		return
	}
	text, err := staticFiles.ReadFile(name)
	if err != nil {
		http.NotFound(w, r)
		return
	}
	sum := sha256.Sum256(text)
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Cache-Control", "no-cache")
	w.Header().Set("ETag", `"`+base64.RawURLEncoding.EncodeToString(sum[:15])+`"`)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(text))
}
