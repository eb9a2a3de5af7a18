package spf_test

import (
	"context"
	"net/netip"
	"strings"
	"testing"
	"time"

	"mxhook/verify/authres"
	"mxhook/verify/spf"
)

func TestMacros(t *testing.T) {
	long := strings.Repeat("a", 60)
	for _, c := range []struct{ spec, ip, local, helo, want string }{
		// RFC 7208 7.4.
		{"%{o}", "", "", "", "email.example.com"}, {"%{d}", "", "", "", "email.example.com"}, {"%{d4}", "", "", "", "email.example.com"},
		{"%{d3}", "", "", "", "email.example.com"}, {"%{d2}", "", "", "", "example.com"}, {"%{d1}", "", "", "", "com"},
		{"%{dr}", "", "", "", "com.example.email"}, {"%{d2r}", "", "", "", "example.email"},
		{"%{l}.x", "", "", "", "strong-bad.x"}, {"%{l-}.x", "", "", "", "strong.bad.x"}, {"%{lr}.x", "", "", "", "strong-bad.x"},
		{"%{lr-}.x", "", "", "", "bad.strong.x"}, {"%{l1r-}.x", "", "", "", "strong.x"},
		{"%{ir}.%{v}._spf.%{d2}", "", "", "", "3.2.0.192.in-addr._spf.example.com"},
		{"%{lr-}.lp._spf.%{d2}", "", "", "", "bad.strong.lp._spf.example.com"},
		{"%{lr-}.lp.%{ir}.%{v}._spf.%{d2}", "", "", "", "bad.strong.lp.3.2.0.192.in-addr._spf.example.com"},
		{"%{ir}.%{v}.%{l1r-}.lp._spf.%{d2}", "", "", "", "3.2.0.192.in-addr.strong.lp._spf.example.com"},
		{"%{d2}.trusted-domains.example.net", "", "", "", "example.com.trusted-domains.example.net"},
		{"%{ir}.%{v}._spf.%{d2}", "2001:db8::cb01", "", "", "1.0.b.c.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6._spf.example.com"},
		// Ours.
		{"%{s}.x", "", "", "", "strong-bad@email.example.com.x"},
		{"%{s1@}.x", "", "", "", ""}, // "@" is no delimiter
		{"%{S}.x", "", "a b@c", "", "a%20b%40c%40email.example.com.x"},
		{"%{l+-=_}.x", "", "a+b-c=d_e", "", "a.b.c.d.e.x"},
		{"%{l}.x", "", "a..b", "", ""}, // an empty label
		{"%{l}.x", "", "jörg", "", ""}, // RFC 8616 4
		{"%{h}", "", "", "MAIL.Bücher.example", "mail.xn--bcher-kva.example"},
		{"%{h2}", "", "", "a.b.c", "b.c"},
		{"%{h}.x", "", "", "with blanks", "unknown.x"}, {"%{h}.x", "", "", "", "unknown.x"},
		{"%{p}.x", "", "", "", "unknown.x"},
		{"a%%b%_c%-d.x", "", "", "", "a%b c%20d.x"},
		{"%{d128}", "", "", "", "email.example.com"}, {"%{d99999999999999999999}", "", "", "", "email.example.com"},
		{"%{l}.%{l}.%{l}.%{l}.%{l}.com", "", long, "", strings.Repeat(long+".", 4) + "com"},
		{"x.example.", "", "", "", "x.example"},
		// Malformed.
		{"%{c}", "", "", "", ""}, {"%{r}", "", "", "", ""}, {"%{t}", "", "", "", ""}, {"%{d0}", "", "", "", ""}, {"%{dr2}", "", "", "", ""}, {"%d.x", "", "", "", ""},
		{"%{d", "", "", "", ""}, {"%", "", "", "", ""}, {"x.%{x}", "", "", "", ""}, {"%{d}x", "", "", "", ""}, {"a..com", "", "", "", ""}, {"one", "", "", "", ""},
		{"a.1", "", "", "", ""}, {"a.-b", "", "", "", ""}, {"a.b-", "", "", "", ""}, {"", "", "", "", ""},
	} {
		if c.ip == "" {
			c.ip = "192.0.2.3"
		}
		if c.local == "" {
			c.local = "strong-bad"
		}
		name, ok := spf.Expand(c.spec, c.ip, c.local, c.helo)
		if !ok {
			name = ""
		}
		if name != c.want {
			t.Errorf("%s of %q: %q, want %q", c.spec, c.local, name, c.want)
		}
	}
}

func TestTheValidatedNameOfTheClient(t *testing.T) {
	const base = `
a.example TXT "v=spf1 exists:%{p}.yes.example -all"
two.example TXT "v=spf1 exists:%{p}.no.example exists:%{p}.yes.example -all"
full.example TXT "v=spf1 a:h.example a:h.example a:h.example a:h.example a:h.example a:h.example a:h.example a:h.example a:h.example exists:%{p}.yes.example -all"
h.example A 203.0.113.1
`
	for _, c := range []struct{ rule, zone, domain, asked string }{
		{"the domain itself comes first", "1.2.0.192.in-addr.arpa PTR z.example.\n1.2.0.192.in-addr.arpa PTR m.a.example.\n1.2.0.192.in-addr.arpa PTR A.example.\nz.example A 192.0.2.1\nm.a.example A 192.0.2.1\na.example A 192.0.2.1\n", "a.example", "a.example.yes.example"},
		{"then a name below it", "1.2.0.192.in-addr.arpa PTR z.example.\n1.2.0.192.in-addr.arpa PTR m.a.example.\nz.example A 192.0.2.1\nm.a.example A 192.0.2.1\n", "a.example", "m.a.example.yes.example"},
		{"then any", "1.2.0.192.in-addr.arpa PTR z.example.\nz.example A 192.0.2.1\n", "a.example", "z.example.yes.example"},
		{"a name that doesn't lead back is none", "1.2.0.192.in-addr.arpa PTR a.example.\na.example A 192.0.2.2\n", "a.example", "unknown.yes.example"},
		{"without names it is unknown", "", "a.example", "unknown.yes.example"},
		{"it is asked for once", "1.2.0.192.in-addr.arpa PTR z.example.\nz.example A 192.0.2.1\n", "two.example", "z.example.yes.example"},
		{"it counts as a look-up (RFC 7208 4.6.4)", "", "full.example", ""},
	} {
		r := &counter{Zone: zone(t, base+c.zone)}
		e := spf.Check(context.Background(), r, from(client, "m.example"), "ann", c.domain)
		asked, reverse := false, 0
		for _, name := range r.names {
			asked = asked || name == c.asked
			if name == client.String() {
				reverse++
			}
		}
		if c.asked == "" && e.Reason != "more than 10 look-ups" || c.asked != "" && !asked || reverse > 1 {
			t.Errorf("%s: %+v, asked %q", c.rule, e, r.names)
		}
	}
}

func TestTheExplanation(t *testing.T) {
	long := strings.Repeat("0123456789", 25)
	for _, c := range []struct{ rule, zone, helo, want string }{
		{"it is expanded", `e.example TXT "%{i} %{c} %{v}: %{l} at %{o}, see http://x.example/?q=%{S}&r=%{r}&t=%{t}%_%%%-"`, "", "192.0.2.1 192.0.2.1 in-addr: ann at a.example, see http://x.example/?q=ann%40a.example&r=mx.in.example&t=1793000000 %%20"},
		{"strings are joined", `e.example TXT "No" " " "thanks."`, "", "No thanks."},
		{"text beyond ASCII is none", `e.example TXT "sch\195\182n"`, "", ""},
		{"control characters are none", `e.example TXT "a\013\010X-Evil: yes"`, "", ""},
		{"a malformed macro is none", `e.example TXT "%{z}"`, "", ""},
		{"two texts are none", "e.example TXT \"a\"\ne.example TXT \"b\"", "", ""},
		{"no text is none", "", "", ""},
		{"200 octets at most", `e.example TXT "` + long + `"`, "", long[:200]},
		{"what the client says is made harmless", `e.example TXT "hello %{h} %{l}"`, "a\r\nb", "hello unknown ann"},
	} {
		z := zone(t, "a.example TXT \"v=spf1 exp=e.example -all\"\n"+c.zone)
		client := spf.Client{IP: client, HELO: c.helo, Receiver: "mx.in.example", Now: time.Unix(1793000000, 0)}
		e := spf.Check(context.Background(), z, client, "ann", "a.example")
		if e.Result != authres.Fail || e.Explanation != c.want {
			t.Errorf("%s: %s %q, want %q", c.rule, e.Result, e.Explanation, c.want)
		}
	}
	z := zone(t, `a.example TXT "v=spf1 exp=e.example -all"`)
	z.Timeout("e.example")
	if e := spf.Check(context.Background(), z, from(client, ""), "ann", "a.example"); e.Result != authres.Fail || e.Explanation != "" {
		t.Errorf("an explanation that can't be had: %+v", e)
	}
	z = zone(t, "a.example TXT \"v=spf1 exp=e.example -all\"\ne.example TXT \"%{l}\"")
	if e := spf.Check(context.Background(), z, from(client, ""), "jö\x00rg", "a.example"); e.Explanation != "j???rg" {
		t.Errorf("a local part in an explanation: %q", e.Explanation)
	}
}

func TestTheExplanationIsOfTheDomainThatDecides(t *testing.T) {
	r := &counter{Zone: zone(t, `
include.example TXT "v=spf1 exp=mine.example -include:theirs.example"
theirs.example TXT "v=spf1 exp=not.example +all"
redirect.example TXT "v=spf1 exp=mine.example redirect=other.example"
other.example TXT "v=spf1 exp=other.%{d} -all"
plain.example TXT "v=spf1 exp=mine.example redirect=bare.example"
bare.example TXT "v=spf1 -all"
soft.example TXT "v=spf1 exp=mine.example ~all"
mine.example TXT "mine"
other.other.example TXT "other"
`)}
	for domain, want := range map[string]string{"include.example": "mine", "redirect.example": "other", "plain.example": "", "soft.example": ""} {
		if e := spf.Check(context.Background(), r, from(client, ""), "ann", domain); e.Explanation != want {
			t.Errorf("%s: %q, want %q", domain, e.Explanation, want)
		}
	}
	for _, name := range r.names {
		if name == "not.example" {
			t.Error("the explanation of an included policy was asked for")
		}
	}
}

func TestTheTermThatDecided(t *testing.T) {
	z := zone(t, `
a.example TXT "v=spf1 include:b.example redirect=c.example"
b.example TXT "v=spf1 ip4:192.0.2.1 -all"
c.example TXT "v=spf1 ip6:2001:db8::/32 -All"
d.example TXT "v=spf1"
`)
	for _, c := range []struct{ ip, domain, mechanism, term string }{
		{"192.0.2.1", "a.example", "include", "include:b.example"},
		{"192.0.2.2", "a.example", "all", "-All"},
		{"2001:db8::9", "a.example", "ip6", "ip6:2001:db8::/32"},
		{"192.0.2.2", "d.example", "default", "default"},
		{"192.0.2.2", "none.example", "", ""},
	} {
		e := spf.Check(context.Background(), z, from(netip.MustParseAddr(c.ip), ""), "ann", c.domain)
		if e.Mechanism != c.mechanism || e.Term != c.term {
			t.Errorf("%s for %s: %+v", c.domain, c.ip, e)
		}
	}
}

func TestALocalPartBeyondASCIIMatchesNothing(t *testing.T) {
	z := zone(t, `
a.example TXT "v=spf1 include:%{l}.example exists:%{L}.example -a:%{s}.example ~all"
b.example TXT "v=spf1 redirect=%{l}.example"
c.example TXT "v=spf1 ip4:192.0.2.1 -all"
%C3%B6.example A 192.0.2.1
`)
	for domain, want := range map[string]authres.Result{"a.example": authres.SoftFail, "b.example": authres.Neutral, "c.example": authres.Pass} {
		if e := spf.Check(context.Background(), z, from(client, ""), "ö", domain); e.Result != want {
			t.Errorf("%s: %+v, want %s (RFC 8616 4)", domain, e, want)
		}
	}
}
