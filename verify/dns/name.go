package dns

import (
	"strings"

	"golang.org/x/net/idna"
)

// Limits of a name without its final dot (RFC 1035 2.3.4).
const (
	maxName  = 253
	maxLabel = 63
)

// Domain gives the canonical form of a domain name: lower case, A-labels, no final
// dot. It is false for what can't be a name in the DNS: empty labels, labels and names
// that are too long, blanks and control characters, U-labels that IDNA 2008 refuses.
// Underscores are allowed, since `_dmarc` and `_domainkey` are names too.
func Domain(name string) (string, bool) { return canonical(name, false) }

// canonical is Domain; lax allows blanks inside, which SPF macros can make and the DNS
// can carry.
func canonical(name string, lax bool) (string, bool) {
	if len(name) > 4*maxName {
		return "", false
	}
	name = strings.TrimSuffix(name, ".")
	for i := range len(name) {
		if name[i] >= 0x80 {
			ascii, err := toASCII(name)
			if err != nil {
				return "", false
			}
			name = strings.TrimSuffix(ascii, ".")
			break
		}
	}
	if name == "" || len(name) > maxName {
		return "", false
	}
	label := 0
	for i := range len(name) {
		c := name[i]
		switch {
		case c == '.':
			if label == 0 {
				return "", false
			}
			label = 0
			continue
		case c < ' ' || c == ' ' && !lax || c >= 0x7f || c == '\\':
			return "", false
		}
		if label++; label > maxLabel {
			return "", false
		}
	}
	if label == 0 {
		return "", false
	}
	return strings.ToLower(name), true
}

func toASCII(name string) (string, error) {
	profile := idna.New(idna.MapForLookup(), idna.Transitional(false), idna.StrictDomainName(false))
	return profile.ToASCII(name)
}

// owner gives the canonical form of a name as the DNS library prints it, with its
// escapes undone. A dot inside a label has no such form.
func owner(printed string) (string, bool) {
	if strings.Contains(printed, `\.`) {
		return "", false
	}
	return canonical(unescape(printed), true)
}
