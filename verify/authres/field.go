package authres

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Method names a method (RFC 8601 2.7).
type Method string

// The methods.
const (
	MethodSPF   Method = "spf"
	MethodDKIM  Method = "dkim"
	MethodDMARC Method = "dmarc"
	MethodARC   Method = "arc"
	MethodIPRev Method = "iprev"
)

// Property is one fact that a result rests on: "smtp.mailfrom=ann@sender.example".
type Property struct {
	Type  string // smtp, header, body, policy
	Name  string
	Value string
}

// Statement is what one method says of a message.
type Statement struct {
	Method     Method
	Result     Result
	Comment    string // for people; written in parentheses
	Reason     string // reason="…"
	Properties []Property
}

// maxValue is how many bytes of one value are written.
const maxValue = 512

// Header gives the body of an Authentication-Results field (RFC 8601 2.2), unfolded.
// Nothing that a value holds can end it: control characters and broken UTF-8 become
// "?", what is no token is quoted, comments are escaped. Properties without a value
// are left out. Without statements it says "none".
func Header(authservID string, statements []Statement) string {
	var b strings.Builder
	b.WriteString(value(authservID))
	for _, s := range statements {
		b.WriteString("; ")
		b.WriteString(word(string(s.Method)))
		b.WriteByte('=')
		b.WriteString(word(string(s.Result)))
		if s.Comment != "" {
			b.WriteString(" (" + Comment(s.Comment) + ")")
		}
		if s.Reason != "" {
			b.WriteString(" reason=" + Quote(s.Reason))
		}
		for _, p := range s.Properties {
			if p.Value != "" {
				b.WriteString(" " + word(p.Type) + "." + word(p.Name) + "=" + value(p.Value))
			}
		}
	}
	if len(statements) == 0 {
		b.WriteString("; none")
	}
	return b.String()
}

// word lets through what keywords are made of.
func word(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', r == '-', r == '_':
			return r
		}
		return -1
	}, s)
}

// value writes an authserv-id or a property's value: as it is if it is a token or an
// address of tokens, else quoted.
func value(s string) string {
	s = Clean(s)
	plain := s != ""
	for i := range len(s) {
		if !tokenByte(s[i]) && (s[i] != '@' || i == 0 || i == len(s)-1) {
			plain = false
		}
	}
	if plain && strings.Count(s, "@") <= 1 {
		return s
	}
	return Quote(s)
}

// tokenByte reports whether c may stand in a token (RFC 2045 5.1). "/" is left out of
// it: after the authserv-id it would begin a version of the method.
func tokenByte(c byte) bool {
	return c > ' ' && c < 0x7f && !strings.ContainsRune(`()<>@,;:\"/[]?=`, rune(c))
}

// Quote writes a quoted-string (RFC 5322 3.2.4).
func Quote(s string) string {
	return `"` + escape(Clean(s), `"\`) + `"`
}

// Comment escapes a text so that it can stand between parentheses.
func Comment(s string) string { return escape(Clean(s), `()\`) }

func escape(s, special string) string {
	if !strings.ContainsAny(s, special) {
		return s
	}
	var b strings.Builder
	for i := range len(s) {
		if strings.IndexByte(special, s[i]) >= 0 {
			b.WriteByte('\\')
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// Clean makes a text fit for a header field: control and format characters (which turn
// the direction of writing), line separators and broken UTF-8 become "?", and what is beyond 512 bytes is cut off.
func Clean(s string) string {
	clean := true
	for i := range len(s) {
		if s[i] < ' ' || s[i] >= 0x7f {
			clean = false
			break
		}
	}
	if !clean {
		s = strings.Map(func(r rune) rune {
			if unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp) || r == utf8.RuneError {
				return '?'
			}
			return r
		}, s)
	}
	if len(s) > maxValue {
		cut := maxValue
		for !utf8.RuneStart(s[cut]) {
			cut--
		}
		s = s[:cut]
	}
	return s
}
