// Package page is the page on the admin address: what became of the last messages, what
// waits in the spool and what is dead, the sinks and their circuits; and with a click an
// event goes back to work.
//
// It renders on the server, works without script and without the internet, and loads
// nothing from anywhere. What strangers wrote is text in it, never markup; a mail's HTML
// stands in a frame alone that may do nothing (frame.go). Who may see it is decided
// before (package admin): Host, token, Origin. A Page is safe for concurrent use.
package page

import (
	"context"
	"crypto/rand"
	"embed"
	"html/template"
	"net/http"
	"sync"
	"time"

	"mxhook/cmd/internal/admin"
	"mxhook/cmd/internal/control"
	"mxhook/cmd/internal/recent"
	"mxhook/sinks"
	"mxhook/sinks/spool"
)

//go:embed templates/*.html
var templateFiles embed.FS

//go:embed static
var staticFiles embed.FS

// Bridge is what the page asks. It is safe for concurrent use.
type Bridge interface {
	control.Operations
	// Event makes a waiting or dead event again. The caller releases its Data.
	Event(id string) (*sinks.Event, error)
	// Status tells how the bridge is. It is quick.
	Status() Status
	// Overview tells how it is set up, too.
	Overview() Overview
}

// Config is what a Page works with.
type Config struct {
	Recent *recent.Store
	Bridge Bridge
	Now    func() time.Time // nil is the system's
}

// Page is the http.Handler of the page.
type Page struct {
	config    Config
	templates map[string]*template.Template
	mux       *http.ServeMux
	token     string
	heavy     chan struct{} // has room for those who parse a message at once
	spooled   listing
}

// Make is New for those who know a Page by what the admin address wants of it alone.
func Make(c Config) admin.Page { return New(c) }

// New returns a Page.
func New(c Config) *Page {
	if c.Now == nil {
		c.Now = time.Now
	}
	p := &Page{config: c, mux: http.NewServeMux(), token: rand.Text(), heavy: make(chan struct{}, 2), templates: map[string]*template.Template{}}
	for _, name := range []string{"messages", "message", "spool", "event", "confirm", "sinks", "login", "problem"} {
		p.templates[name] = template.Must(template.New("layout.html").Funcs(words(c.Now)).ParseFS(templateFiles, "templates/layout.html", "templates/parts.html", "templates/"+name+".html"))
	}
	p.mux.HandleFunc("GET /{$}", p.messages)
	p.mux.HandleFunc("GET /messages/{id}", p.message)
	p.mux.HandleFunc("GET /spool", p.spool)
	p.mux.HandleFunc("GET /spool/{id}", p.event)
	p.mux.HandleFunc("GET /spool/{id}/frame", p.frame)
	p.mux.HandleFunc("GET /spool/{id}/download", p.download)
	p.mux.HandleFunc("POST /spool/replay", p.replay)
	p.mux.HandleFunc("POST /spool/drop", p.drop)
	p.mux.HandleFunc("GET /sinks", p.sinks)
	p.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		p.problem(w, r, http.StatusNotFound, "There is no such page.")
	})
	return p
}

// ServeHTTP serves the page to whom may see it.
func (p *Page) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	secure(w)
	p.mux.ServeHTTP(w, r)
}

// FormToken is what every form of this page carries in the field "token", so that nobody
// who hasn't seen the page can post.
func (p *Page) FormToken() string { return p.token }

// contentPolicy lets a document load its own style, script and frame, and nothing else
// from anywhere.
const contentPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; frame-src 'self'; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// secure sets the fields of every answer; a handler may make them stricter.
func secure(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Content-Security-Policy", contentPolicy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "same-origin") // with no-referrer a form's Origin would be null
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=()")
	h.Set("X-DNS-Prefetch-Control", "off")
	h.Set("Cache-Control", "no-store")
}

// sessionKey marks the context of a request that a session let in.
type sessionKey struct{}

// Known returns a request whose page offers to log out.
func (p *Page) Known(r *http.Request) *http.Request {
	return r.WithContext(context.WithValue(r.Context(), sessionKey{}, true))
}

// listing remembers what the spool holds for a moment: to list it reads the record of
// each dead event.
type listing struct {
	mu    sync.Mutex
	items []spool.Item
	until time.Time
}

// list returns what the spool holds, as it was at most a second ago, or longer where
// listing takes long, so that who watches costs no more than a twentieth of a processor.
func (p *Page) list(ctx context.Context) ([]spool.Item, error) {
	l := &p.spooled
	l.mu.Lock()
	defer l.mu.Unlock()
	if time.Now().Before(l.until) {
		return l.items, nil
	}
	began := time.Now()
	items := []spool.Item{}
	err := p.config.Bridge.List(ctx, control.Filter{}, func(i spool.Item) error {
		items = append(items, i)
		return nil
	})
	if err != nil {
		return nil, err
	}
	l.items, l.until = items, time.Now().Add(max(time.Second, 20*time.Since(began)))
	return items, nil
}

// forget makes the next list a new one.
func (l *listing) forget() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.until = time.Time{}
}
