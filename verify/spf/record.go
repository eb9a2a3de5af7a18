package spf

import (
	"net/netip"
	"slices"
	"strings"
)

// kind is what a mechanism is (RFC 7208 5).
type kind uint8

const (
	kindAll kind = iota
	kindInclude
	kindA
	kindMX
	kindPTR
	kindIP4
	kindIP6
	kindExists
)

var kinds = [...]string{"all", "include", "a", "mx", "ptr", "ip4", "ip6", "exists"}

func (k kind) String() string { return kinds[k] }

// term is a mechanism with its qualifier.
type term struct {
	kind      kind
	qualifier byte
	four, six uint8 // prefix lengths of "a" and "mx"
	text      string
	domain    string       // domain-spec, "" for the domain that is evaluated
	network   netip.Prefix // of "ip4" and "ip6"
}

// record is a policy without a syntax error (RFC 7208 12).
type record struct {
	from, to      int    // its terms, in the evaluation's list
	redirect, exp string // domain-specs, "" without that modifier
}

// maxRecord is how long a record may be. One that fits its DNS answer is shorter.
const maxRecord = 8 << 10

// isPolicy tells whether a TXT record is an SPF record (RFC 7208 4.5).
func isPolicy(text string) bool {
	const version = "v=spf1"
	return len(text) >= len(version) && strings.EqualFold(text[:len(version)], version) &&
		(len(text) == len(version) || text[len(version)] == ' ')
}

// parse reads a whole record, since a fault anywhere is permerror, behind the match
// too (RFC 7208 4.6). It appends the terms to those of the evaluation. A problem is in
// our words; at is where it is, in the record's.
func parse(terms []term, text string) (r record, all []term, problem, at string) {
	r.from, r.to = len(terms), len(terms)
	if len(text) > maxRecord {
		return r, terms, "the policy is too long", ""
	}
	for i := range len(text) {
		if text[i] < ' ' || text[i] > '~' {
			return r, terms, "the policy holds characters that it may not", text[:i]
		}
	}
	_, rest, _ := strings.Cut(text, " ")
	terms = slices.Grow(terms, min(strings.Count(text, " "), 64))
	for rest != "" {
		var word string
		word, rest, _ = strings.Cut(rest, " ")
		if word == "" {
			continue
		}
		if name, value, ok := cutModifier(word); ok {
			if problem = r.modifier(name, value); problem != "" {
				return r, terms, problem, word
			}
			continue
		}
		terms = append(terms, term{qualifier: '+', text: word})
		if !terms[len(terms)-1].parse(word) {
			return r, terms, "the policy has a malformed mechanism", word
		}
	}
	r.to = len(terms)
	return r, terms, "", ""
}

func (r *record) modifier(name, value string) string {
	var known *string
	switch {
	case strings.EqualFold(name, "redirect"):
		known = &r.redirect
		if *known != "" {
			return "the policy has two redirect"
		}
	case strings.EqualFold(name, "exp"):
		known = &r.exp
		if *known != "" {
			return "the policy has two exp"
		}
	case !isMacroString(value, true):
		return "the policy has a malformed modifier"
	default:
		return "" // to be ignored (RFC 7208 6)
	}
	if !isDomainSpec(value) {
		return "the policy has a malformed modifier"
	}
	*known = value
	return ""
}

// cutModifier splits name=value. A ":" or "/" before the "=" makes it no modifier.
func cutModifier(word string) (name, value string, ok bool) {
	name, value, ok = strings.Cut(word, "=")
	if !ok || name == "" || !letter(name[0]) {
		return "", "", false
	}
	for i := range len(name) {
		if c := name[i]; !letter(c) && !digit(c) && c != '-' && c != '_' && c != '.' {
			return "", "", false
		}
	}
	return name, value, true
}

// parse reads a directive (RFC 7208 4.6.1).
func (t *term) parse(word string) bool {
	if strings.IndexByte("+-?~", word[0]) >= 0 {
		t.qualifier, word = word[0], word[1:]
	}
	end := strings.IndexAny(word, ":/")
	if end < 0 {
		end = len(word)
	}
	known := false
	for k, name := range kinds {
		if len(name) == end && strings.EqualFold(word[:end], name) {
			t.kind, known = kind(k), true
			break
		}
	}
	if !known {
		return false
	}
	value, colon := strings.CutPrefix(word[end:], ":")
	switch t.kind {
	case kindAll:
		return end == len(word)
	case kindInclude, kindExists:
		t.domain = value
		return colon && isDomainSpec(value)
	case kindPTR:
		t.domain = value
		return end == len(word) || colon && isDomainSpec(value)
	case kindIP4, kindIP6:
		ok := false
		t.network, ok = parseNetwork(value, t.kind == kindIP4)
		return colon && ok
	}
	ok := false
	t.domain, t.four, t.six, ok = cutLengths(value)
	return ok && (colon && isDomainSpec(t.domain) || !colon && t.domain == "")
}
