package spf

import (
	"context"
	"net/netip"

	"mxhook/verify/dns"
	"mxhook/verify/why"
)

// match evaluates one mechanism (RFC 7208 5). The reason is that of a match.
func (e *evaluation) match(ctx context.Context, t *term, domain string) (matched bool, reason string, stop *halt) {
	switch t.kind {
	case kindAll:
		return true, "matched all", nil
	case kindIP4, kindIP6:
		if !t.network.Contains(e.ip) {
			if e.why {
				why.Say(ctx, "%s does not hold %s", t.text, e.ip)
			}
			return false, "", nil
		}
		return true, "matched an address range", nil
	}
	if stop = e.lookup(); stop != nil {
		return false, "", stop
	}
	target, ok, stop := e.name(ctx, t.domain, domain)
	if stop != nil {
		return false, "", stop
	}
	if e.why {
		why.Say(ctx, "%s asks for %s (look-up %d of %d)", t.text, target, e.lookups, maxLookups)
	}
	if !ok && (t.kind != kindInclude || !isASCII(e.local)) {
		if e.why {
			why.Say(ctx, "%s does not match: that can't be a name in the DNS", t.text)
		}
		return false, "", nil
	}
	switch t.kind {
	case kindInclude:
		reason = "matched an included policy"
		matched, stop = e.include(ctx, target, ok)
		return matched, reason, stop
	case kindA:
		reason = "matched a"
		matched, stop = e.matchA(ctx, t, target)
	case kindMX:
		reason = "matched mx"
		matched, stop = e.matchMX(ctx, t, target)
	case kindPTR:
		reason = "matched ptr"
		matched, stop = e.matchPTR(ctx, target)
	case kindExists:
		reason = "matched exists"
		matched, stop = e.matchExists(ctx, target)
	}
	if e.why && !matched && stop == nil {
		why.Say(ctx, "%s does not match", t.text)
	}
	return matched, reason, stop
}

// near tells whether the client is among addresses, or in a network of one of them.
func (e *evaluation) near(t *term, addresses []netip.Addr) bool {
	bits := int(t.six)
	if e.ip.Is4() {
		bits = int(t.four)
	}
	for _, a := range addresses {
		if a = a.Unmap(); a.BitLen() == e.ip.BitLen() && netip.PrefixFrom(a, bits).Contains(e.ip) {
			return true
		}
	}
	return false
}

func (e *evaluation) matchA(ctx context.Context, t *term, target string) (bool, *halt) {
	addresses, stop := e.addresses(ctx, e.family(), target)
	if stop == nil && len(addresses) == 0 {
		stop = e.void(ctx)
	}
	return e.near(t, addresses), stop
}

func (e *evaluation) matchMX(ctx context.Context, t *term, target string) (bool, *halt) {
	if stop := e.question(ctx); stop != nil {
		return false, stop
	}
	hosts, err := e.resolver.LookupMX(ctx, target)
	if stop := e.failure(ctx, err); stop != nil {
		return false, stop
	}
	if len(hosts) == 0 {
		return false, e.void(ctx)
	}
	if len(hosts) > maxHosts {
		return false, permanent("more than 10 mail exchangers")
	}
	for _, host := range hosts {
		name, ok := dns.Domain(host.Host)
		if !ok {
			continue // the null MX (RFC 7505) among them
		}
		addresses, stop := e.addresses(ctx, e.family(), name)
		if stop != nil || e.near(t, addresses) {
			return stop == nil, stop
		}
	}
	return false, nil
}

func (e *evaluation) matchExists(ctx context.Context, target string) (bool, *halt) {
	addresses, stop := e.addresses(ctx, "ip4", target)
	if stop == nil && len(addresses) == 0 {
		stop = e.void(ctx)
	}
	return len(addresses) > 0, stop
}
