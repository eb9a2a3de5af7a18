package bridge

import (
	"net/netip"
	"testing"

	"mxhook/inbound"
)

// TestWhoIsARelayOfOurs tells where no SPF and iprev verdict is invented.
func TestWhoIsARelayOfOurs(t *testing.T) {
	x := &examiner{relays: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("2001:db8::7/128")}}
	for _, c := range []struct {
		peer, protocol string
		want           bool
	}{
		{"198.51.100.1", "ESMTP", false},
		{"192.0.2.77", "ESMTPS", true},
		{"2001:db8::7", "SMTP", true},
		{"2001:db8::8", "SMTP", false},
		{"198.51.100.1", "LMTP", true},
		{"", "UTF8LMTPS", true},
		{"", "ESMTP", false},
	} {
		var s inbound.Session
		if c.peer != "" {
			s.RemoteIP = netip.MustParseAddr(c.peer)
		}
		if got := x.relayed(s, inbound.Mail{Protocol: c.protocol}); got != c.want {
			t.Errorf("%q with %s: got %v", c.peer, c.protocol, got)
		}
	}
}
