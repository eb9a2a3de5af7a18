package dns

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"

	mdns "github.com/miekg/dns"
)

func TestAnswersOfARealServer(t *testing.T) {
	z := mustZone(t, `
a.example A 192.0.2.1
a.example AAAA 2001:db8::1
a.example MX 20 mx2.a.example
a.example MX 10 mx1.a.example
alias.example CNAME a.example.
dangling.example CNAME gone.example.
_dmarc.a.example TXT "v=DMARC1; " "p=none"
quote.example TXT "say \"hi\" \\ \200"
1.2.0.192.in-addr.arpa PTR a.example.
null.example MX 0 .
below.ent.example A 192.0.2.2
`)
	z.ServFail("broken.example")
	r := New(Config{Servers: []string{serve(t, z)}})
	ctx := context.Background()
	for _, resolver := range []Resolver{z, r, WithBudget(r, 1000)} {
		texts := func(name string) string {
			v, err := resolver.LookupTXT(ctx, name)
			if err != nil {
				return "error"
			}
			return strings.Join(v, "|")
		}
		if got := texts("_DMARC.a.example."); got != "v=DMARC1; p=none" {
			t.Errorf("TXT in pieces and other case = %q", got)
		}
		if got := texts("quote.example"); got != "say \"hi\" \\ \xc8" {
			t.Errorf("TXT with escapes = %q", got)
		}
		mxs, err := resolver.LookupMX(ctx, "a.example")
		if err != nil || len(mxs) != 2 || mxs[0].Host != "mx1.a.example." {
			t.Errorf("MX by preference = %v, %v", mxs, err)
		}
		if mxs, err := resolver.LookupMX(ctx, "null.example"); err != nil || mxs[0].Host != "." {
			t.Errorf("null MX = %v, %v", mxs, err)
		}
		ips, err := resolver.LookupIPAddr(ctx, "alias.example")
		if err != nil || len(ips) != 2 {
			t.Errorf("addresses over an alias = %v, %v", ips, err)
		}
		names, err := resolver.LookupAddr(ctx, "::ffff:192.0.2.1")
		if err != nil || len(names) != 1 || names[0] != "a.example." {
			t.Errorf("names of an IPv4-mapped address = %v, %v", names, err)
		}
		for _, c := range []struct {
			rule, name                    string
			notFound, noDomain, temporary bool
		}{
			{"a name that is not there", "nowhere.example", true, true, false},
			{"a name above others", "ent.example", true, false, false},
			{"a name without such records", "a.example", true, false, false},
			{"an alias to nowhere", "dangling.example", true, true, false},
			{"SERVFAIL", "broken.example", false, false, true},
			{"an empty label", "a..example", true, true, false},
			{"a label of 64 bytes", strings.Repeat("a", 64) + ".example", true, true, false},
			{"a name of 254 bytes", strings.Repeat("a.", 126) + "aa", true, true, false},
			{"a control character", "a\x01b.example", true, true, false},
			{"the empty name", "", true, true, false},
			{"a single label", "localhost", true, true, false},
		} {
			_, err := resolver.LookupTXT(ctx, c.name)
			if _, bare := err.(*net.DNSError); !bare {
				t.Errorf("%s: error %T is not bare", c.rule, err)
			}
			if IsNotFound(err) != c.notFound || IsNoDomain(err) != c.noDomain || IsTemporary(err) != c.temporary {
				t.Errorf("%s: %v", c.rule, err)
			}
		}
		if v, err := LookupNetIP(ctx, resolver, "ip6", "a.example"); err != nil || len(v) != 1 || !v[0].Is6() {
			t.Errorf("one family = %v, %v", v, err)
		}
	}
}

func TestAZoneTakesLongTextsInOneString(t *testing.T) {
	long := strings.Repeat("0123456789", 60)
	v, err := mustZone(t, `$ORIGIN example.
$TTL 60
key 30 IN TXT "`+long+`"`).LookupTXT(context.Background(), "key.example")
	if err != nil || len(v) != 1 || v[0] != long {
		t.Errorf("%q, %v", v, err)
	}
	for _, bad := range []string{"a.example A 1.2.3", "a..example A 192.0.2.1", "a.example NOTATYPE x", "\"", "$INCLUDE /etc/passwd"} {
		if _, err := ParseZone(bad); err == nil {
			t.Errorf("%q is no zone", bad)
		}
	}
}

func TestTheBudgetEndsInATemporaryError(t *testing.T) {
	z := mustZone(t, "a.example A 192.0.2.1")
	r := WithBudget(z, 3)
	ctx := context.Background()
	if _, err := r.LookupIPAddr(ctx, "a.example"); err != nil {
		t.Fatal(err)
	}
	if _, err := LookupNetIP(ctx, r, "ip4", "a.example"); err != nil {
		t.Fatal(err)
	}
	_, err := r.LookupTXT(ctx, "a.example")
	if e, ok := err.(*net.DNSError); !ok || !e.IsTemporary || e.IsNotFound {
		t.Errorf("%#v", err)
	}
}

func TestServersMayLackTheirPort(t *testing.T) {
	got := shown(parseServers([]string{"192.0.2.1", "127.0.0.53:5353", "2001:db8::1", "[2001:db8::1]", "[::1]:5353", "fe80::1%eth0", "ns.example"}))
	want := "192.0.2.1:53 127.0.0.53:5353+AD [2001:db8::1]:53 [2001:db8::1]:53 [::1]:5353+AD [fe80::1%eth0]:53 ns.example:53"
	if got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if len(newUpstreams(nil).order(time.Now())) == 0 {
		t.Error("there is no server without configuration")
	}
}

// shown are the servers, with "+AD" where that bit is believed.
func shown(list []*upstream) string {
	var texts []string
	for _, s := range list {
		if s.trusted {
			texts = append(texts, s.addr+"+AD")
		} else {
			texts = append(texts, s.addr)
		}
	}
	return strings.Join(texts, " ")
}

func FuzzDomain(f *testing.F) {
	f.Add("_dmarc.B\u00fccher.example.")
	f.Add("a..b")
	f.Fuzz(func(t *testing.T, name string) {
		got, ok := Domain(name)
		if !ok {
			return
		}
		if again, ok := Domain(got); !ok || again != got {
			t.Fatalf("%q gives %q, and that %q", name, got, again)
		}
		// What is a name here is one on the wire too.
		m := new(mdns.Msg)
		m.SetQuestion(mdns.Fqdn(got), mdns.TypeTXT)
		packet, err := m.Pack()
		if err != nil {
			t.Fatalf("%q: %v", got, err)
		}
		if err := m.Unpack(packet); err != nil {
			t.Fatalf("%q: %v", got, err)
		}
		if back, ok := owner(m.Question[0].Name); !ok || back != got {
			t.Fatalf("%q comes back as %q", got, back)
		}
	})
}
