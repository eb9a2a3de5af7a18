// Package admin is the address for those who run the bridge: the page, /metrics, /healthz
// and /readyz. It is apart from the mail listeners.
//
// The page and /metrics need the token when the address is not a loopback one (token.go);
// /healthz and /readyz never do, since probes have none. On loopback the Host must be an
// address or localhost, and whatever changes something must come from the page itself, or
// bring the token (guard.go), so that no other web page can use an operator's browser.
package admin

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"time"
)

// Page is what an operator looks at. It is safe for concurrent use.
type Page interface {
	http.Handler
	// Login writes the form that asks for the token, with what is wrong, "" the first time.
	Login(w http.ResponseWriter, r *http.Request, code int, problem string)
	// Static serves /static/, which needs no token.
	Static(w http.ResponseWriter, r *http.Request)
	// FormToken is what each form of the page carries in the field "token".
	FormToken() string
	// Known returns the request as one that a session let in.
	Known(r *http.Request) *http.Request
}

// Config says what the address serves.
type Config struct {
	Address string // host:port
	Token   string // for the page and /metrics; needed when Address is not a loopback address
	Metrics http.Handler
	// Ready returns "" when the bridge takes mail, otherwise the reason why not.
	Ready func() string
	Page  Page // nil: there is none
}

// Server serves the admin address.
type Server struct {
	config Config
	http   http.Server
	logins limiter
	done   chan struct{}
	addr   net.Addr
}

// New returns a Server that does nothing yet.
func New(c Config) *Server {
	s := &Server{config: c, done: make(chan struct{})}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { reply(w, http.StatusOK, "ok") })
	mux.HandleFunc("GET /readyz", s.readyz)
	mux.HandleFunc("GET /metrics", s.metrics)
	if c.Page != nil {
		mux.HandleFunc("GET /static/", c.Page.Static)
		mux.HandleFunc("GET /login", s.askToken)
		mux.HandleFunc("POST /login", s.login)
		mux.HandleFunc("POST /logout", s.logout)
		mux.HandleFunc("/", s.page)
	}
	s.http = http.Server{
		Handler:           s.checkHost(mux),
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      60 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
	}
	return s
}

// Start listens and serves. The error tells why the address can't be listened at.
func (s *Server) Start() error {
	ln, err := net.Listen("tcp", s.config.Address)
	if err != nil {
		return fmt.Errorf("admin.address: %w", err)
	}
	s.addr = ln.Addr()
	go func() {
		defer close(s.done)
		s.http.Serve(ln) // ends with ErrServerClosed, by Stop
	}()
	return nil
}

// Addr returns where the server listens, after Start.
func (s *Server) Addr() net.Addr { return s.addr }

// Stop ends the listener and waits for running requests until ctx ends.
func (s *Server) Stop(ctx context.Context) error {
	if s.addr == nil {
		return nil
	}
	err := s.http.Shutdown(ctx)
	if err != nil {
		s.http.Close()
	}
	<-s.done
	return err
}

func (s *Server) readyz(w http.ResponseWriter, _ *http.Request) {
	if reason := s.config.Ready(); reason != "" {
		reply(w, http.StatusServiceUnavailable, reason)
		return
	}
	reply(w, http.StatusOK, "ready")
}

func (s *Server) metrics(w http.ResponseWriter, r *http.Request) {
	if s.who(r) == nobody {
		s.unauthorized(w)
		return
	}
	s.config.Metrics.ServeHTTP(w, r)
}

// page serves the page to whom may see it; a person without a session is led to the form.
func (s *Server) page(w http.ResponseWriter, r *http.Request) {
	who := s.who(r)
	if who == nobody {
		if (r.Method == http.MethodGet || r.Method == http.MethodHead) && r.Header.Get("Authorization") == "" && r.Header.Get("X-Poll") == "" {
			w.Header().Set("Cache-Control", "no-store")
			http.Redirect(w, r, "/login", http.StatusSeeOther)
			return
		}
		s.unauthorized(w)
		return
	}
	switch r.Method {
	case http.MethodGet, http.MethodHead:
	case http.MethodPost:
		if !s.mayChange(w, r, who) {
			return
		}
	default:
		w.Header().Set("Allow", "GET, HEAD, POST")
		reply(w, http.StatusMethodNotAllowed, "only GET, HEAD and POST")
		return
	}
	if who == session {
		r = s.config.Page.Known(r)
	}
	s.config.Page.ServeHTTP(w, r)
}

func (s *Server) unauthorized(w http.ResponseWriter) {
	w.Header().Set("WWW-Authenticate", `Bearer realm="mxhook"`)
	reply(w, http.StatusUnauthorized, "the token is missing or wrong: Authorization: Bearer TOKEN")
}

func (s *Server) onLoopback() bool {
	a, ok := s.addr.(*net.TCPAddr)
	return ok && a.IP.IsLoopback()
}

func reply(w http.ResponseWriter, code int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	fmt.Fprintln(w, text)
}
