package config

import (
	"strings"
	"unicode/utf8"

	"mxhook/cmd/internal/password"
)

// maxUserName is what PLAIN carries (RFC 4616 2), in octets.
const maxUserName = 255

// users reads those who may submit at a listener, and holds submission to TLS: AUTH is
// never taken in clear.
func (d *decoder) users(listener *section, l Listener) []User {
	switch {
	case l.Kind != "submission" && listener.has("users"):
		d.fault(listener.keys["users"], "listener: users are for kind submission; add kind: submission or remove them")
	case l.Kind == "submission" && !listener.has("users"):
		d.fault(listener.place, "listener: submission needs users; add users: [{name: scanner, password_hash: \"…\"}] with what `mxhook hash-password` prints")
	}
	if l.Kind == "submission" && l.TLS.Mode == "none" {
		d.fault(listener.at("tls"), "listener: submission needs TLS, since no password is taken in clear; add tls: {cert_file: cert.pem, key_file: key.pem}")
	}
	var all []User
	seen := map[string]bool{}
	for _, n := range d.elements(listener, "users") {
		s, ok := d.section(n, "listeners[].users[]", "user")
		if !ok {
			continue
		}
		u := d.user(s)
		if seen[u.Name] && u.Name != "" {
			d.fault(s.at("name"), "user: name %s stands twice", quote(s.single["name"].raw))
		}
		seen[u.Name] = true
		all = append(all, u)
	}
	return all
}

func (d *decoder) user(s *section) (u User) {
	v, given := s.single["name"]
	switch {
	case !given:
		if !s.has("name") {
			d.fault(s.place, "user: name is missing")
		}
	case v.text == "" || len(v.text) > maxUserName || !utf8.ValidString(v.text) || strings.ContainsFunc(v.text, isControl):
		d.fault(v.place, "user: name must have 1 to %d octets, none of them a control character", maxUserName)
	default:
		u.Name = v.text
	}
	hashes := s.secrets("password_hash")
	if len(hashes) == 0 && !s.has("password_hash") && !s.has("password_hash_file") {
		d.fault(s.place, "user: password_hash is missing; `mxhook hash-password` prints one")
	}
	for _, v := range hashes {
		if !v.ok {
			continue
		}
		if _, err := password.Parse(v.text); err != nil {
			d.fault(v.place, "user: password_hash: %s", err)
		}
		u.PasswordHash = Secret(v.text)
	}
	return u
}

func isControl(r rune) bool { return r < ' ' || r >= 0x7f && r < 0xa0 }
