package bridge

import (
	"net/netip"
	"strings"
	"testing"

	"mxhook/inbound"
	"mxhook/inbound/message"
	"mxhook/verify"
	"mxhook/verify/why"
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

func TestFromVerifiedIsOfTheAuthorWhoIsShown(t *testing.T) {
	for name, c := range map[string]struct {
		from []message.Address
		want bool
	}{
		"the same":               {[]message.Address{{Address: "ann@Sender.Example."}}, true},
		"the same, in U-labels":  {[]message.Address{{Address: "ann@b\u00fccher.example"}}, false},
		"another domain":         {[]message.Address{{Address: "ann@bank.example"}}, false},
		"nobody":                 {nil, false},
		"no domain":              {[]message.Address{{Address: "ann"}}, false},
		"one more":               {[]message.Address{{Address: "ann@sender.example"}, {Address: "bob@sender.example"}}, false},
		"an @ in the local part": {[]message.Address{{Address: "\"ann@bank.example\"@sender.example"}}, true},
	} {
		r := &verify.Results{FromVerified: true, FromVerifiedBy: "dkim", DMARC: verify.DMARC{Domain: "sender.example"}}
		notes, told := why.New(), strings.Builder{}
		doubt(why.With(t.Context(), notes), r, &message.Message{From: c.from})
		if _, err := notes.Print(&told, 80); err != nil || strings.Contains(told.String(), "From verified") == c.want {
			t.Errorf("%s: the reasoning is %q, %v", name, told.String(), err)
		}
		if r.FromVerified != c.want || (r.FromVerifiedBy == "") == c.want || !c.want && r.FromVerifiedReason == "" {
			t.Errorf("%s: %+v", name, r)
		}
	}
	r := &verify.Results{FromVerifiedReason: "as it was"}
	if doubt(t.Context(), r, &message.Message{}); r.FromVerifiedReason != "as it was" {
		t.Error(r.FromVerifiedReason)
	}
}
