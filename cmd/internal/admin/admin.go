// Package admin is the address for those who run the bridge: /healthz, /readyz and
// /metrics. It is apart from the mail listeners and tells nothing of any message.
//
// /metrics needs the token when the address is not a loopback one; /healthz and
// /readyz never do, since probes have none. A request whose Host is a name that
// somebody else may point here (DNS rebinding) is refused.
package admin

import (
	"context"
	"crypto/subtle"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"
)

// Config says what the address serves.
type Config struct {
	Address string // host:port
	Token   string // for /metrics; needed when Address is not a loopback address
	Metrics http.Handler
	// Ready returns "" when the bridge takes mail, otherwise the reason why not.
	Ready func() string
}

// Server serves the admin address.
type Server struct {
	config Config
	http   http.Server
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
	if !s.authorized(r) {
		w.Header().Set("WWW-Authenticate", `Bearer realm="mxhook"`)
		reply(w, http.StatusUnauthorized, "the token is missing or wrong: Authorization: Bearer TOKEN")
		return
	}
	s.config.Metrics.ServeHTTP(w, r)
}

// authorized tells whether the request may see more than health. On loopback no
// token is needed, even if one is set for others.
func (s *Server) authorized(r *http.Request) bool {
	if s.onLoopback() {
		return true
	}
	token, found := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	return found && s.config.Token != "" && subtle.ConstantTimeCompare([]byte(token), []byte(s.config.Token)) == 1
}

func (s *Server) onLoopback() bool {
	a, ok := s.addr.(*net.TCPAddr)
	return ok && a.IP.IsLoopback()
}

// checkHost lets a request through whose Host is an IP address or localhost. On
// loopback it must be, so that no web page can read the address through a name of
// its own; elsewhere the token stands guard, and operators use names.
func (s *Server) checkHost(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.onLoopback() && !isLocalHost(r.Host) {
			reply(w, http.StatusMisdirectedRequest, "the Host must be the address or localhost")
			return
		}
		next.ServeHTTP(w, r)
	})
}

func isLocalHost(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.Trim(host, "[]")
	if strings.EqualFold(host, "localhost") {
		return true
	}
	_, err := netip.ParseAddr(host)
	return err == nil
}

func reply(w http.ResponseWriter, code int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	fmt.Fprintln(w, text)
}
