package config

import (
	"net/netip"
	"slices"
)

// networks returns a list of networks: prefixes, or addresses that stand for
// themselves alone.
func (d *decoder) networks(s *section, name string) []netip.Prefix {
	var all []netip.Prefix
	for _, e := range s.texts(name) {
		if !e.ok {
			continue
		}
		p, err := netip.ParsePrefix(e.text)
		if err != nil {
			var a netip.Addr
			if a, err = netip.ParseAddr(e.text); err == nil {
				p = netip.PrefixFrom(a, a.BitLen())
			}
		}
		what := s.key(name)
		switch {
		case err != nil || p.Addr().Zone() != "":
			d.fault(e.place, "%s %s must be a network such as 10.0.0.0/8 or an IP address", what, quote(e.raw))
		case p.Addr().Is4In6():
			d.fault(e.place, "%s %s: write IPv4 networks as such, 10.0.0.0/8", what, quote(e.raw))
		case p != p.Masked():
			d.fault(e.place, "%s %s has more bits than its length says; write %s, or the address alone", what, quote(e.raw), p.Masked())
		case slices.Contains(all, p):
			d.warn(e.place, "%s %s stands twice", what, quote(e.raw))
		default:
			all = append(all, p)
		}
	}
	return all
}
