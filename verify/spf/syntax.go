package spf

import (
	"net/netip"
	"regexp"
	"strconv"
	"strings"
)

// syntax reports what is wrong with a record as a whole, or "". The evaluator stops
// at the first match and so never sees a fault behind it; RFC 7208 4.6 wants such a
// record to be permerror. The grammar is that of RFC 7208 12.
func syntax(record string) string {
	if len(record) > maxRecord {
		return "the policy is too long"
	}
	for i := range len(record) {
		if record[i] < ' ' || record[i] > '~' {
			return "the policy holds characters that it may not"
		}
	}
	modifiers := map[string]bool{}
	for _, term := range strings.Split(record, " ")[1:] {
		if term == "" {
			continue
		}
		if name, value, ok := modifier(term); ok {
			if (name == "redirect" || name == "exp") && modifiers[name] {
				return "the policy has two " + name
			}
			modifiers[name] = true
			if (name == "redirect" || name == "exp") && !domainSpec(value) || !macroString(value, name != "redirect" && name != "exp") {
				return "the policy has a malformed modifier"
			}
			continue
		}
		if !mechanism(strings.TrimLeft(term[:1], "+-?~") + term[1:]) {
			return "the policy has a malformed mechanism"
		}
	}
	return ""
}

// maxRecord is how long a record may be. One that fits its DNS answer is shorter.
const maxRecord = 8 << 10

// modifier splits name=value. What comes before a ":" or "/" decides.
func modifier(term string) (name, value string, ok bool) {
	name, value, ok = strings.Cut(term, "=")
	if !ok || name == "" || !letter(name[0]) {
		return "", "", false
	}
	for i := range len(name) {
		if c := name[i]; !letter(c) && !digit(c) && c != '-' && c != '_' && c != '.' {
			return "", "", false
		}
	}
	return strings.ToLower(name), value, true
}

var dualCIDR = regexp.MustCompile(`^(.*?)(/(0|[1-9][0-9]?))?(//(0|[1-9][0-9]{0,2}))?$`)

func mechanism(term string) bool {
	name, value, colon := strings.Cut(term, ":")
	if !colon {
		name, _, _ = strings.Cut(term, "/")
	}
	switch strings.ToLower(name) {
	case "all":
		return len(term) == len("all")
	case "include", "exists":
		return colon && domainSpec(value)
	case "ptr":
		return !colon && len(term) == len("ptr") || colon && domainSpec(value)
	case "ip4", "ip6":
		return colon && network(value, strings.ToLower(name) == "ip4")
	}
	if before, _, slash := strings.Cut(term, "/"); slash && (!colon || len(before) < len(name)) {
		name, value, colon = before, "", false
	}
	if n := strings.ToLower(name); n != "a" && n != "mx" {
		return false
	}
	m := dualCIDR.FindStringSubmatch(term[len(name):])
	if m == nil || !prefix(m[3], 32) || !prefix(m[5], 128) {
		return false
	}
	return !colon && m[1] == "" || colon && domainSpec(m[1][1:])
}

// hiddenSlash stands for a slash within the domain of an "a" or "mx" on its way through
// the library, which takes any slash there for a prefix length. No record that passed
// syntax holds it.
const hiddenSlash = "\x01"

var slashOutsideMacro = regexp.MustCompile(`%\{[^}]*\}|/`)

// hideSlashes replaces the slashes that belong to a domain. Those within a macro are
// delimiters and stay.
func hideSlashes(record string) string {
	terms := strings.Split(record, " ")
	for i, term := range terms {
		name, value, ok := strings.Cut(term, ":")
		if n := strings.ToLower(strings.TrimLeft(name, "+-?~")); !ok || n != "a" && n != "mx" {
			continue
		}
		m := dualCIDR.FindStringSubmatchIndex(value)
		if m == nil {
			continue
		}
		domain := slashOutsideMacro.ReplaceAllStringFunc(value[:m[3]], func(s string) string {
			if s == "/" {
				return hiddenSlash
			}
			return s
		})
		terms[i] = name + ":" + domain + value[m[3]:]
	}
	return strings.Join(terms, " ")
}

func showSlashes(name string) string { return strings.ReplaceAll(name, hiddenSlash, "/") }

func prefix(digits string, most int) bool {
	n, err := strconv.Atoi(digits)
	return digits == "" || err == nil && n <= most
}

func network(value string, four bool) bool {
	address, length, cut := strings.Cut(value, "/")
	if cut && (length == "" || strings.Trim(length, "0123456789") != "" || len(length) > 1 && length[0] == '0') {
		return false
	}
	ip, err := netip.ParseAddr(address)
	if err != nil || ip.Is4() != four || ip.Zone() != "" {
		return false
	}
	return prefix(length, ip.BitLen())
}

// domainSpec is a macro-string that ends in a top label or a macro.
func domainSpec(s string) bool {
	if s == "" || !macroString(s, false) {
		return false
	}
	name := strings.TrimSuffix(s, ".")
	if strings.HasSuffix(s, "}") || strings.HasSuffix(s, "%%") || strings.HasSuffix(s, "%_") || strings.HasSuffix(s, "%-") {
		return true
	}
	dot := strings.LastIndexByte(name, '.')
	return dot >= 0 && topLabel(name[dot+1:])
}

func topLabel(s string) bool {
	alpha, hyphen := false, false
	for i := range len(s) {
		switch c := s[i]; {
		case letter(c):
			alpha = true
		case c == '-':
			hyphen = true
		case !digit(c):
			return false
		}
	}
	return (alpha || hyphen) && s[0] != '-' && s[len(s)-1] != '-'
}

var macro = regexp.MustCompile(`^%(?:[%_-]|\{([a-zA-Z])([0-9]*)[rR]?[-.+,/_=]*\})`)

// macroString checks the macros of a value. The letters c, r and t are for
// explanations alone (RFC 7208 7.2).
func macroString(s string, explanation bool) bool {
	for {
		at := strings.IndexByte(s, '%')
		if at < 0 {
			return true
		}
		m := macro.FindStringSubmatch(s[at:])
		if m == nil {
			return false
		}
		letters := "slodiphv"
		if explanation {
			letters += "crt"
		}
		if m[1] != "" && !strings.Contains(letters, strings.ToLower(m[1])) || m[2] != "" && strings.Trim(m[2], "0") == "" {
			return false
		}
		s = s[at+len(m[0]):]
	}
}

func letter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }
func digit(c byte) bool  { return '0' <= c && c <= '9' }
