// Package dmarc finds the policy of an author's domain and says whether authenticated
// domains are aligned with it (RFC 9989, which obsoletes RFC 7489 and 9091).
//
// The policy and the organizational domain are found by the DNS tree walk; there is
// no list of public suffixes, and pct= means nothing any more. The package doesn't
// evaluate SPF or DKIM and sends no reports. A name server that doesn't answer is an
// error, hence temperror, never "no record". A Policy is of one message and not safe
// for concurrent use.
package dmarc

import (
	"context"
	"errors"
	"strings"

	"mxhook/verify/authres"
	"mxhook/verify/dns"
	"mxhook/verify/why"
)

// ErrTemporary is returned while a question is open that the answer depends on.
var ErrTemporary = errors.New("dmarc: a name server does not answer")

// Policy is what applies to an author's domain.
type Policy struct {
	Author         string  // the RFC5322.From domain, lower case A-labels
	Domain         string  // where the record was found; "" without one
	Organizational string  // the organizational domain of Author
	Record         *Record // nil without one that applies
	// Applied is the policy after sp, np and t; "" without a record, and while it is open
	// whether the author's domain exists.
	Applied string
	Reason  string // why there is no record, if there is something to say

	walker
	// above is set while a question above the author's own record is open: the record
	// applies, but the organizational domain is not known.
	above bool
}

// Discover finds the policy of an author's domain (RFC 9989 4.10.1). The domain is in
// the form of dns.Domain. The only error is ErrTemporary; the policy is then without a
// record.
func Discover(ctx context.Context, r dns.Resolver, author string) (*Policy, error) {
	p := &Policy{Author: author, Organizational: author}
	why.Say(ctx, "tree walk from %s, the author's domain (RFC 9989 4.10):", author)
	records, err := p.walk(why.Within(ctx), r, author)
	if err != nil && len(records) > 0 && records[0].domain == author {
		// Whatever stands above, its own record applies.
		p.above, err, records = true, nil, records[:1]
		why.Say(ctx, "the author's own record applies, but its organizational domain is not known: only %s itself is sure to be aligned", author)
	}
	if err != nil {
		why.Say(ctx, "whether a policy applies is open: temperror. The name server of that domain does not answer; a later try may be answered")
		return p, err
	}
	if len(records) == 0 {
		why.Say(ctx, "no record: DMARC is none. The owner of %s could publish one at _dmarc.%s", author, author)
		return p, nil
	}
	if !p.above {
		p.Organizational = organizational(author, records)
		why.Say(ctx, "the organizational domain is %s (RFC 9989 4.10.2)", p.Organizational)
	}
	at := records[len(records)-1] // the public suffix's, if it comes to that
	for _, f := range records {
		if f.domain == author || f.domain == p.Organizational {
			at = f
			break
		}
	}
	if at.Record.Unusable {
		p.Reason = "the record has no usable policy"
		why.Say(ctx, "the record of %s applies, but has no valid policy and no valid rua: DMARC is none (RFC 9989 4.10.1). The owner must mend p=, sp= or np=", at.domain)
		return p, nil
	}
	p.Domain, p.Record = at.domain, at.Record
	p.Applied = p.apply(ctx, r)
	return p, nil
}

// apply picks among p, sp and np, and weakens the policy of a domain that is testing.
// It is "" while the answer is open.
func (p *Policy) apply(ctx context.Context, r dns.Resolver) string {
	policy, tag, rule := p.Record.Policy, "p", "the record is the author's own"
	if p.Domain != p.Author {
		policy, tag, rule = p.Record.Subdomain, "sp", p.Author+" is below "+p.Domain
		if p.Record.NonExistent != policy {
			_, err := dns.LookupNetIP(ctx, r, "ip4", p.Author)
			switch {
			case dns.IsTemporary(err):
				why.Say(ctx, "whether %s exists is open, and so is which of sp and np applies", p.Author)
				return ""
			case dns.IsNoDomain(err):
				policy, tag, rule = p.Record.NonExistent, "np", p.Author+" does not exist"
			}
		}
	}
	applied := policy
	if p.Record.Testing {
		switch policy {
		case Reject:
			applied = Quarantine
		case Quarantine:
			applied = None
		}
	}
	why.Say(ctx, "the policy is %s: %s of %s, since %s", policy, tag, p.Domain, rule)
	if p.Record.Testing {
		why.Say(ctx, "t=y: the owner is testing, so that the next weaker one applies: %s", applied)
	}
	return applied
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
		why.Say(ctx, "%s is the author's domain: aligned", domain)
		return true, nil
	case p.Record == nil:
		// Without a record no organizational domain is known but the domain itself.
		why.Say(ctx, "%s is not the author's domain, and no record tells an organizational domain: not aligned", domain)
		return false, nil
	case strict:
		why.Say(ctx, "%s is not the author's domain, and alignment is strict: not aligned", domain)
		return false, nil
	case p.above && topLevel(domain) == topLevel(p.Author):
		why.Say(ctx, "whether %s is aligned is open: the author's organizational domain is not known", domain)
		return false, ErrTemporary
	case !within(domain, p.Organizational):
		why.Say(ctx, "%s is not within %s: not aligned", domain, p.Organizational)
		return false, nil
	}
	why.Say(ctx, "tree walk from %s:", domain)
	records, err := p.walk(why.Within(ctx), r, domain)
	if err != nil {
		why.Say(ctx, "whether %s is aligned is open", domain)
		return false, err
	}
	own := organizational(domain, records)
	if own != p.Organizational {
		why.Say(ctx, "the organizational domain of %s is %s, not %s: not aligned", domain, own, p.Organizational)
		return false, nil
	}
	why.Say(ctx, "%s and the author's domain have the organizational domain %s: aligned, relaxed", domain, own)
	return true, nil
}

// Evaluate joins the policy and the alignment of what passed to a result and to what
// the domain asks for this message. Open says that something aligned may yet pass.
func (p *Policy) Evaluate(aligned, open bool) (result authres.Result, disposition string) {
	switch {
	case p.Record == nil:
		return authres.None, None
	case aligned:
		return authres.Pass, None
	case open || p.Applied == "":
		return authres.TempError, None
	}
	return authres.Fail, p.Applied
}

func within(domain, parent string) bool {
	return domain == parent || strings.HasSuffix(domain, "."+parent)
}

func topLevel(domain string) string { return domain[strings.LastIndexByte(domain, '.')+1:] }
