package doctor

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"mxhook/verify/dns"
)

// domain checks what a served domain publishes.
func (d *doctor) domain(ctx context.Context, f *findings, name string) {
	hosts := d.mx(ctx, f, name)
	d.mtaSTS(ctx, f, name, hosts)
	d.tlsRPT(ctx, f, name)
}

// exchanger is a host of an MX record.
type exchanger struct {
	host       string // without a final dot
	preference uint16
	ours       bool
}

// mx checks the MX records of a domain and returns the hosts that a policy has to name:
// none after an error, for then it does not matter yet.
func (d *doctor) mx(ctx context.Context, f *findings, name string) []exchanger {
	const why = "senders find the server of a domain by its MX record"
	fix := fmt.Sprintf("publish: %s. 3600 IN MX 10 %s.", name, d.Config.Hostname)
	records, err := d.Resolver.LookupMX(ctx, name)
	switch {
	case dns.IsNoDomain(err):
		f.add(Error, "mx", "there is no such domain (NXDOMAIN)", why, "register "+name+", and "+fix)
		return nil
	case dns.IsNotFound(err):
		f.add(Error, "mx", "there is no MX record", why+"; without one they try the domain's own address", fix)
		return nil
	case err != nil:
		f.unknown("mx", err, why)
		return nil
	}
	var hosts []exchanger
	for _, r := range records {
		host := plain(r.Host)
		if host == "." || host == "" {
			f.add(Error, "mx", "a null MX record (RFC 7505) says that the domain takes no mail", "senders bounce mail for it at once", "remove it, and "+fix)
			return nil
		}
		if _, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
			f.add(Error, "mx", fmt.Sprintf("an MX record names the address %s", host), "an MX record names a host (RFC 5321 5.1), and senders look that name up in vain", fix)
			return nil
		}
		hosts = append(hosts, exchanger{host: host, preference: r.Pref})
	}
	return d.judge(ctx, f, hosts, why, fix)
}

// judge tells whether mail comes to us. It returns what mx does.
func (d *doctor) judge(ctx context.Context, f *findings, hosts []exchanger, why, fix string) []exchanger {
	show := func(e exchanger) string { return fmt.Sprintf("%d %s", e.preference, e.host) }
	if !d.public {
		f.add(Info, "mx", list(hosts, show), "no listener is of kind mx, so that these hosts must be relays of yours", "")
		return hosts
	}
	best := -1
	for i := range hosts {
		var bad bool
		if hosts[i].ours, bad = d.isOurs(ctx, f, hosts[i].host); bad {
			return nil
		}
		if hosts[i].ours && best < 0 {
			best = i
		}
	}
	switch others := slices.DeleteFunc(slices.Clone(hosts), func(e exchanger) bool { return e.ours }); {
	case best < 0:
		f.add(Error, "mx", fmt.Sprintf("mail goes to %s; none of them is %s", list(hosts, show), d.Config.Hostname), why, fix)
		return nil
	case len(others) == 0:
		f.ok("mx", "%s", list(hosts, show))
	case others[0].preference < hosts[best].preference:
		f.add(Warning, "mx", fmt.Sprintf("mail goes to %s first, and to %s when that fails", list(others, show), show(hosts[best])),
			"the lowest number is tried first; mail that another server takes does not come to mxhook unless that one relays it",
			fmt.Sprintf("give %s the lowest number, or remove the others", d.Config.Hostname))
		return slices.DeleteFunc(hosts, func(e exchanger) bool { return !e.ours })
	default:
		f.add(Info, "mx", fmt.Sprintf("%s; also %s", show(hosts[best]), list(others, show)),
			"spammers like to go to the last one; what it takes and can't bring here it bounces to strangers", "")
	}
	return hosts
}

// isOurs tells whether a host of an MX record is this one, by name or by address. It is
// bad after a finding that leaves nothing to judge.
func (d *doctor) isOurs(ctx context.Context, f *findings, host string) (ours, bad bool) {
	if host == d.Config.Hostname {
		return true, false
	}
	four, six, alias, aliasErr := d.addressesOf(ctx, host)
	for _, a := range []answer{four, six} {
		if a.err != nil && !dns.IsNotFound(a.err) {
			f.unknown("mx", a.err, "the host stands in an MX record")
			return false, true
		}
	}
	addrs := slices.Concat(four.addrs, six.addrs)
	ours = slices.ContainsFunc(addrs, func(a netip.Addr) bool { return slices.Contains(d.addresses, a) })
	switch {
	case aliasErr == nil:
		f.add(Error, "mx", fmt.Sprintf("an MX record names %s, which is an alias (CNAME) of %s", host, alias),
			"an MX record must not name an alias (RFC 2181 10.3); some servers then don't deliver", fmt.Sprintf("name the host itself: IN MX 10 %s.", d.Config.Hostname))
		return ours, true
	case len(addrs) == 0:
		f.add(Warning, "mx", fmt.Sprintf("an MX record names %s, which has no address", host), "senders try it in vain before, or after, the others", "remove that record, or publish an address")
	}
	return ours, false
}
