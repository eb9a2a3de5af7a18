package admin

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"
)

// identity is who asks.
type identity int

const (
	nobody  identity = iota
	local            // on loopback, where no token is needed
	session          // a browser that has logged in
	bearer           // somebody who brings the token
)

const (
	cookieName  = "mxhook_session"
	sessionTime = 12 * time.Hour
)

// who tells who asks. On loopback no token is needed, even if one is set for others.
func (s *Server) who(r *http.Request) identity {
	if token, found := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); found && s.isToken(token) {
		return bearer
	}
	if s.onLoopback() {
		return local
	}
	if c, err := r.Cookie(cookieName); err == nil && s.isSession(c.Value, time.Now()) {
		return session
	}
	return nobody
}

// isToken compares in a time that doesn't tell how much of the token is right.
func (s *Server) isToken(token string) bool {
	got, want := sha256.Sum256([]byte(token)), sha256.Sum256([]byte(s.config.Token))
	return s.config.Token != "" && subtle.ConstantTimeCompare(got[:], want[:]) == 1
}

// newSession returns a cookie's value: until when it is good, and a proof that it was
// made by who has the token. Another token ends all sessions.
func (s *Server) newSession(now time.Time) string {
	until := strconv.FormatInt(now.Add(sessionTime).Unix(), 10)
	return until + "." + s.proof(until)
}

func (s *Server) proof(until string) string {
	h := hmac.New(sha256.New, []byte(s.config.Token))
	h.Write([]byte("mxhook session 1\n" + until))
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}

func (s *Server) isSession(value string, now time.Time) bool {
	until, proof, ok := strings.Cut(value, ".")
	if !ok || s.config.Token == "" || subtle.ConstantTimeCompare([]byte(proof), []byte(s.proof(until))) != 1 {
		return false
	}
	n, err := strconv.ParseInt(until, 10, 64)
	return err == nil && now.Unix() < n
}

// askToken shows the form.
func (s *Server) askToken(w http.ResponseWriter, r *http.Request) {
	if s.who(r) != nobody {
		http.Redirect(w, r, "/", http.StatusSeeOther)
		return
	}
	problem := ""
	if s.config.Token == "" {
		problem = "There is no token in the configuration, so nobody can log in: set admin.token."
	}
	s.config.Page.Login(w, r, http.StatusOK, problem)
}

// login takes the token and gives a session for it.
func (s *Server) login(w http.ResponseWriter, r *http.Request) {
	if r.Body = http.MaxBytesReader(w, r.Body, 4<<10); !sameOrigin(r) {
		reply(w, http.StatusForbidden, "this comes from another site: nothing was done")
		return
	}
	now := time.Now()
	if !s.logins.allow(r.RemoteAddr, now) {
		w.Header().Set("Retry-After", "60")
		s.config.Page.Login(w, r, http.StatusTooManyRequests, "Too many wrong tokens. Wait a minute.")
		return
	}
	if !s.isToken(r.PostFormValue("password")) {
		s.logins.failed(r.RemoteAddr)
		s.config.Page.Login(w, r, http.StatusForbidden, "That is not the token.")
		return
	}
	http.SetCookie(w, s.cookie(r, s.newSession(now), int(sessionTime/time.Second)))
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// logout takes the session's cookie away.
func (s *Server) logout(w http.ResponseWriter, r *http.Request) {
	if !s.mayChange(w, r, s.who(r)) {
		return
	}
	http.SetCookie(w, s.cookie(r, "", -1))
	http.Redirect(w, r, "/login", http.StatusSeeOther)
}

func (s *Server) cookie(r *http.Request, value string, age int) *http.Cookie {
	return &http.Cookie{Name: cookieName, Value: value, Path: "/", MaxAge: age, HttpOnly: true, SameSite: http.SameSiteStrictMode,
		Secure: r.Header.Get("X-Forwarded-Proto") == "https"}
}

// limiter counts wrong tokens by network. The zero limiter is ready.
type limiter struct {
	mu    sync.Mutex
	until time.Time // when the counts begin anew
	wrong map[netip.Prefix]int
}

const (
	maxWrong    = 10   // a minute, of one network
	maxNetworks = 1000 // that are counted apart; then all are one
)

// allow tells whether a network may try once more.
func (l *limiter) allow(remote string, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now.After(l.until) {
		l.until, l.wrong = now.Add(time.Minute), map[netip.Prefix]int{}
	}
	n, known := l.wrong[networkOf(remote)]
	return n < maxWrong && (known || len(l.wrong) < maxNetworks)
}

func (l *limiter) failed(remote string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.wrong != nil {
		l.wrong[networkOf(remote)]++
	}
}

// networkOf returns an IPv4 address, or the /64 of an IPv6 one.
func networkOf(remote string) netip.Prefix {
	ap, err := netip.ParseAddrPort(remote)
	if err != nil {
		return netip.Prefix{}
	}
	a := ap.Addr().Unmap().WithZone("")
	bits := 32
	if a.Is6() {
		bits = 64
	}
	p, _ := a.Prefix(bits)
	return p
}
