package spf

import (
	"context"
	"strings"

	"mxhook/verify/dns"
	"mxhook/verify/why"
)

// peer is a name of the client by its PTR records. It is validated when it leads back
// to the address (RFC 7208 5.5), which is asked for once, and only if the name matters.
type peer struct {
	name             string
	asked, validated bool
}

// clientNames asks for the client's names, the first ten. An answer that can't be had
// is no name and leaves a doubt.
func (e *evaluation) clientNames(ctx context.Context) *halt {
	if e.named {
		return nil
	}
	if stop := e.question(ctx); stop != nil {
		return stop
	}
	e.named = true
	names, err := e.resolver.LookupAddr(ctx, e.ip.String())
	if stop := e.failure(ctx, err); stop != nil {
		return e.doubted(ctx, err)
	}
	if e.why && len(names) > maxHosts {
		why.Say(ctx, "%s has %d names, of which the first %d count (RFC 7208 4.6.4)", e.ip, len(names), maxHosts)
	}
	for _, name := range names[:min(len(names), maxHosts)] {
		if name, ok := dns.Domain(name); ok {
			e.names = append(e.names, peer{name: name})
		}
	}
	return nil
}

// doubted passes over an answer that RFC 7208 5.5 passes over, and remembers it: a fail
// must not rest on it. What is over for good ends the evaluation.
func (e *evaluation) doubted(ctx context.Context, err error) *halt {
	if ctx.Err() != nil || dns.IsOverBudget(err) {
		return e.failure(ctx, err)
	}
	e.doubt = true
	return nil
}

// holds tells whether a name of the client leads back to its address.
func (e *evaluation) holds(ctx context.Context, p *peer) (bool, *halt) {
	if p.asked {
		return p.validated, nil
	}
	if stop := e.question(ctx); stop != nil {
		return false, stop
	}
	p.asked = true
	addresses, err := dns.LookupNetIP(ctx, e.resolver, e.family(), p.name)
	if stop := e.failure(ctx, err); stop != nil {
		return false, e.doubted(ctx, err)
	}
	for _, a := range addresses {
		p.validated = p.validated || a.Unmap() == e.ip
	}
	if e.why {
		not := ""
		if !p.validated {
			not = "does not lead back to it and counts for nothing"
		} else {
			not = "leads back to it"
		}
		why.Say(ctx, "%s, a name of %s, %s", p.name, e.ip, not)
	}
	return p.validated, nil
}

func within(name, domain string) bool {
	return name == domain || len(name) > len(domain) && strings.HasSuffix(name, domain) && name[len(name)-len(domain)-1] == '.'
}

func (e *evaluation) matchPTR(ctx context.Context, target string) (bool, *halt) {
	if stop := e.clientNames(ctx); stop != nil {
		return false, stop
	}
	if len(e.names) == 0 && !e.doubt {
		return false, e.void(ctx)
	}
	target = strings.ToLower(target)
	for i := range e.names {
		if p := &e.names[i]; within(p.name, target) {
			if ok, stop := e.holds(ctx, p); ok || stop != nil {
				return ok, stop
			}
		}
	}
	return false, nil
}

// validated is %{p}: the domain itself if it is a validated name of the client, else one
// below it, else any, else "unknown" (RFC 7208 7.3). In a domain-spec the first one
// counts as a look-up (4.6.4).
func (e *evaluation) validated(ctx context.Context, domain string, explanation bool) (string, *halt) {
	if !e.named && !explanation {
		if stop := e.lookup(); stop != nil {
			return "", stop
		}
	}
	if stop := e.clientNames(ctx); stop != nil {
		return "", stop
	}
	for _, wanted := range []func(name string) bool{
		func(name string) bool { return name == domain },
		func(name string) bool { return within(name, domain) },
		func(string) bool { return true },
	} {
		for i := range e.names {
			if p := &e.names[i]; wanted(p.name) {
				if ok, stop := e.holds(ctx, p); ok || stop != nil {
					return p.name, stop
				}
			}
		}
	}
	return "unknown", nil
}
