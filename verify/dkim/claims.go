package dkim

import (
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"mxhook/verify/dns"
)

// Claims are what a signature says of itself beyond its names. They are the signer's
// only if the signature passes.
type Claims struct {
	// Identity is the agent or user for whom it was signed (i=), with its domain in
	// lower-case A-labels; "@" and d= without that tag; "" if it is not of the domain d=.
	Identity string
	Signed   time.Time // t=, zero without
	Expires  time.Time // x=, zero without
	// Value is the beginning of the signature itself (b=), by which signatures of one
	// domain can be told apart (RFC 6008): at most 64 characters of base64.
	Value string
}

func (s *signature) claims(tags Tags) (c Claims) {
	if i, ok := tags["i"]; ok {
		c.Identity, _, _ = identity(i, s.domain)
	} else if s.domain != "" {
		c.Identity = "@" + s.domain
	}
	at := func(tag string) time.Time {
		if n, ok, p := seconds(tags, tag); ok && p == nil {
			return time.Unix(n, 0).UTC()
		}
		return time.Time{}
	}
	if b := compact(tags["b"]); strings.Trim(b, base64Alphabet) == "" {
		c.Value = b[:min(len(b), 64)]
	}
	c.Signed, c.Expires = at("t"), at("x")
	return c
}

// maxLocal is how much is shown of a local part (RFC 5321 4.5.3.1.1).
const maxLocal = 64

// identity reads i= (RFC 6376 3.5): its domain is d= or lies below it. A local part that
// is too long or holds anything but visible characters is left out of what is shown.
func identity(i, domain string) (shown, at string, ok bool) {
	i = quotedPrintable(i)
	cut := strings.LastIndexByte(i, '@')
	at, valid := dns.Domain(i[cut+1:])
	if cut < 0 || !valid || domain == "" || at != domain && !strings.HasSuffix(at, "."+domain) {
		return "", "", false
	}
	local := i[:cut]
	if len(local) > maxLocal || !utf8.ValidString(local) || strings.ContainsFunc(local, invisible) {
		local = ""
	}
	return local + "@" + at, at, true
}

func invisible(r rune) bool { return r == ' ' || !unicode.IsPrint(r) }

// maxOversigned is how many names are reported.
const maxOversigned = 32

// oversigned gives the names that h= lists more often than they stand in the message.
func (p *Picker) oversigned(s *signature) []string {
	listed := make(map[string]int, len(s.headers))
	var list []string
	for _, name := range s.headers {
		listed[name]++
		if listed[name] == len(p.fields[name])+1 && fieldName(name) {
			list = append(list, name)
		}
	}
	slices.Sort(list)
	return slices.Clip(list[:min(len(list), maxOversigned)])
}

// fieldName tells what may be shown as a field's name (RFC 5322 3.6.8).
func fieldName(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return s != "" && len(s) <= 64
}

const base64Alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="
