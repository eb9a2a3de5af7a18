package arc

import (
	"strings"

	"mxhook/verify/authres"
)

// Sealers are the domains of those whose word one takes. The zero value is nobody.
type Sealers map[string]bool

// NewSealers makes the set of these domains, in any form that dns.Domain takes. What is
// no domain is left out.
func NewSealers(domains []string) Sealers {
	s := Sealers{}
	for _, d := range domains {
		if d = canonicalDomain(d); d != "" {
			s[d] = true
		}
	}
	return s
}

// Trust reports whether the newest sealer of a chain that passes is a trusted one, and
// whether the chain vouches for the author's domain: whether there is a trusted sealer,
// with none but trusted ones after it, whose own results say that DMARC passed for that
// domain. Without an author nothing vouches. A sealer is trusted if the domains of both
// its seal and its message signature are, and neither key is in testing mode.
func (c *Chain) Trust(sealers Sealers, author string) (trusted, vouched bool) {
	if !c.passed {
		return false, false
	}
	for i := len(c.sets) - 1; i >= 0; i-- {
		s := &c.sets[i]
		if !sealers[s.sealed.Domain()] || !sealers[s.signature.Domain()] || s.sealed.Testing() || s.signature.Testing() {
			return trusted, false
		}
		trusted = true
		if author != "" && authorPassed(s.said, author) {
			return true, true
		}
	}
	return trusted, false
}

// authorPassed reports whether an ARC-Authentication-Results field, after its instance,
// says dmarc=pass for the author's domain. It errs on the side of no: the field must be
// well formed, DMARC must stand there once and name one domain. A field in which
// "dmarc=pass" stands anywhere else, say in a quoted string that some sender chose, is
// not taken for anything.
func authorPassed(said, author string) bool {
	if strings.Count(strings.ToLower(strings.Join(strings.Fields(said), "")), "dmarc=pass") != 1 {
		return false
	}
	_, statements, ok := authres.Parse(said)
	if !ok {
		return false
	}
	passed, seen := false, false
	for _, s := range statements {
		if s.Method != authres.MethodDMARC {
			continue
		}
		if seen {
			return false
		}
		seen = true
		domains := 0
		for _, p := range s.Properties {
			if p.Type == "header" && p.Name == "from" {
				domains++
				passed = s.Result == authres.Pass && canonicalDomain(p.Value) == author
			}
		}
		if domains != 1 {
			return false
		}
	}
	return passed
}
