package doctor

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"mxhook/cmd/internal/config"
	"mxhook/verify/dns"
)

// host checks the names and addresses of the hostname, which MX records name.
func (d *doctor) host(ctx context.Context, f *findings) {
	if !d.public {
		return // a relay of the operator's stands in front, and its name is asked for
	}
	name := d.Config.Hostname
	if !d.fullName() {
		f.add(Error, "address", fmt.Sprintf("hostname %s is no fully qualified domain name", name),
			"MX records, certificates and other servers need a name that the whole DNS knows", nameFirst)
		return
	}
	four, six, alias, aliasErr := d.addressesOf(ctx, name)
	if aliasErr == nil {
		f.add(Error, "alias", fmt.Sprintf("%s is an alias (CNAME) of %s", name, alias),
			"an MX record must not name an alias (RFC 2181 10.3); some servers then don't deliver, and DANE looks at the other name",
			"remove the CNAME record and publish the addresses themselves:\n"+addressRecords(name, slices.Concat(four.addrs, six.addrs)))
	} else if !dns.IsNotFound(aliasErr) {
		f.unknown("alias", aliasErr, "an MX record must not name an alias (RFC 2181 10.3)")
	}
	const why = "senders connect to the addresses of the host that the MX record names"
	for _, a := range []answer{four, six} {
		if a.err != nil && !dns.IsNotFound(a.err) {
			f.unknown("address", a.err, why)
			return
		}
	}
	d.addresses = slices.Concat(four.addrs, six.addrs)
	if len(d.addresses) == 0 {
		f.add(Error, "address", name+" has no address", why,
			fmt.Sprintf("publish the public address of this host: %s. 3600 IN A ADDRESS", name))
		return
	}
	public := d.publicAddresses(f)
	d.ipv6(f, len(six.addrs) > 0)
	for _, a := range public {
		d.ptr(ctx, f, a)
	}
	d.here(f, public)
}

// addressRecords are the records of a host's addresses, a line each.
func addressRecords(name string, addresses []netip.Addr) string {
	var lines []string
	for _, a := range addresses[:min(len(addresses), maxHosts)] {
		kind := "AAAA"
		if a.Is4() {
			kind = "A"
		}
		lines = append(lines, fmt.Sprintf("%s. 3600 IN %s %s", name, kind, a))
	}
	if len(lines) == 0 {
		return name + ". 3600 IN A ADDRESS"
	}
	return strings.Join(lines, "\n")
}

// answer is what DNS says of one family of addresses.
type answer struct {
	addrs []netip.Addr
	err   error
}

// addressesOf asks for everything that can stand at a host's name, at once.
func (d *doctor) addressesOf(ctx context.Context, name string) (four, six answer, alias string, aliasErr error) {
	var asking sync.WaitGroup
	asking.Go(func() { four.addrs, four.err = d.Resolver.LookupNetIP(ctx, "ip4", name) })
	asking.Go(func() { six.addrs, six.err = d.Resolver.LookupNetIP(ctx, "ip6", name) })
	asking.Go(func() { alias, aliasErr = d.Resolver.LookupCNAME(ctx, name) })
	asking.Wait()
	return four, six, alias, aliasErr
}

// publicAddresses tells of the hostname's addresses that the internet can't reach, and
// returns the others.
func (d *doctor) publicAddresses(f *findings) (public []netip.Addr) {
	var bad []string
	for _, a := range d.addresses {
		if why := unreachable(a); why != "" {
			bad = append(bad, fmt.Sprintf("%s is %s", a, why))
		} else {
			public = append(public, a)
		}
	}
	if len(bad) > 0 {
		f.add(Error, "address", list(bad, text), "the internet can't reach such an address, and a sender that tries it waits in vain",
			fmt.Sprintf("publish the public address of this host, or of what forwards port 25 to it, and no other: %s. 3600 IN A ADDRESS", d.Config.Hostname))
	} else {
		f.ok("address", "%s", list(d.addresses, netip.Addr.String))
	}
	return public
}

// ipv6 looks for a listener on IPv6 where an AAAA record promises one.
func (d *doctor) ipv6(f *findings, promised bool) {
	if !promised {
		return
	}
	direct := false
	for _, l := range d.Config.Listeners {
		host, _, err := net.SplitHostPort(l.Address)
		a, parseErr := netip.ParseAddr(host)
		switch {
		case l.Kind != "mx":
		case err != nil, host == "", parseErr != nil, a.Is6() && !a.IsLoopback(), len(l.Proxies) > 0:
			return // it may take IPv6, or what stands in front does
		case !a.IsLoopback():
			direct = true
		}
	}
	if direct {
		f.add(Warning, "ipv6", "an AAAA record is published, but no mx listener is on IPv6",
			"servers that prefer IPv6 fail there first, and not all try IPv4 then",
			"listen at \":25\", which is both families, or remove the AAAA record")
	}
}

// maxNames is how many names of one address are looked at.
const maxNames = 10

// ptr checks the name of an address, and that it leads back (RFC 8601 2.7.3).
func (d *doctor) ptr(ctx context.Context, f *findings, a netip.Addr) {
	const why = "mxhook sends nothing, so no mail is lost; but monitors and block lists take a host without a matching name for a household's"
	fix := fmt.Sprintf("ask whoever gave you the address (the provider's console, \"reverse DNS\") for: %s PTR %s.", a, d.Config.Hostname)
	names, err := d.Resolver.LookupAddr(ctx, a.String())
	switch {
	case dns.IsNotFound(err):
		f.add(Warning, "ptr", fmt.Sprintf("%s has no name (PTR record)", a), why, fix)
		return
	case err != nil:
		f.unknown("ptr", err, why)
		return
	}
	names = names[:min(len(names), maxNames)]
	for _, n := range names {
		back, err := d.Resolver.LookupNetIP(ctx, family(a), n)
		if err == nil && slices.Contains(back, a) {
			if plain(n) == d.Config.Hostname {
				f.ok("ptr", "%s is %s, which leads back", a, plain(n))
			} else {
				f.add(Info, "ptr", fmt.Sprintf("%s is %s, which leads back; the hostname is %s", a, plain(n), d.Config.Hostname), "", "")
			}
			return
		}
		if err != nil && !dns.IsNotFound(err) {
			f.unknown("ptr", err, why)
			return
		}
	}
	f.add(Warning, "ptr", fmt.Sprintf("%s is called %s, which does not lead back to it", a, list(names, plain)), why, fix)
}

func family(a netip.Addr) string {
	if a.Is4() {
		return "ip4"
	}
	return "ip6"
}

// here tells whether this machine has one of the addresses itself.
func (d *doctor) here(f *findings, public []netip.Addr) {
	own, err := net.InterfaceAddrs()
	if err != nil || len(public) == 0 {
		return
	}
	for _, i := range own {
		if n, ok := i.(*net.IPNet); ok {
			if a, ok := netip.AddrFromSlice(n.IP); ok && slices.Contains(public, a.Unmap()) {
				return
			}
		}
	}
	f.add(Info, "interface", fmt.Sprintf("no interface of this machine has %s", list(public, netip.Addr.String)),
		"that is right behind NAT or a load balancer, which must then bring port 25 here", "")
}

// special are the networks that no sender on the internet can reach (RFC 6890).
var special = []struct {
	network netip.Prefix
	what    string
}{
	{netip.MustParsePrefix("0.0.0.0/8"), "no address"},
	{netip.MustParsePrefix("10.0.0.0/8"), "private (RFC 1918)"},
	{netip.MustParsePrefix("100.64.0.0/10"), "a provider's shared address (CGNAT, RFC 6598)"},
	{netip.MustParsePrefix("127.0.0.0/8"), "loopback"},
	{netip.MustParsePrefix("169.254.0.0/16"), "link-local"},
	{netip.MustParsePrefix("172.16.0.0/12"), "private (RFC 1918)"},
	{netip.MustParsePrefix("192.0.0.0/24"), "reserved"},
	{netip.MustParsePrefix("192.0.2.0/24"), "for documentation (RFC 5737)"},
	{netip.MustParsePrefix("192.168.0.0/16"), "private (RFC 1918)"},
	{netip.MustParsePrefix("198.18.0.0/15"), "for benchmarks (RFC 2544)"},
	{netip.MustParsePrefix("198.51.100.0/24"), "for documentation (RFC 5737)"},
	{netip.MustParsePrefix("203.0.113.0/24"), "for documentation (RFC 5737)"},
	{netip.MustParsePrefix("224.0.0.0/4"), "multicast"},
	{netip.MustParsePrefix("240.0.0.0/4"), "reserved"},
	{netip.MustParsePrefix("::/128"), "no address"},
	{netip.MustParsePrefix("::1/128"), "loopback"},
	{netip.MustParsePrefix("::ffff:0:0/96"), "an IPv4 address in an AAAA record"},
	{netip.MustParsePrefix("100::/64"), "discarded (RFC 6666)"},
	{netip.MustParsePrefix("2001:db8::/32"), "for documentation (RFC 3849)"},
	{netip.MustParsePrefix("3fff::/20"), "for documentation (RFC 9637)"},
	{netip.MustParsePrefix("fc00::/7"), "private (ULA, RFC 4193)"},
	{netip.MustParsePrefix("fe80::/10"), "link-local"},
	{netip.MustParsePrefix("ff00::/8"), "multicast"},
}

// unreachable says why the internet can't reach an address, or "".
func unreachable(a netip.Addr) string {
	for _, s := range special {
		if s.network.Contains(a) {
			return s.what
		}
	}
	return ""
}

func text(s string) string { return s }

// plain is a name as people write it.
func plain(name string) string {
	if name == "." {
		return name
	}
	return strings.ToLower(strings.TrimSuffix(name, "."))
}

// mxListeners are those to which strangers' servers come.
func (d *doctor) mxListeners() (all []config.Listener) {
	for _, l := range d.Config.Listeners {
		if l.Kind == "mx" {
			all = append(all, l)
		}
	}
	return all
}
