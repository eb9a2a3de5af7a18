// Package arc validates the chain of a message's ARC sets (RFC 8617) with the means of
// package dkim.
//
// A chain that passes tells who has handled the message and that what they wrote down
// was not changed. It does not tell that they are right: what a sealer says counts
// only for those who trust it, see Trust.
//
// The steps are those of RFC 8617 5.2. Read looks at the structure: what is malformed
// costs no question and no signature. FetchNewest asks for the keys of the newest set,
// and dkim.Verify hashes the body for all sets in its one pass. Evaluate goes on to the
// other sets only when the newest holds. A Chain is of one message and not safe for
// concurrent use, but that FetchNewest may run beside dkim.Verify.
package arc

import (
	"fmt"
	"strings"
	"time"

	"mxhook/verify/authres"
	"mxhook/verify/dkim"
	"mxhook/verify/dns"
)

// MaxSets is how many sets a chain may have (RFC 8617 4.2.1).
const MaxSets = 50

// set is the fields of one instance.
type set struct {
	results   *dkim.Field // ARC-Authentication-Results
	message   *dkim.Field // ARC-Message-Signature
	seal      *dkim.Field // ARC-Seal
	signature *dkim.Check // of message
	sealed    *dkim.Check // of seal
	said      string      // results, after the instance
}

// Chain is the ARC sets of one message.
type Chain struct {
	header []dkim.Field
	sets   []set // 1 to n; empty unless the structure is sound
	seals  int   // ARC-Seal fields
	fault  string
	passed bool
}

// Read collects the sets of a header section and checks their structure (RFC 8617 5.2,
// steps 1 to 3). The clock is for t= and x=.
func Read(header []dkim.Field, now time.Time) *Chain {
	c := &Chain{header: header}
	var fields []*dkim.Field
	for i := range header {
		f := &header[i]
		if len(f.Name) < 4 || !strings.EqualFold(f.Name[:4], "ARC-") {
			continue
		}
		if f.Is(nameSeal) {
			c.seals++
		}
		if f.Is(nameSeal) || f.Is(nameMessage) || f.Is(nameResults) {
			fields = append(fields, f)
		}
	}
	if len(fields) == 0 {
		return c
	}
	if len(fields) > 3*MaxSets || c.seals > MaxSets {
		c.fault = fmt.Sprintf("more than %d ARC sets", MaxSets)
		return c
	}
	sets, fault := collect(fields, now)
	if fault == "" {
		fault = structure(sets)
	}
	if c.fault = fault; fault == "" {
		c.sets = sets
	}
	return c
}

const (
	nameResults = "ARC-Authentication-Results"
	nameMessage = "ARC-Message-Signature"
	nameSeal    = "ARC-Seal"
)

// collect sorts the fields by their instances.
func collect(fields []*dkim.Field, now time.Time) (sets []set, fault string) {
	for _, f := range fields {
		var one set
		var n int
		ok := true
		switch {
		case f.Is(nameResults):
			one.results = f
			n, one.said, ok = authres.CutInstance(f.Value())
		case f.Is(nameMessage):
			one.message, one.signature = f, dkim.NewMessageSignature(*f, now)
			n, ok = instance(one.signature.Tag("i"))
		default:
			one.seal, one.sealed = f, dkim.NewSeal(*f, now)
			n, ok = instance(one.sealed.Tag("i"))
		}
		if !ok || n < 1 || n > MaxSets {
			return nil, fmt.Sprintf("an %s is malformed or has no instance from 1 to %d", canonicalName(f), MaxSets)
		}
		for len(sets) < n {
			sets = append(sets, set{})
		}
		if !sets[n-1].join(one) {
			return nil, fmt.Sprintf("the instance i=%d stands twice", n)
		}
	}
	return sets, ""
}

// canonicalName is the field's name as the standard writes it, not as the sender did.
func canonicalName(f *dkim.Field) string {
	for _, name := range []string{nameResults, nameMessage} {
		if f.Is(name) {
			return name
		}
	}
	return nameSeal
}

// join takes a field of the same instance. It is false if there is one already.
func (s *set) join(one set) bool {
	switch {
	case one.results != nil && s.results == nil:
		s.results, s.said = one.results, one.said
	case one.message != nil && s.message == nil:
		s.message, s.signature = one.message, one.signature
	case one.seal != nil && s.seal == nil:
		s.seal, s.sealed = one.seal, one.sealed
	default:
		return false
	}
	return true
}

// instance reads 1*2DIGIT.
func instance(s string) (n int, ok bool) {
	if len(s) == 0 || len(s) > 2 || strings.Trim(s, "0123456789") != "" {
		return 0, false
	}
	for i := range len(s) {
		n = 10*n + int(s[i]-'0')
	}
	return n, true
}

// structure checks steps 2 and 3 of RFC 8617 5.2.
func structure(sets []set) (fault string) {
	newest := len(sets)
	if s := sets[newest-1].sealed; s != nil && s.Tag("cv") == "fail" {
		return fmt.Sprintf("the chain was broken before: cv=fail at i=%d", newest)
	}
	for i, s := range sets {
		if s.results == nil || s.message == nil || s.seal == nil {
			return fmt.Sprintf("the set i=%d is not complete", i+1)
		}
	}
	for i, s := range sets {
		want := "pass"
		if i == 0 {
			want = "none"
		}
		switch cv := s.sealed.Tag("cv"); cv {
		case want:
		case "fail":
			return fmt.Sprintf("the chain was broken before: cv=fail at i=%d", i+1)
		default:
			return fmt.Sprintf("the seal i=%d does not say cv=%s", i+1, want)
		}
	}
	return ""
}

// Bodies gives the signatures for which dkim.Verify is to hash the body.
func (c *Chain) Bodies() []*dkim.Check {
	var list []*dkim.Check
	for _, s := range c.sets {
		list = append(list, s.signature)
	}
	return list
}

// canonicalDomain is for lists that people write.
func canonicalDomain(s string) string {
	d, _ := dns.Domain(s)
	return d
}
