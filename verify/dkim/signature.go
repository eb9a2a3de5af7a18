package dkim

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"mxhook/verify/authres"
	"mxhook/verify/dns"
)

// signature is a DKIM-Signature field (RFC 6376 3.5), or one of ARC's that are made
// alike, read and checked as far as that goes without the key.
type signature struct {
	field     Field
	domain    string   // d=, canonical
	selector  string   // s=, canonical
	algorithm string   // a=, lower case
	identity  string   // the domain of i=
	headers   []string // h=, lower case
	sig, hash []byte
	limit     int64 // l=, or -1

	relaxedHead, relaxedBody bool // c=
}

// form is what a kind of signature field is made of.
type form struct {
	needed []string
	parse  func(string) (Tags, error)
	steps  []func(*signature, Tags, time.Time) *problem
}

var formDKIM = form{
	needed: []string{"v", "a", "b", "bh", "d", "h", "s"},
	parse:  ParseTags,
	steps: []func(*signature, Tags, time.Time) *problem{
		readVersion, readNames, readAlgorithm, readSignature, readHash, readHeaders, readIdentity, readRest, checkTime,
	},
}

// read reads a field. What could be read of domain, selector and algorithm is there
// even if the signature is no good.
func (form *form) read(f Field, now time.Time) (*signature, Tags, *problem) {
	s := &signature{field: f, limit: -1}
	tags, err := form.parse(f.Value())
	if err != nil {
		return s, nil, permanent("malformed signature field")
	}
	s.domain, _ = dns.Domain(compact(tags["d"]))
	s.selector, _ = dns.Domain(compact(tags["s"]))
	s.algorithm = algorithm(compact(tags["a"]))
	for _, tag := range form.needed {
		if compact(tags[tag]) == "" {
			return s, tags, permanent("the signature lacks %s=", tag)
		}
	}
	for _, step := range form.steps {
		if p := step(s, tags, now); p != nil {
			return s, tags, p
		}
	}
	return s, tags, nil
}

func readVersion(_ *signature, tags Tags, _ time.Time) *problem {
	if tags["v"] != "1" {
		return permanent("the signature is of another version")
	}
	return nil
}

func readNames(s *signature, _ Tags, _ time.Time) *problem {
	switch {
	case s.domain == "":
		return permanent("d= is no domain")
	case s.selector == "":
		return permanent("s= is no selector")
	}
	s.identity = s.domain
	return nil
}

// algorithm keeps of a= what may be shown: a hostile one can hold anything.
func algorithm(a string) string {
	a = strings.ToLower(a)
	if len(a) > 32 || strings.Trim(a, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
		return ""
	}
	return a
}

func readAlgorithm(s *signature, _ Tags, _ time.Time) *problem {
	switch s.algorithm {
	case "rsa-sha256", "ed25519-sha256":
		return nil
	case "rsa-sha1":
		// RFC 8301 3.1: verifiers must not take it for valid.
		return &problem{authres.Policy, "rsa-sha1 is too weak"}
	}
	return permanent("the algorithm is unknown")
}

func readSignature(s *signature, tags Tags, _ time.Time) *problem {
	var err error
	if s.sig, err = base64.StdEncoding.DecodeString(compact(tags["b"])); err != nil || len(s.sig) > maxRSA/8 {
		return permanent("b= is malformed")
	}
	return nil
}

// readHash reads what makes the body's hash, and how header and body are made
// canonical.
func readHash(s *signature, tags Tags, _ time.Time) *problem {
	var err error
	if s.hash, err = base64.StdEncoding.DecodeString(compact(tags["bh"])); err != nil {
		return permanent("bh= is malformed")
	}
	c, ok := tags["c"]
	if !ok {
		return nil // simple/simple
	}
	header, body, both := strings.Cut(strings.ToLower(compact(c)), "/")
	if !both {
		body = "simple"
	}
	for _, one := range []string{header, body} {
		if one != "simple" && one != "relaxed" {
			return permanent("the canonicalization is unknown")
		}
	}
	s.relaxedHead, s.relaxedBody = header == "relaxed", body == "relaxed"
	return nil
}

func readHeaders(s *signature, tags Tags, _ time.Time) *problem {
	s.headers = words(tags["h"])
	if !slices.Contains(s.headers, "from") {
		return permanent("the From field is not signed")
	}
	return nil
}

// readIdentity checks that i= lies in d= (RFC 6376 3.5).
func readIdentity(s *signature, tags Tags, _ time.Time) *problem {
	i, ok := tags["i"]
	if !ok {
		return nil
	}
	if _, s.identity, ok = identity(i, s.domain); !ok {
		return permanent("i= is not of the domain d=")
	}
	return nil
}

func readRest(s *signature, tags Tags, _ time.Time) *problem {
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
	for _, method := range words(q) {
		if method == "dns/txt" || method == "dns" {
			return nil
		}
	}
	return permanent("the key's query method is unknown")
}

// maxAhead is how far a signer's clock may be ahead of ours.
const maxAhead = 24 * time.Hour

// checkTime looks at t= and x= (RFC 6376 3.5). Clocks differ, so that only a signature
// from beyond maxAhead is refused.
func checkTime(_ *signature, tags Tags, now time.Time) *problem {
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
		return &problem{authres.Fail, fmt.Sprintf(reasonExpired+" at %s", time.Unix(x, 0).UTC().Format(time.RFC3339))}
	case signed && t > now.Add(maxAhead).Unix():
		return &problem{authres.Fail, "the signature is from the future (t=)"}
	}
	return nil
}

// lastSecond is the last one of a year with four digits: later ones are nobody's clock,
// and could not be written down.
const lastSecond = 253402300799

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
	return int64(min(u, lastSecond)), true, nil
}
