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
	terms = slices.Grow(terms, strings.Count(text, " "))
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

// cutLengths takes the prefix lengths from the end of an "a" or "mx" (dual-cidr-length,
// RFC 7208 12). What has not their form belongs to the domain, which may hold slashes.
func cutLengths(s string) (domain string, four, six uint8, ok bool) {
	four, six = 32, 128
	start := func() int {
		i := len(s)
		for i > 0 && digit(s[i-1]) {
			i--
		}
		return i
	}
	if i := start(); i < len(s) && i >= 2 && s[i-2:i] == "//" {
		if n, number := length(s[i:], 3); number {
			if n > 128 {
				return "", 0, 0, false
			}
			six, s = uint8(n), s[:i-2]
		}
	}
	if i := start(); i < len(s) && i >= 1 && s[i-1] == '/' {
		if n, number := length(s[i:], 2); number {
			if n > 32 {
				return "", 0, 0, false
			}
			four, s = uint8(n), s[:i-1]
		}
	}
	return s, four, six, true
}

// length reads a number of at most so many digits without leading zeros.
func length(digits string, most int) (n int, ok bool) {
	if digits == "" || len(digits) > most || digits[0] == '0' && len(digits) > 1 {
		return 0, false
	}
	for i := range len(digits) {
		if !digit(digits[i]) {
			return 0, false
		}
		n = 10*n + int(digits[i]-'0')
	}
	return n, true
}

func parseNetwork(value string, four bool) (netip.Prefix, bool) {
	address, digits, cut := strings.Cut(value, "/")
	ip, err := netip.ParseAddr(address)
	if err != nil || ip.Is4() != four || ip.Zone() != "" {
		return netip.Prefix{}, false
	}
	bits := ip.BitLen()
	if cut {
		n, ok := length(digits, 3)
		if !ok || n > bits {
			return netip.Prefix{}, false
		}
		bits = n
	}
	return netip.PrefixFrom(ip, bits), true
}

// isDomainSpec tells whether s is a macro-string that ends in a top label or a macro
// (RFC 7208 7.1).
func isDomainSpec(s string) bool {
	end, ok := checkMacros(s, false)
	if !ok || s == "" {
		return false
	}
	if end == len(s) {
		return true
	}
	name := strings.TrimSuffix(s[end:], ".")
	dot := strings.LastIndexByte(name, '.')
	return dot >= 0 && isTopLabel(name[dot+1:])
}

func isTopLabel(s string) bool {
	named := false
	for i := range len(s) {
		switch c := s[i]; {
		case letter(c), c == '-':
			named = true
		case !digit(c):
			return false
		}
	}
	return named && s[0] != '-' && s[len(s)-1] != '-'
}

func letter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }
func digit(c byte) bool  { return '0' <= c && c <= '9' }
