// Package iprev checks that a client's address has a name that leads back to the
// address (RFC 8601 3).
package iprev

import (
	"context"
	"net/netip"
	"slices"
	"strings"

	"mxhook/verify/authres"
	"mxhook/verify/dns"
)

// MaxNames is how many of an address's names are followed.
const MaxNames = 5

// Check gives the result and the name, lower case without its final dot: for pass the
// first one that leads back, else "". Without a name the result is permerror, with
// names that lead elsewhere it is fail (RFC 8601 2.7.3), while a question is open it
// is temperror.
func Check(ctx context.Context, r dns.Resolver, ip netip.Addr) (authres.Result, string) {
	ip = ip.Unmap().WithZone("")
	if !ip.IsValid() {
		return authres.None, ""
	}
	names, err := r.LookupAddr(ctx, ip.String())
	switch {
	case dns.IsTemporary(err):
		return authres.TempError, ""
	case err != nil || len(names) == 0:
		return authres.PermError, ""
	}
	network := "ip6"
	if ip.Is4() {
		network = "ip4"
	}
	result := authres.Fail
	for _, name := range names[:min(len(names), MaxNames)] {
		name, ok := dns.Domain(name)
		if !ok || !hostname(name) {
			continue
		}
		ips, err := dns.LookupNetIP(ctx, r, network, name)
		if slices.Contains(ips, ip) {
			return authres.Pass, name
		}
		if dns.IsTemporary(err) {
			result = authres.TempError
		}
	}
	return result, ""
}

// hostname reports whether a PTR record's target may be shown as the name of a host:
// it goes to logs and header fields.
func hostname(name string) bool {
	return strings.Contains(name, ".") && strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-_.") == ""
}
