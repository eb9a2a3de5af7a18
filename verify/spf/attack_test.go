package spf_test

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"mxhook/verify/authres"
	"mxhook/verify/dns"
	"mxhook/verify/spf"
)

// counter counts questions and knows their names; one for both families is two.
type counter struct {
	*dns.Zone
	mu    sync.Mutex
	n     int
	names []string
}

func (c *counter) ask(n int, name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n += n
	c.names = append(c.names, name)
}

func (c *counter) LookupTXT(ctx context.Context, name string) ([]string, error) {
	c.ask(1, name)
	return c.Zone.LookupTXT(ctx, name)
}

func (c *counter) LookupMX(ctx context.Context, name string) ([]*net.MX, error) {
	c.ask(1, name)
	return c.Zone.LookupMX(ctx, name)
}

func (c *counter) LookupIPAddr(ctx context.Context, name string) ([]net.IPAddr, error) {
	c.ask(2, name)
	return c.Zone.LookupIPAddr(ctx, name)
}

func (c *counter) LookupNetIP(ctx context.Context, network, name string) ([]netip.Addr, error) {
	c.ask(1, name)
	return c.Zone.LookupNetIP(ctx, network, name)
}

func (c *counter) LookupAddr(ctx context.Context, addr string) ([]string, error) {
	c.ask(1, addr)
	return c.Zone.LookupAddr(ctx, addr)
}

func repeat(n int, format string) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(strings.ReplaceAll(format, "#", fmt.Sprint(i)))
	}
	return b.String()
}

func TestAHostilePolicyIsBounded(t *testing.T) {
	for _, c := range []struct {
		name, zone string
		want       authres.Result
		reason     string
		questions  int
	}{
		{"eleven includes", `evil.example TXT "v=spf1` + repeat(11, " include:x#.example") + ` +all"` + "\n" + repeat(11, "x#.example TXT \"v=spf1 -all\"\n"),
			authres.PermError, "more than 10 look-ups", 11},
		{"three void look-ups", `evil.example TXT "v=spf1 a:a.none.example exists:b.none.example mx:c.none.example a:d.none.example +all"`,
			authres.PermError, "more than 2 look-ups without an answer", 4},
		{"an mx with eleven hosts", `evil.example TXT "v=spf1 mx +all"` + "\n" + repeat(11, "evil.example MX 1 h#.example.\nh#.example A 203.0.113.9\n"),
			authres.PermError, "more than 10 mail exchangers", 2},
		{"nine mx with six hosts each", `evil.example TXT "v=spf1` + repeat(9, " mx:m#.example") + ` +all"` + "\n" +
			repeat(9, "m#.example MX 1 h0.example.\nm#.example MX 1 h1.example.\nm#.example MX 1 h2.example.\nm#.example MX 1 h3.example.\nm#.example MX 1 h4.example.\nm#.example MX 1 h5.example.\n") +
			repeat(6, "h#.example A 203.0.113.9\n"),
			authres.TempError, "more questions than one evaluation may ask", 30},
		{"ptr with a thousand names", `evil.example TXT "v=spf1 ptr +all"` + "\n" + repeat(1000, "1.2.0.192.in-addr.arpa PTR h#.evil.example.\n"),
			authres.Pass, "matched all", 12},
		{"ptr ten times with a thousand names", `evil.example TXT "v=spf1` + repeat(10, " ptr:evil.example") + ` +all"` + "\n" + repeat(1000, "1.2.0.192.in-addr.arpa PTR h#.evil.example.\n"),
			authres.Pass, "matched all", 12},
		{"an include of itself", `evil.example TXT "v=spf1 include:evil.example +all"`,
			authres.PermError, "more than 10 look-ups", 11},
		{"a redirect to itself", `evil.example TXT "v=spf1 redirect=evil.example"`,
			authres.PermError, "more than 10 look-ups", 11},
		{"includes that double", `evil.example TXT "v=spf1 include:a.evil.example include:a.evil.example +all"
a.evil.example TXT "v=spf1 include:b.evil.example include:b.evil.example -all"
b.evil.example TXT "v=spf1 include:evil.example include:evil.example -all"`,
			authres.PermError, "more than 10 look-ups", 11},
		{"a name of every sender", `evil.example TXT "v=spf1 exists:%{l}.%{i}.%{h}.spy.evil.example -all"`,
			authres.Fail, "matched all", 2},
		{"names that grow without end", `evil.example TXT "v=spf1 a:" ` + strings.Repeat(`"`+strings.Repeat("%{s}.%{h}.%{ir}.", 12)+`" `, 40) + ` "evil.example -all"`,
			authres.Fail, "matched all", 2},
	} {
		r := &counter{Zone: zone(t, c.zone)}
		long := strings.Repeat("very-long-local-part.", 3) + "x"
		e := spf.Check(context.Background(), r, from(client, "mail.evil.example"), long, "evil.example")
		if e.Result != c.want || e.Reason != c.reason || r.n != c.questions {
			t.Errorf("%s: %s (%s) after %d questions, want %s (%s) after %d", c.name, e.Result, e.Reason, r.n, c.want, c.reason, c.questions)
		}
		for _, name := range r.names {
			if len(name) > 253 {
				t.Errorf("%s: asked for a name of %d octets", c.name, len(name))
			}
		}
	}
}

// slow answers after 20 s, if it may.
type slow struct{ *dns.Zone }

func (r slow) LookupTXT(ctx context.Context, name string) ([]string, error) {
	select {
	case <-time.After(20 * time.Second):
		return r.Zone.LookupTXT(ctx, name)
	case <-ctx.Done():
		return nil, &net.DNSError{Err: "time-out", IsTimeout: true}
	}
}

func TestASlowNameServerCostsTheTimeOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := slow{zone(t, `evil.example TXT "v=spf1`+repeat(10, " include:x#.example")+` -all"`+"\n"+repeat(10, "x#.example TXT \"v=spf1 -all\"\n"))}
		ctx, cancel := context.WithTimeout(context.Background(), 25*time.Second)
		defer cancel()
		began := time.Now()
		e := spf.Check(ctx, r, from(client, "mail.evil.example"), "ann", "evil.example")
		if took := time.Since(began); e.Result != authres.TempError || e.Reason != "the time was up" || took != 25*time.Second {
			t.Errorf("%+v after %s", e, took)
		}
	})
}
