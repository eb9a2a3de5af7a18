package authres

import (
	"slices"
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
// It is ASCII. Nothing that a value holds can end it or be taken for a result, even by readers that
// look for ";" and "=" without regard to quotes and comments: control characters and
// broken UTF-8 become "?", what is no token is quoted without what such readers split
// at, free text names no result. Properties without a value are left out, as are
// statements without a method. Without statements it says "none".
func Header(authservID string, statements []Statement) string {
	var b strings.Builder
	b.WriteString(value(authservID))
	written := false
	for _, s := range statements {
		method, result := word(string(s.Method)), word(string(s.Result))
		if method == "" || result == "" {
			continue
		}
		written = true
		b.WriteString("; " + method + "=" + result)
		if s.Comment != "" {
			b.WriteString(" (" + Comment(ascii7(s.Comment)) + ")")
		}
		if s.Reason != "" {
			b.WriteString(" reason=" + Quote(ascii7(s.Reason)))
		}
		for _, p := range s.Properties {
			if ptype, name := word(p.Type), word(p.Name); p.Value != "" && ptype != "" && name != "" {
				b.WriteString(" " + ptype + "." + name + "=" + value(p.Value))
			}
		}
	}
	if !written {
		b.WriteString("; none")
	}
	return b.String()
}

// ascii7 writes "?" for each character beyond ASCII: the field stands before messages
// that are not internationalized (RFC 6532), and there are readers whom one such
// character costs the whole field.
func ascii7(s string) string {
	if ascii(s) {
		return s
	}
	return strings.Map(func(r rune) rune {
		if r >= utf8.RuneSelf {
			return '?'
		}
		return r
	}, s)
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

// value writes an authserv-id or a property's value: as it is if it is a token, or a
// local part that wants no quotes with a domain; else quoted.
func value(s string) string {
	s = Value(s)
	local, domain, address := strings.Cut(s, "@")
	if plain := made(s, tokenByte) || address && (local == "" || made(local, atomByte)) && made(domain, tokenByte); plain {
		return s
	}
	return `"` + s + `"`
}

func made(s string, of func(byte) bool) bool {
	for i := range len(s) {
		if !of(s[i]) {
			return false
		}
	}
	return s != ""
}

// atomByte reports whether c may stand in a dot-atom (RFC 5322 3.2.3). Where it leads
// or ends with a dot nobody minds.
func atomByte(c byte) bool {
	return c > ' ' && c < 0x7f && !strings.ContainsRune(`()<>@,;:\"[]`, rune(c))
}

// Value gives a property's value as Header writes it: cleaned, with "?" for all that is
// not ASCII or that a reader may split it at, and no "=" behind a name that would make
// a result of it.
func Value(s string) string {
	return defuse(strings.Map(func(r rune) rune {
		if strings.ContainsRune(`;"\(),<>`, r) || r <= ' ' || r >= utf8.RuneSelf {
			return '?'
		}
		return r
	}, Clean(s)))
}

// tokenByte reports whether c may stand in a token (RFC 2045 5.1). "/" is left out of
// it: after the authserv-id it would begin a version of the method.
func tokenByte(c byte) bool {
	return c > ' ' && c < 0x7f && !strings.ContainsRune(`()<>@,;:\"/[]?=`, rune(c))
}

// Quote writes free text as a quoted-string (RFC 5322 3.2.4).
func Quote(s string) string {
	return `"` + escape(text(s), `"\`) + `"`
}

// Comment escapes free text so that it can stand between parentheses.
func Comment(s string) string { return escape(text(s), `()\`) }

// text makes free text harmless for a reader that knows no quotes and comments.
func text(s string) string { return defuse(strings.ReplaceAll(Clean(s), ";", ",")) }

// claiming are the words that make of what follows "=" a result or a reason, or a pair
// of Received-SPF.
var claiming = []string{
	"arc", "auth", "bimi", "dane", "dkim", "dkim-adsp", "dkim-atps", "dmarc", "dnswl", "domainkeys", "iprev", "reason", "rrvs",
	"sender-id", "smime", "spf", "vbr",
	"client-ip", "envelope-from", "helo", "identity", "mechanism", "problem", "receiver",
}

// defuse writes ":" for a "=" that stands behind the name of a method or of a
// property: a sender chooses local parts, host names and selectors, and many a reader
// looks for "dmarc=pass" anywhere in the field.
func defuse(s string) string {
	if !strings.Contains(s, "=") {
		return s
	}
	b := []byte(s)
	for i := range b {
		if b[i] != '=' {
			continue
		}
		end := i
		for end > 0 && b[end-1] == ' ' {
			end--
		}
		begin := end
		for begin > 0 && nameByte(b[begin-1]) {
			begin--
		}
		if claims(strings.ToLower(string(b[begin:end]))) {
			b[i] = ':'
		}
	}
	return string(b)
}

// claims reports whether a name ends in that of a method or property.
func claims(name string) bool {
	if slices.ContainsFunc(claiming, func(c string) bool { return strings.HasSuffix(name, c) }) {
		return true
	}
	dot := strings.LastIndexByte(name, '.')
	return dot > 0 && slices.ContainsFunc(ptypes, func(p string) bool { return strings.HasSuffix(name[:dot], p) })
}

// ptypes are the types of properties (RFC 8601 2.3 and what was added).
var ptypes = []string{"arc", "body", "dns", "header", "mailer", "policy", "polrec", "smtp"}

func nameByte(c byte) bool {
	return 'a' <= c|0x20 && c|0x20 <= 'z' || '0' <= c && c <= '9' || c == '-' || c == '_' || c == '.'
}

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
