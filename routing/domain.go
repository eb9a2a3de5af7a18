package routing

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"

	"mxhook/inbound"
)

// lookup maps U-labels to A-labels (RFC 5891, UTS 46, nontransitional) and refuses
// as little as it can, since what it refuses still has to compare with something.
var lookup = idna.New(idna.MapForLookup(), idna.Transitional(false), idna.StrictDomainName(false),
	idna.VerifyDNSLength(false), idna.CheckHyphens(false), idna.CheckJoiners(false), idna.ValidateLabels(false))

// Domain returns the form in which domains compare: A-labels in lower case,
// without a trailing dot. What is no IDNA stands for itself in lower case.
func Domain(s string) string {
	s = strings.TrimSuffix(s, ".")
	if isASCII(s) {
		return strings.ToLower(s)
	}
	if a, err := lookup.ToASCII(s); err == nil && a != "" {
		return strings.TrimSuffix(strings.ToLower(a), ".")
	}
	return strings.ToLower(s)
}

// address is a Path as patterns see it.
type address struct {
	local   string // as written
	folded  string // fold(local)
	domain  string // Domain(written)
	written string // the domain as written
}

func newAddress(p inbound.Path) address {
	return address{
		local:   p.LocalPart,
		folded:  fold(p.LocalPart),
		domain:  Domain(p.Domain),
		written: strings.TrimSuffix(p.Domain, "."),
	}
}

// text is what a regular expression sees; "" for the null reverse-path.
func (a address) text() string {
	if a.domain == "" {
		return a.local
	}
	return a.local + "@" + a.domain
}

// domainSpan returns the part of the domain as written that stands at start to end
// of its normal form. Where the two differ inside a label there is no such part,
// and the normal form's is returned.
func (a address) domainSpan(start, end int) string {
	if isASCII(a.written) && len(a.written) == len(a.domain) {
		return a.written[start:end]
	}
	labels := strings.Split(a.written, ".")
	onLabels := (start == 0 || a.domain[start-1] == '.') && (end == len(a.domain) || a.domain[end] == '.')
	if !onLabels || len(labels) != strings.Count(a.domain, ".")+1 {
		return a.domain[start:end]
	}
	first := strings.Count(a.domain[:start], ".")
	last := first + strings.Count(a.domain[start:end], ".")
	return strings.Join(labels[first:last+1], ".")
}

// fold returns s in the form in which local parts compare: two strings that differ
// by case alone (Unicode simple folding, as (?i) of package regexp) are the same.
func fold(s string) string {
	if isASCII(s) {
		return strings.ToLower(s)
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && n == 1 {
			b = append(b, s[i])
		} else {
			b = utf8.AppendRune(b, foldRune(r))
		}
		i += n
	}
	return string(b)
}

// foldRune returns the smallest rune of r's folding orbit, an ASCII letter in
// lower case.
func foldRune(r rune) rune {
	low := r
	for o := unicode.SimpleFold(r); o != r; o = unicode.SimpleFold(o) {
		low = min(low, o)
	}
	if low >= 'A' && low <= 'Z' {
		low += 'a' - 'A'
	}
	return low
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
