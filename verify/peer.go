package verify

import (
	"context"
	"net/netip"

	"mxhook/verify/dns"
	"mxhook/verify/spf"
)

// EvaluateSPF evaluates the identity of the envelope, before there is a message: the
// reverse-path's domain, or HELO for the null reverse-path (RFC 7208 2.4). What can't be
// learned within Config.Timeout is temperror.
func (v *Verifier) EvaluateSPF(ctx context.Context, m Message) spf.Evaluation {
	ctx, cancel := context.WithTimeout(ctx, v.config.Timeout)
	defer cancel()
	r := &run{Verifier: v, message: m, parent: ctx, contexts: open(ctx), resolver: v.config.Resolver, now: v.config.Now()}
	r.guard("spf", func() { r.evaluateSPF(r.inSPF) }, func() { r.spf = failed(r.spf) })
	return r.spf
}

// HasNullMX tells whether a domain says by its only MX record that it takes no mail
// (RFC 7505 3). What can't be learned within Config.Timeout is no.
func (v *Verifier) HasNullMX(ctx context.Context, domain string) bool {
	name, ok := dns.Domain(domain)
	if !ok {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, v.config.Timeout)
	defer cancel()
	mx, err := v.config.Resolver.LookupMX(ctx, name)
	return err == nil && len(mx) == 1 && mx[0].Host == "."
}

// LacksPTR tells whether an address has no name: its iprev is permerror (RFC 8601
// 2.7.3). What can't be learned within Config.Timeout is no, and so are names that
// don't lead back.
func (v *Verifier) LacksPTR(ctx context.Context, ip netip.Addr) bool {
	ctx, cancel := context.WithTimeout(ctx, v.config.Timeout)
	defer cancel()
	names, err := v.config.Resolver.LookupAddr(ctx, ip.Unmap().WithZone("").String())
	return dns.IsNotFound(err) || err == nil && len(names) == 0
}
