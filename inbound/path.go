package inbound

import (
	"errors"
	"net/netip"
	"strings"
	"unicode/utf8"
)

// Path is a reverse-path or a forward-path without its angle brackets and source
// route (RFC 5321 4.1.2). The zero Path is the null reverse-path.
//
// LocalPart is the meaning of the local part: quotes and backslashes are gone, and
// case is kept. Domain is as it was written, U-label or A-label, or an address
// literal with its brackets. It is empty only in the zero Path and in the bare
// <postmaster> (RFC 5321 4.5.1).
type Path struct {
	LocalPart string
	Domain    string
}

// Errors of ParsePath.
var (
	ErrPathSyntax = errors.New("not a mailbox of RFC 5321 4.1.2")
	ErrPathUTF8   = errors.New("a mailbox beyond ASCII needs SMTPUTF8")
)

// Limits of RFC 5321 4.5.3.1.1 to 4.5.3.1.3, in octets. The local part's is not
// held to 64: real mailing lists and bounce addresses are longer.
const (
	maxLocalPart = 255
	maxDomain    = 255
	maxPath      = 512
)

// IsNull tells whether p is the null reverse-path <>.
func (p Path) IsNull() bool { return p == Path{} }

// String returns the path without angle brackets; a local part that needs quotes
// has them, so that ParsePath reads the same Path back.
func (p Path) String() string {
	if p.IsNull() {
		return ""
	}
	local := p.LocalPart
	if !isDotString(local) {
		local = quote(local)
	}
	if p.Domain == "" {
		return local
	}
	return local + "@" + p.Domain
}

// ParsePath reads a mailbox as it stands between the angle brackets of MAIL and
// RCPT: "local-part@domain", a quoted local part, an address literal, a source
// route (which is dropped, RFC 5321 C), the bare word postmaster in any case, or
// nothing, the null reverse-path. The caller decides which of the latter two it
// takes. Octets beyond ASCII are allowed only with smtputf8 (RFC 6531) and must be
// UTF-8; without it they are ErrPathUTF8, whatever else is wrong, and any other fault
// is ErrPathSyntax.
func ParsePath(s string, smtputf8 bool) (Path, error) {
	if s == "" {
		return Path{}, nil
	}
	if len(s) > maxPath {
		return Path{}, ErrPathSyntax
	}
	if !smtputf8 && !isASCII(s) {
		return Path{}, ErrPathUTF8
	}
	if !utf8.ValidString(s) {
		return Path{}, ErrPathSyntax
	}
	if isASCII(s) && strings.EqualFold(s, "postmaster") {
		return Path{LocalPart: s}, nil
	}
	s, ok := dropSourceRoute(s)
	if !ok {
		return Path{}, ErrPathSyntax
	}
	local, domain, ok := cutLocalPart(s)
	if !ok || local == "" || len(local) > maxLocalPart || !isDomain(domain) {
		return Path{}, ErrPathSyntax
	}
	return Path{LocalPart: local, Domain: domain}, nil
}

// dropSourceRoute cuts "@one,@two:" from the front (RFC 5321 4.1.2 A-d-l).
func dropSourceRoute(s string) (string, bool) {
	if s[0] != '@' {
		return s, true
	}
	route, rest, found := strings.Cut(s, ":")
	if !found {
		return "", false
	}
	for hop := range strings.SplitSeq(route, ",") {
		if len(hop) < 2 || hop[0] != '@' || !isDomain(hop[1:]) {
			return "", false
		}
	}
	return rest, rest != ""
}

// cutLocalPart splits at the '@' that ends the local part and takes its quotes off.
func cutLocalPart(s string) (local, domain string, ok bool) {
	if s[0] != '"' {
		local, domain, ok = strings.Cut(s, "@")
		return local, domain, ok && isDotString(local)
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			rest := s[i+1:]
			if rest == "" || rest[0] != '@' {
				return "", "", false
			}
			return b.String(), rest[1:], true
		case c == '\\':
			i++
			if i == len(s) || s[i] < ' ' || s[i] == 0x7f {
				return "", "", false
			}
			b.WriteByte(s[i])
		case c < ' ' || c == 0x7f:
			return "", "", false
		default:
			b.WriteByte(c)
		}
	}
	return "", "", false
}

// isDotString tells whether s is a Dot-string (RFC 5321 4.1.2, RFC 6531 3.3).
// Leading, trailing and double dots are taken: real mailboxes have them.
func isDotString(s string) bool {
	if s == "" {
		return false
	}
	for i := range len(s) {
		if !isAtext(s[i]) && s[i] != '.' {
			return false
		}
	}
	return true
}

func isAtext(c byte) bool {
	switch {
	case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c >= 0x80:
		return true
	}
	return strings.IndexByte("!#$%&'*+-/=?^_`{|}~", c) >= 0
}

// isDomain tells whether s is a Domain or an address literal (RFC 5321 4.1.2, 4.1.3).
// An underscore is taken, since hosts with one send mail.
func isDomain(s string) bool {
	if s == "" || len(s) > maxDomain {
		return false
	}
	if s[0] == '[' {
		return isAddressLiteral(s)
	}
	for label := range strings.SplitSeq(strings.TrimSuffix(s, "."), ".") {
		if label == "" || len(label) > 63*4 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for i := range len(label) {
			c := label[i]
			letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
			if !letter && c != '-' && c != '_' && c < 0x80 {
				return false
			}
		}
	}
	return true
}

func isAddressLiteral(s string) bool {
	if len(s) < 3 || s[len(s)-1] != ']' {
		return false
	}
	s = s[1 : len(s)-1]
	if len(s) > 5 && strings.EqualFold(s[:5], "IPv6:") {
		a, err := netip.ParseAddr(s[5:])
		return err == nil && a.Is6() && a.Zone() == ""
	}
	a, err := netip.ParseAddr(s)
	return err == nil && a.Is4()
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

func quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for i := range len(s) {
		if s[i] == '"' || s[i] == '\\' {
			b.WriteByte('\\')
		}
		b.WriteByte(s[i])
	}
	b.WriteByte('"')
	return b.String()
}
