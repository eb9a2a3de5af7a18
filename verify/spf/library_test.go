package spf_test

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"testing"

	library "blitiri.com.ar/go/spf"

	"mxhook/verify/authres"
	"mxhook/verify/dns"
	"mxhook/verify/spf"
)

// oneFamily answers for the addresses of one family, as RFC 7208 5 wants; the library asks
// for both.
type oneFamily struct {
	*dns.Zone
	network string
}

func (r oneFamily) LookupIPAddr(ctx context.Context, name string) (list []net.IPAddr, err error) {
	addresses, err := dns.LookupNetIP(ctx, r.Zone, r.network, name)
	for _, a := range addresses {
		list = append(list, net.IPAddr{IP: a.AsSlice()})
	}
	return list, err
}

// TestAgreementWithTheLibrary compares results with blitiri.com.ar/go/spf, which fetches
// no explanations and reads a record only as far as it evaluates it: malformed records are
// left out, and IPv6 clients beside "exists", which asks for IPv4.
func TestAgreementWithTheLibrary(t *testing.T) {
	if raceDetector {
		t.Skip("one goroutine that calculates for long; it runs without the race detector")
	}
	var scenarios []scenario
	var opinions []opinion
	for _, s := range randomScenarios(5, 3000, false) {
		if !s.grammatical() {
			continue
		}
		z := s.zone.zone(t)
		var cases []trial
		for _, c := range s.cases {
			ip, network := netip.MustParseAddr(c.IP).Unmap(), "ip4"
			if ip.Is6() {
				network = "ip6"
				if s.mentions("exists") {
					continue
				}
			}
			cases = append(cases, c)
			result, err := library.CheckHostWithSender(net.IP(ip.AsSlice()), c.HELO, c.Local+"@"+c.Domain,
				library.WithContext(context.Background()), library.WithResolver(oneFamily{z, network}))
			opinions = append(opinions, opinion{
				Result: string(result), Note: fmt.Sprint(err),
				Explanation: spf.Check(context.Background(), z, c.client(t), c.Local, c.Domain).Explanation,
			})
		}
		s.cases = cases
		scenarios = append(scenarios, s)
	}
	compare(t, scenarios, opinions, libraryDifferences)
}

var libraryDifferences = []difference{
	{"it matches IPv4 clients with IPv4-mapped ranges of ip6 (RFC 7208 5)",
		func(s scenario, _ trial, e spf.Evaluation, o opinion) bool {
			return s.mentions("ip6:::ffff:") && o.Note == "matched ip"
		}},
	{"%{p} is always \"unknown\" there", func(s scenario, _ trial, e spf.Evaluation, o opinion) bool { return s.mentions("%{p") }},
	{"a client without names is one void look-up there, however many \"ptr\" there are",
		func(s scenario, _ trial, e spf.Evaluation, o opinion) bool {
			return e.Reason == "more than 2 look-ups without an answer" && s.mentions("ptr")
		}},
	asksAll,
	{"it passes over a name server that doesn't answer about the client's names (RFC 7208 5.5); here nothing but pass rests on that",
		func(s scenario, _ trial, e spf.Evaluation, o opinion) bool {
			return e.Result == authres.TempError && (s.mentions("ptr") || s.mentions("%{p"))
		}},
}
