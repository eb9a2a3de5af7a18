package admin

import (
	"crypto/subtle"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
)

// maxForm is how many octets a form may have.
const maxForm = 1 << 20

// checkHost lets a request through whose Host is an IP address or localhost. On
// loopback it must be, so that no web page can read the address through a name of
// its own (DNS rebinding); elsewhere the token stands guard, and operators use names.
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

// mayChange tells whether a POST may change something, or answers that it may not: it has
// to come from a form of the page itself, or bring the token.
func (s *Server) mayChange(w http.ResponseWriter, r *http.Request, who identity) bool {
	if r.Body = http.MaxBytesReader(w, r.Body, maxForm); who != bearer && !sameOrigin(r) {
		reply(w, http.StatusForbidden, "this comes from another site: nothing was done")
		return false
	}
	if err := r.ParseForm(); err != nil {
		reply(w, http.StatusBadRequest, "the form can't be read: nothing was done")
		return false
	}
	if who != bearer && subtle.ConstantTimeCompare([]byte(r.PostForm.Get("token")), []byte(s.config.Page.FormToken())) != 1 {
		reply(w, http.StatusForbidden, "the form is of an earlier start: load the page again; nothing was done")
		return false
	}
	return true
}

// sameOrigin tells whether a request was made by a page of this very address. A browser
// says so in Origin, which no page can forge; a request without it is not believed. The
// scheme is not compared: what stands between may add TLS.
func sameOrigin(r *http.Request) bool {
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" && site != "same-origin" {
		return false
	}
	origins := r.Header.Values("Origin")
	if len(origins) != 1 {
		return false
	}
	u, err := url.Parse(origins[0])
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && strings.EqualFold(u.Host, r.Host)
}
