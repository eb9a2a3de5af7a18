package s3

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"mxhook/sinks"
)

// maxLiteral bounds a prefix, so that no key has more than the 1024 octets that S3 takes:
// beside it there are a route's name and a domain of at most maxPart octets each, the
// date, and the event's id.
const (
	maxLiteral = 384
	maxPart    = 255
)

// template is a prefix, cut at its placeholders.
type template struct {
	parts  []string // literal, name, literal, name … literal
	dated  bool
	domain bool
}

var placeholders = []string{"route", "year", "month", "day", "domain"}

// CheckPrefix says what is wrong with a prefix, "" if nothing is, and which of the
// event's facts it has.
func CheckPrefix(prefix string) (dated, domain bool, why string) {
	t, why := parsePrefix(prefix)
	return t.dated, t.domain, why
}

func parsePrefix(prefix string) (t template, why string) {
	rest, plain := prefix, ""
	for {
		literal, after, found := strings.Cut(rest, "{")
		if i := strings.IndexFunc(literal, unsafe); i >= 0 {
			return t, fmt.Sprintf("has %q; a key is made of letters, digits and / ! - _ . * ' ( ) = and the placeholders {%s}", literal[i:i+1], strings.Join(placeholders, "} {"))
		}
		t.parts, plain = append(t.parts, literal), plain+literal
		if !found {
			break
		}
		name, next, closed := strings.Cut(after, "}")
		switch {
		case !closed || !slices.Contains(placeholders, name):
			end := map[bool]string{true: "}"}[closed]
			return t, fmt.Sprintf("has {%s%s; the placeholders are {%s}", cut(name), end, strings.Join(placeholders, "} {"))
		case slices.Contains(t.names(), name):
			return t, "has {" + name + "} twice"
		}
		t.dated = t.dated || name == "year" || name == "month" || name == "day"
		t.domain = t.domain || name == "domain"
		t.parts, plain, rest = append(t.parts, name), plain+"x", next
	}
	segments := strings.Split(plain, "/")
	switch {
	case len(plain) > maxLiteral:
		return t, fmt.Sprintf("has more than %d characters", maxLiteral)
	case slices.Contains(segments, ".") || slices.Contains(segments, ".."):
		return t, "has a part . or .., which some servers take for a folder"
	case slices.Contains(segments[:len(segments)-1], ""):
		return t, "begins with / or has //, which makes an empty part"
	}
	return t, ""
}

func cut(s string) string { return s[:min(len(s), 20)] }

func (t template) names() (names []string) {
	for i := 1; i < len(t.parts); i += 2 {
		names = append(names, t.parts[i])
	}
	return names
}

// unsafe tells whether S3's guide to keys counts a character among those that need care;
// = is beside, for partitions (year=2026).
func unsafe(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("/!-_.*'()=", r)
}

// expand returns the prefix of an event's keys.
func (t template) expand(e *sinks.Event) string {
	var b strings.Builder
	began := e.Began()
	for i, part := range t.parts {
		if i%2 == 0 {
			b.WriteString(part)
			continue
		}
		switch part {
		case "route":
			b.WriteString(escape(e.Route))
		case "year":
			b.WriteString(began.Format("2006"))
		case "month":
			b.WriteString(began.Format("01"))
		case "day":
			b.WriteString(began.Format("02"))
		case "domain":
			b.WriteString(escape(domainOf(e)))
		}
	}
	return b.String()
}

// domainOf is the domain of the event's recipients: the first of several by the alphabet,
// so that it doesn't depend on their order.
func domainOf(e *sinks.Event) string {
	domain := ""
	for i, r := range e.Recipients {
		if d := r.Domain(); i == 0 || d < domain {
			domain = d
		}
	}
	return domain
}

// escape makes a part of a key, never empty, . or .. and of at most maxPart octets: what
// is neither letter, digit, dot, - nor _ is written %XX. No two texts have the same.
func escape(s string) string {
	const digits = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		alone := c == '.' && strings.Trim(s, ".") == "" // dots alone may lead elsewhere
		if !alone && (c == '.' || c == '-' || c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9') {
			b.WriteByte(c)
			continue
		}
		b.Write([]byte{'%', digits[c>>4], digits[c&15]})
	}
	switch {
	case s == "":
		return "%"
	case b.Len() > maxPart:
		sum := sha256.Sum256([]byte(s))
		return "%sha256-" + hex.EncodeToString(sum[:])
	}
	return b.String()
}
