// Package dmarc finds the policy of an author's domain and says whether authenticated
// domains are aligned with it (RFC 9989, which obsoletes RFC 7489 and 9091).
//
// The policy and the organizational domain are found by the DNS tree walk; there is
// no list of public suffixes, and pct= means nothing any more. The package doesn't
// evaluate SPF or DKIM and sends no reports. A name server that doesn't answer is an
// error, hence temperror, never "no record". All functions are safe for concurrent
// use.
package dmarc

import (
	"context"
	"errors"
	"strings"

	"mxhook/verify/authres"
	"mxhook/verify/dns"
)

// ErrTemporary is returned while a question is open that the answer depends on.
var ErrTemporary = errors.New("dmarc: a name server does not answer")

// MaxQueries is how many names one tree walk asks (RFC 9989 4.10).
const MaxQueries = 8

// Policy is what applies to an author's domain.
type Policy struct {
	Author         string  // the RFC5322.From domain, lower case A-labels
	Domain         string  // where the record was found; "" without one
	Organizational string  // the organizational domain of Author
	Record         *Record // nil without one that applies
	// Applied is the policy after sp, np and t; "" without a record.
	Applied string
	Reason  string // why there is no record, if there is something to say
}

// Discover finds the policy of an author's domain (RFC 9989 4.10.1). The domain is in
// the form of dns.Domain. The only error is ErrTemporary; the policy is then without a
// record.
func Discover(ctx context.Context, r dns.Resolver, author string) (*Policy, error) {
	p := &Policy{Author: author, Organizational: author}
	found, err := walk(ctx, r, author)
	if err != nil {
		return p, err
	}
	if len(found) == 0 {
		return p, nil
	}
	p.Organizational = organizational(author, found)
	at := found[len(found)-1] // the public suffix's, if it comes to that
	for _, f := range found {
		if f.domain == author || f.domain == p.Organizational {
			at = f
			break
		}
	}
	if at.Record.Unusable {
		p.Reason = "the record has no usable policy"
		return p, nil
	}
	p.Domain, p.Record = at.domain, at.Record
	p.Applied, err = p.apply(ctx, r)
	return p, err
}

// apply picks among p, sp and np, and weakens the policy of a domain that is testing.
func (p *Policy) apply(ctx context.Context, r dns.Resolver) (string, error) {
	policy := p.Record.Policy
	if p.Domain != p.Author {
		policy = p.Record.Subdomain
		if p.Record.NonExistent != policy {
			_, err := dns.LookupNetIP(ctx, r, "ip4", p.Author)
			switch {
			case dns.IsTemporary(err):
				return "", ErrTemporary
			case dns.IsNoDomain(err):
				policy = p.Record.NonExistent
			}
		}
	}
	if p.Record.Testing {
		switch policy {
		case Reject:
			policy = Quarantine
		case Quarantine:
			policy = None
		}
	}
	return policy, nil
}

// SPFAligned reports whether a domain that SPF authenticates is aligned with the
// author's (RFC 9989 4.10.2). The only error is ErrTemporary.
func (p *Policy) SPFAligned(ctx context.Context, r dns.Resolver, domain string) (bool, error) {
	return p.aligned(ctx, r, domain, p.Record != nil && p.Record.StrictSPF)
}

// DKIMAligned is the same for the domain of a signature.
func (p *Policy) DKIMAligned(ctx context.Context, r dns.Resolver, domain string) (bool, error) {
	return p.aligned(ctx, r, domain, p.Record != nil && p.Record.StrictDKIM)
}

func (p *Policy) aligned(ctx context.Context, r dns.Resolver, domain string, strict bool) (bool, error) {
	switch {
	case domain == "":
		return false, nil
	case domain == p.Author:
		return true, nil
	case strict || p.Record == nil || !within(domain, p.Organizational):
		// Without a record no organizational domain is known but the domain itself.
		return false, nil
	}
	found, err := walk(ctx, r, domain)
	if err != nil {
		return false, err
	}
	return organizational(domain, found) == p.Organizational, nil
}

// Evaluate joins the policy and the alignment of what passed to a result and to what
// the domain asks for this message. Open says that something aligned may yet pass.
func (p *Policy) Evaluate(aligned, open bool) (result authres.Result, disposition string) {
	switch {
	case p.Record == nil:
		return authres.None, None
	case aligned:
		return authres.Pass, None
	case open:
		return authres.TempError, None
	}
	return authres.Fail, p.Applied
}

func within(domain, parent string) bool {
	return domain == parent || strings.HasSuffix(domain, "."+parent)
}

// found is a record and the domain that it is of.
type found struct {
	domain string
	*Record
}

// walk asks from domain up to its top level, at most MaxQueries names, and gives the
// records from the longest name to the shortest (RFC 9989 4.10).
func walk(ctx context.Context, r dns.Resolver, domain string) ([]found, error) {
	var records []found
	labels := strings.Split(domain, ".")
	for first := true; len(labels) > 0; first = false {
		name := strings.Join(labels, ".")
		record, err := lookup(ctx, r, name)
		if err != nil {
			return nil, err
		}
		if record != nil {
			records = append(records, found{name, record})
			if record.PSD != "u" {
				break
			}
		}
		if n := len(labels); first && n >= MaxQueries {
			labels = labels[n-(MaxQueries-1):]
		} else {
			labels = labels[1:]
		}
	}
	return records, nil
}

// lookup asks for the record of one domain. Several records are as good as none
// (RFC 9989 4.10, step 2).
func lookup(ctx context.Context, r dns.Resolver, domain string) (*Record, error) {
	name := "_dmarc." + domain
	if _, ok := dns.Domain(name); !ok {
		return nil, nil // too long to exist
	}
	texts, err := r.LookupTXT(ctx, name)
	if dns.IsTemporary(err) {
		return nil, ErrTemporary
	}
	if err != nil {
		return nil, nil
	}
	var record *Record
	for _, text := range texts {
		one, err := Parse(text)
		if err != nil {
			continue
		}
		if record != nil {
			return nil, nil
		}
		record = one
	}
	return record, nil
}

// organizational picks the organizational domain from the records of a walk that
// began at domain (RFC 9989 4.10.2).
func organizational(domain string, records []found) string {
	for _, f := range records {
		switch {
		case f.PSD == "n":
			return f.domain
		case f.PSD == "y" && f.domain != domain:
			below := strings.TrimSuffix(domain, "."+f.domain)
			return below[strings.LastIndexByte(below, '.')+1:] + "." + f.domain
		}
	}
	if len(records) == 0 {
		return domain
	}
	return records[len(records)-1].domain
}
