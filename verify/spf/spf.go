// Package spf evaluates the Sender Policy Framework (RFC 7208) for one identity at a
// time, the reverse-path's domain or the name of HELO.
//
// The mechanisms are evaluated by blitiri.com.ar/go/spf, with the limits of RFC 7208
// 4.6.4 (10 terms that ask, 2 void look-ups). This package gives it a sender that it
// can't misread, records whose syntax has been checked as a whole, and a resolver
// whose every uncertainty is temporary: an unanswered question is temperror, never
// fail. The explanation (exp=) is not fetched: it would be text of the sender.
//
// All functions are safe for concurrent use.
package spf

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"

	libspf "blitiri.com.ar/go/spf"

	"mxhook/verify/authres"
	"mxhook/verify/dns"
)

// MaxQuestions is how many DNS questions one evaluation may ask. The limits of RFC
// 7208 alone would allow more than a hundred.
const MaxQuestions = 30

// Evaluation is the result for one identity.
type Evaluation struct {
	Result authres.Result
	Domain string // that was asked, lower case A-labels; "" if it is none
	Reason string // for people; holds no text of the sender
	// Mechanism is what decided, as the field Received-SPF names it (RFC 7208 9.1):
	// "all", "ip4", "default"; "" where nothing did.
	Mechanism string
}

// Check evaluates the policy of domain for a client at ip that says mail is from
// local@domain (RFC 7208 4). The local part is without its quotes; an empty one is
// postmaster. helo is what the client said, for macros. The result is none for what
// is no domain name of at least two labels (4.3). The context's deadline yields
// temperror.
func Check(ctx context.Context, r dns.Resolver, ip netip.Addr, helo, local, domain string) Evaluation {
	name, ok := dns.Domain(domain)
	if !ok || !strings.Contains(name, ".") || literal(name) {
		return Evaluation{Result: authres.None, Reason: "no domain that could have a policy"}
	}
	ip = ip.Unmap().WithZone("")
	if !ip.IsValid() {
		return Evaluation{Result: authres.None, Domain: name, Reason: "the client has no address"}
	}
	asked := &resolver{Resolver: dns.WithBudget(r, MaxQuestions), ip: ip}
	result, err := libspf.CheckHostWithSender(net.IP(ip.AsSlice()), macroName(helo), sender(local, name),
		libspf.WithContext(ctx), libspf.WithResolver(asked))
	e := Evaluation{Result: authres.Result(result), Domain: name}
	e.Reason, e.Mechanism = reason(result, err)
	switch {
	case ctx.Err() != nil:
		// Whatever was concluded rests on questions that were not answered.
		e.Result, e.Reason, e.Mechanism = authres.TempError, "the time was up", ""
	case asked.over:
		e.Result, e.Reason, e.Mechanism = authres.TempError, "more questions than one evaluation may ask", ""
	case asked.syntax != "" && e.Result == authres.PermError:
		e.Reason = asked.syntax
	}
	return e
}

// CheckHELO evaluates the HELO identity (RFC 7208 2.3).
func CheckHELO(ctx context.Context, r dns.Resolver, ip netip.Addr, helo string) Evaluation {
	return Check(ctx, r, ip, helo, "", helo)
}

// literal reports whether a name is an address: such a top level can't exist.
func literal(name string) bool {
	if strings.ContainsAny(name, "[]:") {
		return true
	}
	top := name[strings.LastIndexByte(name, '.')+1:]
	return strings.Trim(top, "0123456789") == ""
}

// sender gives an address that the library splits where we do: it takes the first
// "@" for the last. A quoted local part with an "@" is evaluated with "=" in its place,
// which only a policy with macros of the local part can notice.
func sender(local, domain string) string {
	if local == "" {
		local = "postmaster"
	}
	return strings.ReplaceAll(local, "@", "=") + "@" + domain
}

// macroName is HELO as a macro may use it; what is no name is replaced.
func macroName(helo string) string {
	if name, ok := dns.Domain(helo); ok {
		return name
	}
	return "unknown"
}

// reason tells the result in our words, and the mechanism.
func reason(result libspf.Result, err error) (reason, mechanism string) {
	for _, m := range []struct {
		err       error
		mechanism string
	}{
		{libspf.ErrMatchedAll, "all"}, {libspf.ErrMatchedA, "a"}, {libspf.ErrMatchedMX, "mx"},
		{libspf.ErrMatchedPTR, "ptr"}, {libspf.ErrMatchedExists, "exists"},
	} {
		if errors.Is(err, m.err) {
			return "matched " + m.mechanism, m.mechanism
		}
	}
	switch {
	case errors.Is(err, libspf.ErrMatchedIP):
		return "matched an address range", "ip4"
	case errors.Is(err, libspf.ErrNoResult):
		return "no policy is published", ""
	case errors.Is(err, libspf.ErrLookupLimitReached):
		return "more than 10 look-ups", ""
	case errors.Is(err, libspf.ErrVoidLookupLimitReached):
		return "more than 2 look-ups without an answer", ""
	case errors.Is(err, libspf.ErrTooManyMXRecords):
		return "more than 10 mail exchangers", ""
	case errors.Is(err, libspf.ErrMultipleRecords):
		return "more than one policy is published", ""
	case result == libspf.TempError:
		return "a name server does not answer", ""
	case result == libspf.PermError:
		return "the policy is malformed", ""
	}
	return "nothing matched", "default"
}

// resolver is what the library asks.
type resolver struct {
	dns.Resolver
	ip     netip.Addr
	syntax string // why a record is malformed
	over   bool   // the budget was not enough
}

func (r *resolver) note(err error) error {
	r.over = r.over || dns.IsOverBudget(err)
	return err
}

// LookupTXT gives the library only what it may evaluate. A malformed record is an
// error that it takes for permanent.
func (r *resolver) LookupTXT(ctx context.Context, name string) ([]string, error) {
	texts, err := r.Resolver.LookupTXT(ctx, name)
	if err != nil {
		return nil, r.note(err)
	}
	policies := texts[:0:0]
	for _, text := range texts {
		version, _, _ := strings.Cut(text, " ")
		if strings.EqualFold(version, "v=spf1") {
			policies = append(policies, text)
		}
	}
	if len(policies) == 1 {
		if problem := syntax(policies[0]); problem != "" {
			r.syntax = problem
			return nil, &net.DNSError{Err: problem, Name: name}
		}
		policies[0] = hideSlashes(policies[0])
	}
	return policies, nil
}

func (r *resolver) LookupMX(ctx context.Context, name string) ([]*net.MX, error) {
	mxs, err := r.Resolver.LookupMX(ctx, showSlashes(name))
	return mxs, r.note(err)
}

func (r *resolver) LookupAddr(ctx context.Context, addr string) ([]string, error) {
	names, err := r.Resolver.LookupAddr(ctx, addr)
	return names, r.note(err)
}

// LookupIPAddr asks an IPv4 client's questions for IPv4 alone (RFC 7208 5): a server
// that fails on AAAA doesn't harm them. An IPv6 client's need both, since "exists"
// asks for IPv4 always.
func (r *resolver) LookupIPAddr(ctx context.Context, name string) ([]net.IPAddr, error) {
	name = showSlashes(name)
	if !r.ip.Is4() {
		addrs, err := r.Resolver.LookupIPAddr(ctx, name)
		return addrs, r.note(err)
	}
	ips, err := dns.LookupNetIP(ctx, r.Resolver, "ip4", name)
	if err != nil {
		return nil, r.note(err)
	}
	addrs := make([]net.IPAddr, 0, len(ips))
	for _, ip := range ips {
		addrs = append(addrs, net.IPAddr{IP: ip.AsSlice()})
	}
	return addrs, nil
}
