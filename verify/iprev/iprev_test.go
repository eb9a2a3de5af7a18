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
	"mxhook/verify/why"
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
		e := iprev.Check(context.Background(), z, netip.MustParseAddr(c.ip))
		if e.Result != c.want || e.Name != c.name || e.Reason == "" {
			t.Errorf("%s: %+v, want %s %q", c.rule, e, c.want, c.name)
		}
	}
	if e := iprev.Check(context.Background(), z, netip.Addr{}); e.Result != authres.None || e.Reason == "" {
		t.Errorf("no address: %+v", e)
	}
}

// counter counts the questions.
type counter struct {
	*dns.Zone
	asked int
}

func (c *counter) LookupNetIP(ctx context.Context, network, name string) ([]netip.Addr, error) {
	c.asked++
	return c.Zone.LookupNetIP(ctx, network, name)
}

func TestCheckName(t *testing.T) {
	z, err := dns.ParseZone(`
mail.example A 192.0.2.1
mail.example AAAA 2001:db8::1
many.example A 192.0.2.7
many.example A 192.0.2.1
alias.example CNAME mail.example.
four.example A 192.0.2.1
xn--bcher-kva.example A 192.0.2.1
`)
	if err != nil {
		t.Fatal(err)
	}
	z.ServFail("dead.example")
	for _, c := range []struct {
		rule, ip, helo, name string
		want                 authres.Result
		asked                int
	}{
		{"its address", "192.0.2.1", "Mail.Example.", "mail.example", authres.Pass, 1},
		{"its IPv6 address", "2001:db8::1", "mail.example", "mail.example", authres.Pass, 1},
		{"an IPv4-mapped address", "::ffff:192.0.2.1", "mail.example", "mail.example", authres.Pass, 1},
		{"one of its addresses", "192.0.2.1", "many.example", "many.example", authres.Pass, 1},
		{"an alias", "192.0.2.1", "alias.example", "alias.example", authres.Pass, 1},
		{"a U-label", "192.0.2.1", "bücher.example", "xn--bcher-kva.example", authres.Pass, 1},
		{"another address", "192.0.2.2", "mail.example", "mail.example", authres.Fail, 1},
		{"no address of that family", "2001:db8::1", "four.example", "four.example", authres.Fail, 1},
		{"a name that doesn't exist", "192.0.2.1", "gone.example", "gone.example", authres.Fail, 1},
		{"the question is open", "192.0.2.1", "dead.example", "dead.example", authres.TempError, 1},
		{"a single label", "192.0.2.1", "localhost", "", authres.None, 0},
		{"nothing", "192.0.2.1", "", "", authres.None, 0},
		{"no name at all", "192.0.2.1", "a b\r\nc.example", "", authres.None, 0},
		{"an address without brackets", "192.0.2.1", "192.0.2.1", "", authres.None, 0},
		{"its literal", "192.0.2.1", "[192.0.2.1]", "", authres.Pass, 0},
		{"its IPv6 literal in other words", "2001:db8::1", "[ipv6:2001:DB8:0::1]", "", authres.Pass, 0},
		{"an IPv4-mapped literal", "192.0.2.1", "[IPv6:::ffff:192.0.2.1]", "", authres.Pass, 0},
		{"another literal", "192.0.2.1", "[192.0.2.2]", "", authres.Fail, 0},
		{"an IPv6 literal without its tag", "2001:db8::1", "[2001:db8::1]", "", authres.None, 0},
		{"an IPv4 address with the tag", "192.0.2.1", "[IPv6:192.0.2.1]", "", authres.None, 0},
		{"a zone", "fe80::1", "[IPv6:fe80::1%eth0]", "", authres.None, 0},
		{"half a literal", "192.0.2.1", "[192.0.2.1", "", authres.None, 0},
	} {
		r := &counter{Zone: z}
		e := iprev.CheckName(context.Background(), r, netip.MustParseAddr(c.ip), c.helo)
		if e.Result != c.want || e.Name != c.name || e.Reason == "" || r.asked != c.asked {
			t.Errorf("%s: %+v after %d questions, want %s %q after %d", c.rule, e, r.asked, c.want, c.name, c.asked)
		}
	}
	if e := iprev.CheckName(context.Background(), z, netip.Addr{}, "mail.example"); e.Result != authres.None {
		t.Errorf("no address: %+v", e)
	}
}

func TestEachResultIsReasoned(t *testing.T) {
	z, err := dns.ParseZone("1.2.0.192.in-addr.arpa PTR other.example.\nother.example A 192.0.2.99")
	if err != nil {
		t.Fatal(err)
	}
	notes := why.New()
	ctx := why.With(context.Background(), notes)
	iprev.Check(why.Section(ctx, "iprev"), z, netip.MustParseAddr("192.0.2.1"))
	iprev.Check(why.Section(ctx, "iprev"), z, netip.MustParseAddr("192.0.2.2"))
	iprev.CheckName(why.Section(ctx, "EHLO name"), z, netip.MustParseAddr("192.0.2.1"), "other.example")
	iprev.CheckName(why.Section(ctx, "EHLO name"), z, netip.MustParseAddr("192.0.2.1"), "localhost")
	var b strings.Builder
	notes.WriteTo(&b)
	for _, want := range []string{"other.example does not lead back to 192.0.2.1", "permerror (RFC 8601 2.7.3)", "the name leads to other addresses: fail", "RFC 5321 2.3.5"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
}
