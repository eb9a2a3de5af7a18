package dkim

import (
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"time"

	"mxhook/verify/authres"
	"mxhook/verify/dns"
)

// signature is a DKIM-Signature field (RFC 6376 3.5), read and checked as far as that
// goes without the key.
type signature struct {
	field     Field
	domain    string // d=, canonical
	selector  string // s=, canonical
	algorithm string // a=, lower case
	identity  string // the domain of i=
	headers   []string
	sig, hash []byte
	header    bool // c= relaxed
	body      bool
	limit     int64 // l=, or -1
}

// parseSignature reads a field. What could be read of domain, selector and algorithm
// is there even if the signature is no good.
func parseSignature(f Field, now time.Time) (*signature, *problem) {
	s := &signature{field: f, limit: -1}
	tags, err := ParseTags(f.Value())
	if err != nil {
		return s, permanent("malformed signature field")
	}
	var domainOK, selectorOK bool
	s.domain, domainOK = dns.Domain(compact(tags["d"]))
	s.selector, selectorOK = dns.Domain(compact(tags["s"]))
	s.algorithm = algorithm(compact(tags["a"]))
	for _, tag := range []string{"v", "a", "b", "bh", "d", "h", "s"} {
		if compact(tags[tag]) == "" {
			return s, permanent("the signature lacks %s=", tag)
		}
	}
	switch {
	case tags["v"] != "1":
		return s, permanent("the signature is of another version")
	case !domainOK:
		return s, permanent("d= is no domain")
	case !selectorOK:
		return s, permanent("s= is no selector")
	}
	for _, step := range []func(Tags) *problem{s.readAlgorithm, s.readHashes, s.readHeaders, s.readIdentity, s.readRest} {
		if p := step(tags); p != nil {
			return s, p
		}
	}
	return s, s.checkTime(tags, now)
}

// algorithm keeps of a= what may be shown: a hostile one can hold anything.
func algorithm(a string) string {
	a = strings.ToLower(a)
	if len(a) > 32 || strings.Trim(a, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
		return ""
	}
	return a
}

func (s *signature) readAlgorithm(Tags) *problem {
	switch s.algorithm {
	case "rsa-sha256", "ed25519-sha256":
		return nil
	case "rsa-sha1":
		// RFC 8301 3.1: verifiers must not take it for valid.
		return &problem{authres.Policy, "rsa-sha1 is too weak"}
	}
	return permanent("the algorithm is unknown")
}

func (s *signature) readHashes(tags Tags) (p *problem) {
	var err error
	if s.sig, err = base64.StdEncoding.DecodeString(compact(tags["b"])); err != nil || len(s.sig) > maxRSA/8 {
		return permanent("b= is malformed")
	}
	if s.hash, err = base64.StdEncoding.DecodeString(compact(tags["bh"])); err != nil {
		return permanent("bh= is malformed")
	}
	header, body, _ := strings.Cut(strings.ToLower(compact(tags["c"])), "/")
	for _, c := range []struct {
		value   string
		relaxed *bool
	}{{header, &s.header}, {body, &s.body}} {
		switch c.value {
		case "", "simple":
		case "relaxed":
			*c.relaxed = true
		default:
			return permanent("the canonicalization is unknown")
		}
	}
	return nil
}

func (s *signature) readHeaders(tags Tags) *problem {
	s.headers = list(tags["h"])
	for _, h := range s.headers {
		if strings.EqualFold(h, "from") {
			return nil
		}
	}
	return permanent("the From field is not signed")
}

// readIdentity checks that i= lies in d= (RFC 6376 3.5).
func (s *signature) readIdentity(tags Tags) *problem {
	s.identity = s.domain
	i, ok := tags["i"]
	if !ok {
		return nil
	}
	i = quotedPrintable(i)
	at := strings.LastIndexByte(i, '@')
	domain, valid := dns.Domain(i[at+1:])
	if at < 0 || !valid || domain != s.domain && !strings.HasSuffix(domain, "."+s.domain) {
		return permanent("i= is not of the domain d=")
	}
	s.identity = domain
	return nil
}

func (s *signature) readRest(tags Tags) *problem {
	if l, ok := tags["l"]; ok {
		n, err := strconv.ParseUint(compact(l), 10, 62)
		if err != nil {
			return permanent("l= is malformed")
		}
		s.limit = int64(n)
	}
	q, ok := tags["q"]
	if !ok {
		return nil
	}
	for _, method := range list(q) {
		if strings.EqualFold(method, "dns/txt") || strings.EqualFold(method, "dns") {
			return nil
		}
	}
	return permanent("the key's query method is unknown")
}

// maxAhead is how far a signer's clock may be ahead of ours.
const maxAhead = 24 * time.Hour

// checkTime looks at t= and x= (RFC 6376 3.5). Clocks differ, so that only a signature
// from beyond maxAhead is refused.
func (s *signature) checkTime(tags Tags, now time.Time) *problem {
	t, signed, p := seconds(tags, "t")
	if p != nil {
		return p
	}
	x, ends, p := seconds(tags, "x")
	if p != nil {
		return p
	}
	switch {
	case signed && ends && x < t:
		return permanent("the signature ends before it begins")
	case ends && now.Unix() > x:
		return &problem{authres.Fail, fmt.Sprintf("the signature expired at %s", time.Unix(x, 0).UTC().Format(time.RFC3339))}
	case signed && t > now.Add(maxAhead).Unix():
		return &problem{authres.Fail, "the signature is from the future (t=)"}
	}
	return nil
}

// seconds reads a point in time; ok is false without the tag.
func seconds(tags Tags, tag string) (n int64, ok bool, p *problem) {
	v, ok := tags[tag]
	if !ok {
		return 0, false, nil
	}
	u, err := strconv.ParseUint(compact(v), 10, 64)
	if err != nil {
		return 0, false, permanent("%s= is malformed", tag)
	}
	// Twelve digits last to the year 33658; longer ones are nobody's clock.
	return int64(min(u, 1e12)), true, nil
}
