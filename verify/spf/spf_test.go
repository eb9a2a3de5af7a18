package spf_test

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"mxhook/verify/authres"
	"mxhook/verify/dns"
	"mxhook/verify/spf"
)

var client = netip.MustParseAddr("192.0.2.1")

func zone(t testing.TB, text string) *dns.Zone {
	t.Helper()
	z, err := dns.ParseZone(text)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func from(ip netip.Addr, helo string) spf.Client { return spf.Client{IP: ip, HELO: helo} }

func TestCheck(t *testing.T) {
	var many, voids strings.Builder
	for i := range 11 {
		fmt.Fprintf(&many, "x%d.example TXT \"v=spf1 -all\"\n", i)
	}
	include := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, " include:x%d.example", i)
		}
		return b.String()
	}
	voids.WriteString("two.example TXT \"v=spf1 a:v1.example a:v2.example +all\"\n")
	voids.WriteString("three.example TXT \"v=spf1 a:v1.example a:v2.example a:v3.example +all\"\n")
	z := zone(t, many.String()+voids.String()+`
good.example TXT "v=spf1 ip4:192.0.2.0/24 -all"
fail.example TXT "v=spf1 -all"
soft.example TXT "v=spf1 ~all"
neutral.example TXT "v=spf1 ip4:203.0.113.1"
twice.example TXT "v=spf1 -all"
twice.example TXT "v=spf1 +all"
late.example TXT "v=spf1 ip4:192.0.2.1 ip4:999.1.1.1 -all"
ten.example TXT "v=spf1`+include(10)+` +all"
eleven.example TXT "v=spf1`+include(11)+` +all"
loop.example TXT "v=spf1 include:loop.example -all"
bank.tld TXT "v=spf1 +all"
evil.example TXT "v=spf1 -all"
six.example TXT "v=spf1 ip6:2001:db8::/32 -all"
xn--bcher-kva.example TXT "v=spf1 +all"
inner.example TXT "v=spf1 include:dead.example -all"
aonly.example TXT "v=spf1 a:halfdead.example -all"
slash.example TXT "v=spf1 A:foo:bar/24.net.example/24//64 -all"
foo:bar/24.net.example A 192.0.2.200
mslash.example TXT "v=spf1 ?mx:%{d}/x.example -all"
mslash.example/x.example MX 0 a/b.example.
a/b.example A 192.0.2.1
length.example TXT "v=spf1 a:a/33 -all"
macro.example TXT "v=spf1 exists:%{l}.%{o}.allowed.example -all"
postmaster.macro.example.allowed.example A 127.0.0.2
`)
	z.ServFail("dead.example")
	z.Timeout("slow.example")
	for _, c := range []struct {
		rule, ip, local, domain string
		want                    authres.Result
	}{
		{"a matching range passes", "192.0.2.1", "ann", "good.example", authres.Pass},
		{"an IPv4-mapped address is IPv4", "::ffff:192.0.2.1", "ann", "good.example", authres.Pass},
		{"IPv6", "2001:db8::7", "ann", "six.example", authres.Pass},
		{"case and final dot don't matter", "192.0.2.1", "ann", "GOOD.Example.", authres.Pass},
		{"-all fails", "192.0.2.1", "ann", "fail.example", authres.Fail},
		{"~all is softfail", "192.0.2.1", "ann", "soft.example", authres.SoftFail},
		{"nothing matches: neutral", "192.0.2.1", "ann", "neutral.example", authres.Neutral},
		{"no record is none", "192.0.2.1", "ann", "nothing.example", authres.None},
		{"two records are permerror", "192.0.2.1", "ann", "twice.example", authres.PermError},
		{"a fault behind the match is permerror", "192.0.2.1", "ann", "late.example", authres.PermError},
		{"ten look-ups are allowed", "192.0.2.1", "ann", "ten.example", authres.Pass},
		{"eleven look-ups are permerror", "192.0.2.1", "ann", "eleven.example", authres.PermError},
		{"a loop is permerror", "192.0.2.1", "ann", "loop.example", authres.PermError},
		{"two void look-ups are allowed", "192.0.2.1", "ann", "two.example", authres.Pass},
		{"three void look-ups are permerror", "192.0.2.1", "ann", "three.example", authres.PermError},
		{"SERVFAIL is temperror", "192.0.2.1", "ann", "dead.example", authres.TempError},
		{"a time-out is temperror", "192.0.2.1", "ann", "slow.example", authres.TempError},
		{"SERVFAIL of an include is temperror", "192.0.2.1", "ann", "inner.example", authres.TempError},
		{"an @ in a quoted local part doesn't choose the domain", "192.0.2.1", "x@bank.tld", "evil.example", authres.Fail},
		{"an empty local part is postmaster", "192.0.2.1", "", "macro.example", authres.Pass},
		{"a domain may hold slashes", "192.0.2.1", "ann", "slash.example", authres.Pass},
		{"a domain may hold slashes behind macros", "192.0.2.1", "ann", "mslash.example", authres.Neutral},
		{"a prefix length that is too long is permerror", "192.0.2.1", "ann", "length.example", authres.PermError},
		{"U-labels are A-labels", "192.0.2.1", "ann", "bücher.example", authres.Pass},
		{"an address literal has no policy", "192.0.2.1", "ann", "[192.0.2.1]", authres.None},
		{"an address has no policy", "192.0.2.1", "ann", "192.0.2.1", authres.None},
		{"a single label has no policy", "192.0.2.1", "ann", "localhost", authres.None},
		{"an empty domain has no policy", "192.0.2.1", "ann", "", authres.None},
		{"a broken domain has no policy", "192.0.2.1", "ann", "a..example", authres.None},
		{"a domain with a NUL has no policy", "192.0.2.1", "ann", "a\x00.example", authres.None},
	} {
		e := spf.Check(context.Background(), z, from(netip.MustParseAddr(c.ip), "mail.example"), c.local, c.domain)
		if e.Result != c.want {
			t.Errorf("%s: %s (%s), want %s", c.rule, e.Result, e.Reason, c.want)
		}
		if e.Reason == "" || strings.ContainsFunc(e.Reason, unicode.IsControl) {
			t.Errorf("%s: reason %q", c.rule, e.Reason)
		}
	}
}

// onlyIPv4 fails for AAAA as some servers do.
type onlyIPv4 struct{ *dns.Zone }

func (r onlyIPv4) LookupNetIP(ctx context.Context, network, name string) ([]netip.Addr, error) {
	if network == "ip6" {
		return nil, &net.DNSError{Err: "server failure", IsTemporary: true}
	}
	return r.Zone.LookupNetIP(ctx, network, name)
}

func TestAnIPv4ClientIsNotHarmedByAFailingAAAA(t *testing.T) {
	r := onlyIPv4{zone(t, "a.example TXT \"v=spf1 a -all\"\na.example A 192.0.2.1")}
	if e := spf.Check(context.Background(), r, from(client, "a.example"), "ann", "a.example"); e.Result != authres.Pass {
		t.Errorf("%+v", e)
	}
}

func TestTheDeadlineIsTemperror(t *testing.T) {
	ctx, cancel := context.WithDeadline(context.Background(), time.Unix(1, 0))
	defer cancel()
	z := zone(t, `a.example TXT "v=spf1 ptr -all"`)
	if e := spf.Check(ctx, z, from(client, "a.example"), "ann", "a.example"); e.Result != authres.TempError {
		t.Errorf("%+v", e)
	}
}

// stall lets the time run out at the reverse look-up, where the evaluator passes over
// errors.
type stall struct {
	*dns.Zone
	cancel context.CancelFunc
}

func (r stall) LookupAddr(ctx context.Context, addr string) ([]string, error) {
	r.cancel()
	return r.Zone.LookupAddr(ctx, addr)
}

func TestADeadlineWithinPTRIsNotAFail(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	r := stall{zone(t, `a.example TXT "v=spf1 ptr -all"`), cancel}
	if e := spf.Check(ctx, r, from(client, "a.example"), "ann", "a.example"); e.Result != authres.TempError {
		t.Errorf("%+v", e)
	}
}

func TestTheHELOIdentity(t *testing.T) {
	z := zone(t, "mail.example TXT \"v=spf1 a -all\"\nmail.example A 192.0.2.1")
	for helo, want := range map[string]authres.Result{
		"mail.example": authres.Pass, "[192.0.2.1]": authres.None, "localhost": authres.None,
		"": authres.None, "a b": authres.None, "other.example": authres.None,
	} {
		if e := spf.CheckHELO(context.Background(), z, from(client, helo)); e.Result != want {
			t.Errorf("%q: %+v, want %s", helo, e, want)
		}
	}
}

func TestReceivedHoldsWhatThePeerSaidInQuotes(t *testing.T) {
	e := spf.Evaluation{Result: authres.Fail, Reason: "matched all", Mechanism: "all"}
	for _, c := range []struct {
		rule string
		t    spf.Trace
		want string
	}{
		{"plain", spf.Trace{Receiver: "mx.in.example", IP: client, HELO: "a.example", Sender: "ann@a.example"},
			`fail (mx.in.example: matched all) identity=mailfrom; client-ip=192.0.2.1; envelope-from="ann@a.example"; helo=a.example; receiver=mx.in.example; mechanism=all`},
		{"null reverse-path and IPv6", spf.Trace{Receiver: "mx", IP: netip.MustParseAddr("2001:db8::1"), HELO: "a.example"},
			`fail (mx: matched all) identity=helo; client-ip="2001:db8::1"; helo=a.example; receiver=mx; mechanism=all`},
		{"injection", spf.Trace{Receiver: "mx", IP: client, HELO: "x\r\nTo: you", Sender: "\"a\"; b=c\"@d\x00"},
			`fail (mx: matched all) identity=mailfrom; client-ip=192.0.2.1; envelope-from="\"a\", b=c\"@d?"; helo="x??To: you"; receiver=mx; mechanism=all`},
	} {
		if got := spf.Received(e, c.t); got != c.want {
			t.Errorf("%s:\n%s\nwant\n%s", c.rule, got, c.want)
		}
	}
}

func TestDNSSECVouchesForEveryAnswerThatDecided(t *testing.T) {
	z := zone(t, `
a.example TXT "v=spf1 include:b.example -all exp=e.example"
b.example TXT "v=spf1 ip4:192.0.2.1 -all"
c.example TXT "v=spf1 include:d.example -all"
d.example TXT "v=spf1 ip4:192.0.2.1 -all"
e.example TXT "no"
`)
	z.Authenticate("a.example")
	z.Authenticate("b.example")
	z.Authenticate("c.example")
	for domain, want := range map[string]bool{"a.example": true, "c.example": false, "d.example": false} {
		for _, ip := range []string{"192.0.2.1", "192.0.2.2"} {
			if e := spf.Check(context.Background(), z, from(netip.MustParseAddr(ip), ""), "ann", domain); e.DNSSEC != want {
				t.Errorf("%s for %s: %+v", domain, ip, e)
			}
		}
	}
}

// FuzzReceived: whatever the peer said, a reader of RFC 7208 9.1 finds the pairs that
// were written, in their order, and one that splits at each ";" no other names.
func FuzzReceived(f *testing.F) {
	f.Add("mx", "matched a", "a.example", "ann@a.example", "a:%{i}")
	f.Add("m(x", "; client-ip=1.2.3.4) identity=mailfrom", "x; receiver=y", "\"a\\\"; client-ip=192.0.2.66\"@d", "-all\r\nX: y")
	f.Add("mx", "\\", "a..b", "x helo = good.example y@d", "=")
	f.Fuzz(func(t *testing.T, receiver, reason, helo, sender, mechanism string) {
		got := spf.Received(spf.Evaluation{Result: authres.SoftFail, Reason: reason, Mechanism: mechanism},
			spf.Trace{Receiver: receiver, IP: client, HELO: helo, Sender: sender})
		if strings.ContainsFunc(got, unicode.IsControl) || !utf8.ValidString(got) {
			t.Fatalf("%q", got)
		}
		rest, ok := strings.CutPrefix(got, "softfail (")
		n, open := 0, true
		for ; open && n < len(rest); n++ {
			switch rest[n] {
			case '\\':
				n++
			case '(':
				t.Fatalf("%q: a comment within", got)
			case ')':
				open = false
			}
		}
		if !ok || open {
			t.Fatalf("%q: no comment", got)
		}
		var names []string
		for rest = rest[n:]; rest != ""; {
			name, after, ok := strings.Cut(rest, "=")
			names = append(names, strings.TrimPrefix(name, " "))
			if !ok || !strings.HasPrefix(name, " ") {
				t.Fatalf("%q at %q", got, rest)
			}
			rest = value(t, got, after)
			if semicolon := strings.HasPrefix(rest, ";"); semicolon == (rest == "") {
				t.Fatalf("%q at %q", got, rest)
			}
			rest = strings.TrimPrefix(rest, ";")
		}
		want := []string{"identity", "client-ip"}
		for _, pair := range [][2]string{{"envelope-from", sender}, {"helo", helo}, {"receiver", receiver}, {"mechanism", mechanism}} {
			if pair[1] != "" {
				want = append(want, pair[0])
			}
		}
		if !slices.Equal(names, want) || strings.Count(got, ";") != len(want)-1 {
			t.Fatalf("%q: %q, want %q", got, names, want)
		}
	})
}

// value steps over a dot-atom or quoted-string.
func value(t *testing.T, all, s string) (rest string) {
	if !strings.HasPrefix(s, `"`) {
		n := strings.IndexAny(s+";", ";")
		if n == 0 || strings.ContainsAny(s[:n], " ()<>@,\"\\=:") {
			t.Fatalf("%q at %q", all, s)
		}
		return s[n:]
	}
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			return s[i+1:]
		}
	}
	t.Fatalf("%q: a quote does not end", all)
	return ""
}
