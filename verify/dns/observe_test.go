package dns

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	mdns "github.com/miekg/dns"

	"mxhook/verify/why"
)

const signedZone = `
signed.example TXT "x"
mixed.signed.example CNAME unsigned.example.
inner.signed.example CNAME signed.example.
unsigned.example TXT "x"
`

func TestAnswersAreAuthenticatedIfAllAre(t *testing.T) {
	z := mustZone(t, signedZone)
	z.Authenticate("signed.example")
	z.ServFail("broken.signed.example")
	r := New(Config{Servers: []string{serve(t, z)}})
	for _, c := range []struct {
		rule, names string
		want        bool
	}{
		{"an authenticated answer", "signed.example", true},
		{"one that says that there is nothing", "nothing.signed.example", true},
		{"an alias within", "inner.signed.example", true},
		{"an alias that leads out", "mixed.signed.example", false},
		{"one that is not", "unsigned.example", false},
		{"one of several", "signed.example unsigned.example", false},
		{"several", "signed.example inner.signed.example signed.example.", true},
		{"a question without an answer", "signed.example broken.signed.example", false},
		{"no question", "", false},
		{"what can't be a name is not asked for", "signed.example a..example", true},
	} {
		for _, resolver := range []Resolver{z, r, r, WithBudget(r, 100)} { // r again: from the cache
			ctx, seen := Observe(context.Background())
			for _, name := range strings.Fields(c.names) {
				_, _ = resolver.LookupTXT(ctx, name)
			}
			if got := seen.Authenticated(); got != c.want {
				t.Errorf("%s: %t with %T, want %t", c.rule, got, resolver, c.want)
			}
		}
	}
	ctx, seen := Observe(context.Background())
	r2 := WithBudget(z, 1)
	_, _ = r2.LookupTXT(ctx, "signed.example")
	_, _ = r2.LookupTXT(ctx, "signed.example")
	if seen.Authenticated() {
		t.Error("a question over the budget has no answer")
	}
	z.Authenticate(".")
	if ctx, seen := Observe(context.Background()); seen != nil {
		_, _ = z.LookupIPAddr(ctx, "unsigned.example")
		if !seen.Authenticated() {
			t.Error("the root is above all")
		}
	}
}

func TestTheADBitIsAskedForAndBelievedOfTrustedServersOnly(t *testing.T) {
	var asked atomic.Pointer[mdns.Msg]
	addr := packets(t, func(q *mdns.Msg, reply func([]byte)) {
		asked.Store(q)
		reply(says(t, q, func(m *mdns.Msg) {
			m.AuthenticatedData = true
			m.Answer = []mdns.RR{rr(t, q.Question[0].Name+` 9 TXT "x"`)}
		}))
	})
	for _, trusted := range []bool{true, false} {
		r := New(Config{Servers: []string{addr}})
		r.upstreams.list[0].trusted = trusted
		ctx, seen := Observe(context.Background())
		if _, err := r.LookupTXT(ctx, "x.example"); err != nil {
			t.Fatal(err)
		}
		if query := asked.Load(); !query.AuthenticatedData || query.IsEdns0().Do() || query.CheckingDisabled {
			t.Errorf("the question was %v", query)
		}
		if seen.Authenticated() != trusted {
			t.Errorf("authenticated by a server that is trusted=%t: %t", trusted, seen.Authenticated())
		}
	}
}

func TestEveryLookUpSaysWhatItAskedAndLearned(t *testing.T) {
	z := mustZone(t, `
a.example TXT "v=spf1 -all"
alias.example CNAME a.example.
a.example MX 10 mx.a.example.
a.example A 192.0.2.1
1.2.0.192.in-addr.arpa PTR a.example.
key.example TXT "`+strings.Repeat("k", 250)+`" "`+strings.Repeat("k", 250)+`"
many.example TXT "token1"
many.example TXT "token2"
many.example TXT "v=spf1 ~all"
many.example TXT "token3"
many.example TXT "token4"
`)
	z.ServFail("broken.example")
	z.Timeout("silent.example")
	z.Authenticate("a.example")
	server := serve(t, z)
	r := New(Config{Servers: []string{server}})
	now := time.Now()
	r.now = func() time.Time { return now }
	notes := why.New()
	ctx := why.Section(why.With(context.Background(), notes), "DNS")
	b := WithBudget(r, 11)
	_, _ = b.LookupTXT(ctx, "a.example")
	now = now.Add(90 * time.Second)
	_, _ = b.LookupTXT(ctx, "A.example.")
	_, _ = b.LookupTXT(ctx, "alias.example")
	_, _ = b.LookupMX(ctx, "a.example")
	_, _ = b.LookupIPAddr(ctx, "a.example")
	_, _ = b.LookupAddr(ctx, "192.0.2.1")
	_, _ = b.LookupTXT(ctx, "key.example")
	_, _ = b.LookupTXT(ctx, "many.example")
	_, _ = b.LookupTXT(ctx, "nothing.example")
	_, _ = b.LookupTXT(ctx, "broken.example")
	_, _ = New(Config{Servers: []string{server}, Timeout: 100 * time.Millisecond}).LookupTXT(ctx, "silent.example")
	_, _ = b.LookupTXT(ctx, "a.example")
	var got strings.Builder
	if _, err := notes.WriteTo(&got); err != nil {
		t.Fatal(err)
	}
	want := `DNS
  DNS TXT a.example: "v=spf1 -all" (TTL 300 s; DNSSEC)
  DNS TXT a.example: "v=spf1 -all" (cached, 210 s left; DNSSEC)
  DNS TXT alias.example: alias of a.example: "v=spf1 -all" (TTL 300 s)
  DNS MX a.example: 10 mx.a.example (TTL 300 s; DNSSEC)
  DNS A a.example: 192.0.2.1 (TTL 300 s; DNSSEC)
  DNS AAAA a.example: no AAAA record, though the name exists (TTL 60 s; DNSSEC)
  DNS PTR 1.2.0.192.in-addr.arpa: a.example (TTL 300 s)
  DNS TXT key.example: "` + strings.Repeat("k", 60) + `..." (500 octets) (TTL 300 s)
  DNS TXT many.example: "v=spf1 ~all", and 4 more (TTL 300 s)
  DNS TXT nothing.example: NXDOMAIN, there is no such name (TTL 60 s)
  DNS TXT broken.example: SERVFAIL by ` + server + `
  DNS TXT silent.example: no answer in 100ms from ` + server + `
  DNS a.example: not asked: this message has asked all the questions that it may
`
	if got.String() != want {
		t.Errorf("%s\nwant\n%s", got.String(), want)
	}
}
