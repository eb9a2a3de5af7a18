package config

import (
	"net/netip"
	"slices"
	"strings"

	"mxhook/verify/dns"
)

// domains returns a list of domain names in lower-case A-labels.
func (d *decoder) domains(s *section, name string) []string {
	var all []string
	what := s.key(name)
	for _, e := range s.texts(name) {
		if !e.ok {
			continue
		}
		domain, ok := dns.Domain(e.text)
		_, err := netip.ParseAddr(domain)
		switch {
		case !ok || err == nil || !strings.Contains(domain, ".") || strings.Trim(domain, "abcdefghijklmnopqrstuvwxyz0123456789-_.") != "":
			d.fault(e.place, "%s %s must be a domain such as lists.example.org", what, quote(e.raw))
		case slices.Contains(all, domain):
			d.warn(e.place, "%s %s stands twice", what, quote(e.raw))
		default:
			all = append(all, domain)
		}
	}
	return all
}
