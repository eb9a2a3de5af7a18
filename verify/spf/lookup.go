package spf

import (
	"context"
	"net/netip"

	"mxhook/verify/dns"
	"mxhook/verify/why"
)

// lookup counts a term that asks (RFC 7208 4.6.4).
func (e *evaluation) lookup() *halt {
	if e.lookups == maxLookups {
		return permanent("more than 10 look-ups")
	}
	e.lookups++
	return nil
}

// void counts a term that found nothing.
func (e *evaluation) void(ctx context.Context) *halt {
	e.voids++
	if e.why {
		why.Say(ctx, "nothing is there: void look-up %d, of which %d are allowed (RFC 7208 4.6.4)", e.voids, maxVoids)
	}
	if e.voids > maxVoids {
		return permanent("more than 2 look-ups without an answer")
	}
	return nil
}

// question counts a question that is about to be asked.
func (e *evaluation) question(ctx context.Context) *halt {
	if ctx.Err() != nil {
		return temporary("the time was up")
	}
	if e.asked == MaxQuestions {
		return temporary("more questions than one evaluation may ask")
	}
	e.asked++
	return nil
}

// failure is what follows from the error of a question. That something does not exist is
// an answer, and all else is none.
func (e *evaluation) failure(ctx context.Context, err error) *halt {
	switch {
	case err == nil, dns.IsNotFound(err):
		return nil
	case dns.IsOverBudget(err):
		return temporary("more questions than one message may ask")
	case ctx.Err() != nil:
		return temporary("the time was up")
	}
	return temporary("a name server does not answer")
}

// family is the client's: addresses of the other one can't match it.
func (e *evaluation) family() string {
	if e.ip.Is4() {
		return "ip4"
	}
	return "ip6"
}

func (e *evaluation) addresses(ctx context.Context, family, name string) ([]netip.Addr, *halt) {
	if stop := e.question(ctx); stop != nil {
		return nil, stop
	}
	addresses, err := dns.LookupNetIP(ctx, e.resolver, family, name)
	if err != nil {
		return nil, e.failure(ctx, err)
	}
	return addresses, nil
}

// policy finds the one SPF record of a domain (RFC 7208 4.4, 4.5).
func (e *evaluation) policy(ctx context.Context, domain string) (text string, found bool, stop *halt) {
	if stop := e.question(ctx); stop != nil {
		return "", false, stop
	}
	texts, err := e.resolver.LookupTXT(ctx, domain)
	if stop := e.failure(ctx, err); stop != nil || err != nil {
		e.sayNoPolicy(ctx, domain, len(texts), stop)
		return "", false, stop
	}
	for _, t := range texts {
		if !isPolicy(t) {
			continue
		}
		if found {
			if e.why {
				why.Say(ctx, "%s publishes more than one record that begins with v=spf1, so none of them counts (RFC 7208 4.5); its owner must join them", domain)
			}
			return "", false, permanent("more than one policy is published")
		}
		text, found = t, true
	}
	if !found {
		e.sayNoPolicy(ctx, domain, len(texts), nil)
	}
	return text, found, nil
}
