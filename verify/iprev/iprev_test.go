package iprev_test

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"mxhook/verify/authres"
	"mxhook/verify/dns"
	"mxhook/verify/iprev"
)

func TestCheck(t *testing.T) {
	var many strings.Builder
	for i := range 50 {
		fmt.Fprintf(&many, "9.2.0.192.in-addr.arpa PTR n%d.example.\n", i)
	}
	many.WriteString("n49.example A 192.0.2.9\n")
	z, err := dns.ParseZone(many.String() + `
1.2.0.192.in-addr.arpa PTR Mail.Example.
mail.example A 192.0.2.1
2.2.0.192.in-addr.arpa PTR other.example.
other.example A 192.0.2.99
3.2.0.192.in-addr.arpa PTR gone.example.
4.2.0.192.in-addr.arpa PTR elsewhere.example.
4.2.0.192.in-addr.arpa PTR four.example.
four.example A 192.0.2.4
5.2.0.192.in-addr.arpa PTR dead.example.
7.2.0.192.in-addr.arpa PTR evil\010name.example.
8.2.0.192.in-addr.arpa PTR localhost.
localhost A 192.0.2.8
1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa PTR six.example.
six.example AAAA 2001:db8::1
`)
	if err != nil {
		t.Fatal(err)
	}
	z.ServFail("dead.example")
	z.Timeout("6.2.0.192.in-addr.arpa")
	for _, c := range []struct {
		rule, ip, name string
		want           authres.Result
	}{
		{"there and back", "192.0.2.1", "mail.example", authres.Pass},
		{"IPv4-mapped", "::ffff:192.0.2.1", "mail.example", authres.Pass},
		{"IPv6", "2001:db8::1", "six.example", authres.Pass},
		{"back to another address", "192.0.2.2", "", authres.Fail},
		{"a name without addresses", "192.0.2.3", "", authres.Fail},
		{"the second of two names", "192.0.2.4", "four.example", authres.Pass},
		{"no name", "192.0.2.200", "", authres.PermError},
		{"the way back is open", "192.0.2.5", "", authres.TempError},
		{"the way there is open", "192.0.2.6", "", authres.TempError},
		{"a name that is none", "192.0.2.7", "", authres.Fail},
		{"a single label", "192.0.2.8", "", authres.Fail},
		{"no more than five names are followed", "192.0.2.9", "", authres.Fail},
	} {
		result, name := iprev.Check(context.Background(), z, netip.MustParseAddr(c.ip))
		if result != c.want || name != c.name {
			t.Errorf("%s: %s %q, want %s %q", c.rule, result, name, c.want, c.name)
		}
	}
	if result, _ := iprev.Check(context.Background(), z, netip.Addr{}); result != authres.None {
		t.Errorf("no address: %s", result)
	}
}
