// Package iprev checks that a client's address has a name that leads back to the
// address (RFC 8601 3), and whether the name that it gave in EHLO does.
package iprev

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"mxhook/verify/authres"
	"mxhook/verify/dns"
	"mxhook/verify/why"
)

// MaxNames is how many of an address's names are followed.
const MaxNames = 5

// Evaluation is the result of one check. Name is lower case without its final dot, and
// Reason a sentence for people without text of the client but names.
type Evaluation struct {
	Result authres.Result
	Name   string
	Reason string
}

// Check asks for the names of an address and for their addresses. The name is, for
// pass, the first one that leads back, else "". Without a name the result is permerror,
// with names that lead elsewhere it is fail (RFC 8601 2.7.3), while a question is open
// it is temperror.
func Check(ctx context.Context, r dns.Resolver, ip netip.Addr) Evaluation {
	ip = ip.Unmap().WithZone("")
	if !ip.IsValid() {
		return Evaluation{Result: authres.None, Reason: "the client's address is not known"}
	}
	names, err := r.LookupAddr(ctx, ip.String())
	switch {
	case dns.IsTemporary(err):
		why.Say(ctx, "the name server of %s's reverse zone does not answer: temperror (RFC 8601 2.7.3); a later try may be answered", ip)
		return Evaluation{Result: authres.TempError, Reason: "no answer to the question for the address's names"}
	case err != nil || len(names) == 0:
		why.Say(ctx, "%s has no PTR record: permerror (RFC 8601 2.7.3). Whoever the network of the client belongs to, usually its provider, publishes one", ip)
		return Evaluation{Result: authres.PermError, Reason: "the address has no name (PTR)"}
	}
	if len(names) > MaxNames {
		why.Say(ctx, "%s has %d names: the first %d are followed", ip, len(names), MaxNames)
	}
	open := ""
	for _, name := range names[:min(len(names), MaxNames)] {
		name, ok := hostname(name)
		if !ok {
			why.Say(ctx, "a PTR record that is no host name is passed over")
			continue
		}
		switch contains, err := leadsTo(ctx, r, name, ip); {
		case contains:
			why.Say(ctx, "%s leads back to %s: pass", name, ip)
			return Evaluation{Result: authres.Pass, Name: name, Reason: "the address's name leads back to it"}
		case dns.IsTemporary(err):
			open = name
			why.Say(ctx, "whether %s leads back is open: its name server does not answer", name)
		default:
			why.Say(ctx, "%s does not lead back to %s", name, ip)
		}
	}
	if open != "" {
		return Evaluation{Result: authres.TempError, Reason: "no answer to the question for the addresses of " + open}
	}
	why.Say(ctx, "no name of %s leads back to it: fail (RFC 8601 2.7.3). The name's A or AAAA records, or the address's PTR record, want mending by the client's operator", ip)
	return Evaluation{Result: authres.Fail, Reason: "no name of the address leads back to it"}
}

// leadsTo reports whether ip is one of the name's addresses.
func leadsTo(ctx context.Context, r dns.Resolver, name string, ip netip.Addr) (bool, error) {
	network := "ip6"
	if ip.Is4() {
		network = "ip4"
	}
	ips, err := dns.LookupNetIP(ctx, r, network, name)
	return slices.Contains(ips, ip), err
}

// CheckName tells whether the name that a client gave in EHLO leads to its address, or
// the address literal is it: pass, else fail; none for what is neither, temperror while
// the question is open. It asks one question. RFC 5321 4.1.4 forbids to refuse for it.
func CheckName(ctx context.Context, r dns.Resolver, ip netip.Addr, helo string) Evaluation {
	ip = ip.Unmap().WithZone("")
	switch {
	case !ip.IsValid():
		return Evaluation{Result: authres.None, Reason: "the client's address is not known"}
	case helo == "":
		return Evaluation{Result: authres.None, Reason: "the client gave no name"}
	case strings.HasPrefix(helo, "["):
		return literal(ctx, helo, ip)
	}
	name, ok := hostname(helo)
	e := Evaluation{Result: authres.None}
	if ok {
		e.Name = name
	}
	_, err := netip.ParseAddr(helo)
	switch {
	case err == nil:
		e.Name, e.Reason = "", "an address without brackets is no name"
	case !ok:
		e.Reason = "what the client gave is no fully qualified name"
	}
	if e.Reason != "" {
		why.Say(ctx, "%s: none. RFC 5321 2.3.5 wants a name with its domain or an address literal; the client's operator sets it", e.Reason)
		return e
	}
	switch contains, err := leadsTo(ctx, r, name, ip); {
	case contains:
		e.Result, e.Reason = authres.Pass, "the name leads to the client's address"
	case dns.IsTemporary(err):
		e.Result, e.Reason = authres.TempError, "no answer to the question for the name's addresses"
	case err != nil:
		e.Result, e.Reason = authres.Fail, "the name has no address of the client's family"
	default:
		e.Result, e.Reason = authres.Fail, "the name leads to other addresses"
	}
	why.Say(ctx, "%s, client %s: %s: %s", name, ip, e.Reason, e.Result)
	return e
}

// literal compares an address literal (RFC 5321 4.1.3).
func literal(ctx context.Context, helo string, ip netip.Addr) Evaluation {
	e := Evaluation{Result: authres.None, Reason: "the address literal is malformed"}
	if inner, ok := strings.CutSuffix(helo[1:], "]"); ok {
		family := netip.Addr.Is4
		if six := "IPv6:"; len(inner) > len(six) && strings.EqualFold(inner[:len(six)], six) {
			inner, family = inner[len(six):], netip.Addr.Is6
		}
		if addr, err := netip.ParseAddr(inner); err == nil && family(addr) && addr.Zone() == "" {
			e.Result, e.Reason = authres.Fail, fmt.Sprintf("the address literal is not the client's address %s", ip)
			if addr.Unmap() == ip {
				e.Result, e.Reason = authres.Pass, "the address literal is the client's address"
			}
		}
	}
	why.Say(ctx, "%s: %s", e.Reason, e.Result)
	return e
}

// hostname gives the canonical form of a name that may be shown as that of a host: it
// goes to logs and header fields.
func hostname(name string) (string, bool) {
	name, ok := dns.Domain(name)
	ok = ok && strings.Contains(name, ".") && strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-_.") == ""
	return name, ok
}
