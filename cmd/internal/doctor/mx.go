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
	aside      bool // a finding of its own tells of it; of a policy it is not asked
}

func (e exchanger) String() string { return fmt.Sprintf("%d %s", e.preference, e.host) }

func setAside(hosts []exchanger) []exchanger {
	for i := range hosts {
		hosts[i].aside = true
	}
	return hosts
}

// mx checks the MX records of a domain and returns the hosts that a policy has to name:
// without those that an error wants removed, and all aside after one, for then it does
// not matter yet what a policy that is published says.
func (d *doctor) mx(ctx context.Context, f *findings, name string) []exchanger {
	const why = "senders find the server of a domain by its MX record"
	fix := "publish: " + d.mxRecord(name, 10)
	if !d.fullName() {
		fix = nameFirst
	}
	records, err := d.Resolver.LookupMX(ctx, name)
	switch {
	case dns.IsNoDomain(err):
		f.add(Error, "mx", "there is no such domain (NXDOMAIN)", why, "register "+name+", then "+fix)
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
			f.add(Error, "mx", "a null MX record (RFC 7505) says that the domain takes no mail", "senders bounce mail for it at once", "remove it, then "+fix)
			return nil
		}
		if _, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
			f.add(Error, "mx", fmt.Sprintf("an MX record names the address %s", host), "an MX record names a host (RFC 5321 5.1), and senders look that name up in vain",
				d.inPlace(name, []exchanger{{host: host, preference: r.Pref}}))
			return nil
		}
		hosts = append(hosts, exchanger{host: host, preference: r.Pref})
	}
	return d.judge(ctx, f, name, hosts, why)
}

// judge tells whether mail comes to us. It returns what mx does.
func (d *doctor) judge(ctx context.Context, f *findings, name string, hosts []exchanger, why string) []exchanger {
	if !d.public {
		f.add(Info, "mx", list(hosts, exchanger.String), "no listener is of kind mx, so that these hosts must be relays of yours", "")
		return hosts
	}
	best := -1
	for i := range hosts {
		var bad bool
		if hosts[i].ours, bad = d.isOurs(ctx, f, name, hosts[i]); bad {
			return setAside(slices.Delete(hosts, i, i+1))
		}
		if hosts[i].ours && best < 0 {
			best = i
		}
	}
	switch others := slices.DeleteFunc(slices.Clone(hosts), func(e exchanger) bool { return e.ours }); {
	case best < 0:
		f.add(Error, "mx", fmt.Sprintf("mail goes to %s; none of them is %s", list(hosts, exchanger.String), d.Config.Hostname), why, d.inPlace(name, hosts))
		return nil
	case len(others) == 0:
		f.ok("mx", "%s", list(hosts, exchanger.String))
	case others[0].preference < hosts[best].preference:
		f.add(Warning, "mx", fmt.Sprintf("mail goes to %s first, and to %s when that fails", list(others, exchanger.String), hosts[best].String()),
			"the lowest number is tried first; mail that another server takes does not come to mxhook unless that one relays it",
			fmt.Sprintf("give %s the lowest number, or remove the others", d.Config.Hostname))
		for i := range hosts {
			hosts[i].aside = !hosts[i].ours
		}
	default:
		f.add(Info, "mx", fmt.Sprintf("%s; also %s", hosts[best].String(), list(others, exchanger.String)),
			"spammers like to go to the last one; what it takes and can't bring here it bounces to strangers", "")
	}
	return hosts
}

// isOurs tells whether a host of an MX record is this one, by name or by address. It is
// bad after a finding that leaves nothing to judge.
func (d *doctor) isOurs(ctx context.Context, f *findings, name string, e exchanger) (ours, bad bool) {
	host := e.host
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
			"an MX record must not name an alias (RFC 2181 10.3); some servers then don't deliver", d.itself(name, e, ours, plain(alias)))
		return ours, true
	case len(addrs) == 0:
		f.add(Warning, "mx", fmt.Sprintf("an MX record names %s, which has no address", host), "senders try it in vain before, or after, the others", "remove that record, or publish an address")
	}
	return ours, false
}

// inPlace says which record replaces others. Where the hostname is none for a record, one
// of theirs may be what it should be.
func (d *doctor) inPlace(name string, wrong []exchanger) string {
	if !d.fullName() {
		return fmt.Sprintf("set hostname: %s in the configuration if that is this machine, then run doctor again", wrong[0].host)
	}
	var lines []string
	for _, e := range wrong[:min(len(wrong), maxHosts)] {
		lines = append(lines, fmt.Sprintf("%s. IN MX %s.", name, e))
	}
	return "publish: " + d.mxRecord(name, 10) + "\nand remove: " + strings.Join(lines, "\n            ")
}

// itself is the record of a host in place of its alias.
func (d *doctor) itself(name string, e exchanger, ours bool, target string) string {
	record := fmt.Sprintf("%s. 3600 IN MX %d %s.", name, e.preference, target)
	if ours {
		if !d.fullName() {
			return nameFirst
		}
		record = d.mxRecord(name, e.preference)
	}
	return fmt.Sprintf("name the host itself: %s\nand remove: %s. IN MX %s.", record, name, e)
}
