package dns

import (
	"context"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	mdns "github.com/miekg/dns"
)

// counting is a name server whose questions are counted and answered by a function.
type counting struct {
	asked atomic.Int64
	tcp   atomic.Int64
}

func (c *counting) start(t *testing.T, answer func(m *mdns.Msg, q mdns.Question)) string {
	t.Helper()
	z := mustZone(t, "")
	s := NewServer(z)
	s.handler = mdns.HandlerFunc(func(w mdns.ResponseWriter, query *mdns.Msg) {
		c.asked.Add(1)
		if _, ok := w.RemoteAddr().(*net.TCPAddr); ok {
			c.tcp.Add(1)
		}
		m := new(mdns.Msg)
		m.SetReply(query)
		answer(m, query.Question[0])
		_ = w.WriteMsg(m)
	})
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, s) })
	return s.Addr()
}

func stop(t *testing.T, s *Server) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := s.Stop(ctx); err != nil {
		t.Error(err)
	}
}

func mustZone(t testing.TB, text string) *Zone {
	t.Helper()
	z, err := ParseZone(text)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func serve(t *testing.T, z *Zone) string {
	t.Helper()
	s := NewServer(z)
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, s) })
	return s.Addr()
}

func rr(t testing.TB, text string) mdns.RR {
	t.Helper()
	r, err := mdns.NewRR(text)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func soa(m *mdns.Msg, t testing.TB, minimum string) {
	m.Ns = append(m.Ns, rr(t, "example. 3600 IN SOA ns.example. host.example. 1 2 3 4 "+minimum))
}

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

func TestAnswersAreRememberedForTheirTTL(t *testing.T) {
	var c counting
	addr := c.start(t, func(m *mdns.Msg, q mdns.Question) {
		switch q.Name {
		case "short.example.":
			m.Answer = []mdns.RR{rr(t, `short.example. 10 TXT "x"`)}
		case "long.example.":
			m.Answer = []mdns.RR{rr(t, `long.example. 999999 TXT "x"`)}
		case "zero.example.":
			m.Answer = []mdns.RR{rr(t, `zero.example. 0 TXT "x"`)}
		case "alias.example.":
			m.Answer = []mdns.RR{rr(t, `alias.example. 5 CNAME end.example.`), rr(t, `end.example. 500 TXT "x"`)}
		case "none.example.":
			m.Rcode = mdns.RcodeNameError
			soa(m, t, "30")
		case "nosoa.example.":
			m.Rcode = mdns.RcodeNameError
		case "longnone.example.":
			soa(m, t, "3600")
		case "broken.example.":
			m.Rcode = mdns.RcodeServerFailure
		}
	})
	now := time.Now()
	r := New(Config{Servers: []string{addr}})
	r.now = func() time.Time { return now }
	for _, c2 := range []struct {
		rule, name string
		held       time.Duration // 0: not at all
		each       int64         // questions for one look-up
	}{
		{"as long as the TTL", "short.example", 10 * time.Second, 1},
		{"an hour at most", "long.example", time.Hour, 1},
		{"TTL 0 not at all", "zero.example", 0, 1},
		{"as long as the shortest of a chain", "alias.example", 5 * time.Second, 1},
		{"absence as long as the SOA says", "none.example", 30 * time.Second, 1},
		{"absence without SOA not at all", "nosoa.example", 0, 1},
		{"absence five minutes at most", "longnone.example", 5 * time.Minute, 1},
		{"errors not at all", "broken.example", 0, rounds},
	} {
		ask := func() int64 {
			before := c.asked.Load()
			_, _ = r.LookupTXT(context.Background(), c2.name)
			return c.asked.Load() - before
		}
		if n := ask(); n != c2.each {
			t.Errorf("%s: first look-up asked %d times", c2.rule, n)
		}
		if c2.held == 0 {
			if n := ask(); n != c2.each {
				t.Errorf("%s: second look-up asked %d times", c2.rule, n)
			}
			continue
		}
		now = now.Add(c2.held - time.Second)
		if n := ask(); n != 0 {
			t.Errorf("%s: asked again before the end", c2.rule)
		}
		now = now.Add(time.Second)
		if n := ask(); n != 1 {
			t.Errorf("%s: %d questions after the end", c2.rule, n)
		}
	}
}

func TestTheSameQuestionIsAskedOnceAtATime(t *testing.T) {
	var c counting
	release := make(chan struct{})
	addr := c.start(t, func(m *mdns.Msg, q mdns.Question) {
		<-release
		m.Answer = []mdns.RR{rr(t, `x.example. 0 TXT "x"`)}
	})
	r := New(Config{Servers: []string{addr}, Timeout: time.Minute})
	var wait sync.WaitGroup
	for range 20 {
		wait.Go(func() {
			if v, err := r.LookupTXT(context.Background(), "x.example"); err != nil || len(v) != 1 {
				t.Error(v, err)
			}
		})
	}
	for waiting := 0; waiting < 20; {
		r.mu.Lock()
		if f := r.flights[question{"x.example", mdns.TypeTXT}]; f != nil {
			waiting = f.waiters
		}
		r.mu.Unlock()
	}
	close(release)
	wait.Wait()
	if n := c.asked.Load(); n != 1 {
		t.Errorf("asked %d times", n)
	}
}

func TestACallerThatGivesUpLeavesNothingBehind(t *testing.T) {
	z := mustZone(t, "")
	z.Timeout("slow.example")
	r := New(Config{Servers: []string{serve(t, z)}, Timeout: time.Minute})
	ctx, cancel := context.WithCancel(context.Background())
	time.AfterFunc(20*time.Millisecond, cancel)
	_, err := r.LookupTXT(ctx, "slow.example")
	if e, ok := err.(*net.DNSError); !ok || !e.IsTimeout {
		t.Errorf("error = %#v", err)
	}
	if len(r.flights) != 0 || len(r.slots) != 0 {
		t.Errorf("%d flights, %d slots are left", len(r.flights), len(r.slots))
	}
}

func TestLongAnswersComeOverTCP(t *testing.T) {
	long := strings.Repeat("0123456789", 20)
	var text strings.Builder
	for range 30 {
		text.WriteString(` "` + long + `"`)
	}
	r := New(Config{Servers: []string{serve(t, mustZone(t, "long.example TXT"+text.String()))}})
	v, err := r.LookupTXT(context.Background(), "long.example")
	if err != nil || len(v) != 1 || v[0] != strings.Repeat(long, 30) {
		t.Errorf("%d answers, %v", len(v), err)
	}
}

func TestAServerWithoutEDNSIsAskedWithoutIt(t *testing.T) {
	var c counting
	addr := c.start(t, func(m *mdns.Msg, q mdns.Question) {
		if c.asked.Load() == 1 {
			m.Rcode = mdns.RcodeFormatError
			return
		}
		m.Answer = []mdns.RR{rr(t, `x.example. 9 TXT "x"`)}
	})
	r := New(Config{Servers: []string{addr}})
	if v, err := r.LookupTXT(context.Background(), "x.example"); err != nil || len(v) != 1 {
		t.Error(v, err)
	}
}

func TestAnotherServerIsAskedWhenOneFails(t *testing.T) {
	var bad, good counting
	refusing := bad.start(t, func(m *mdns.Msg, _ mdns.Question) { m.Rcode = mdns.RcodeRefused })
	working := good.start(t, func(m *mdns.Msg, q mdns.Question) {
		m.Answer = []mdns.RR{rr(t, q.Name+` 0 TXT "x"`)}
	})
	r := New(Config{Servers: []string{refusing, working}})
	for range 3 {
		if _, err := r.LookupTXT(context.Background(), "x.example"); err != nil {
			t.Fatal(err)
		}
	}
	if n := bad.asked.Load(); n != 1 {
		t.Errorf("the failing server was asked %d times, although the other one answers", n)
	}
}

func TestForgedAnswersArePassedOver(t *testing.T) {
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wait sync.WaitGroup
	wait.Go(func() {
		buffer := make([]byte, 1500)
		n, from, err := conn.ReadFrom(buffer)
		if err != nil {
			return
		}
		query := new(mdns.Msg)
		if query.Unpack(buffer[:n]) != nil {
			return
		}
		reply := func(text string, harm func(m *mdns.Msg)) {
			m := new(mdns.Msg)
			m.SetReply(query)
			m.Answer = []mdns.RR{rr(t, `x.example. 9 TXT "`+text+`"`)}
			harm(m)
			packet, _ := m.Pack()
			_, _ = conn.WriteTo(packet, from)
		}
		_, _ = conn.WriteTo([]byte("no DNS at all"), from)
		_, _ = conn.WriteTo([]byte{0}, from)
		reply("wrong id", func(m *mdns.Msg) { m.Id++ })
		reply("wrong name", func(m *mdns.Msg) { m.Question[0].Name = "y.example." })
		reply("a query", func(m *mdns.Msg) { m.Response = false })
		reply("true", func(*mdns.Msg) {})
	})
	defer wait.Wait()
	defer conn.Close()
	r := New(Config{Servers: []string{conn.LocalAddr().String()}})
	if v, err := r.LookupTXT(context.Background(), "x.example"); err != nil || len(v) != 1 || v[0] != "true" {
		t.Errorf("%q, %v", v, err)
	}
}

func TestStrangersInAnAnswerAreNotBelieved(t *testing.T) {
	var c counting
	addr := c.start(t, func(m *mdns.Msg, q mdns.Question) {
		m.Answer = []mdns.RR{
			rr(t, `victim.example. 9 TXT "poison"`), rr(t, `a.example. 9 CNAME b.example.`), rr(t, `b.example. 9 CNAME a.example.`),
		}
	})
	r := New(Config{Servers: []string{addr}})
	if v, err := r.LookupTXT(context.Background(), "a.example"); !IsNotFound(err) {
		t.Errorf("%q, %v", v, err)
	}
	if _, ok := r.cache.get(question{"victim.example", mdns.TypeTXT}, time.Now()); ok {
		t.Error("a stranger's record was remembered")
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

func TestTheCacheIsBounded(t *testing.T) {
	c := newCache(10, 1<<20)
	for i := range 100 {
		c.put(question{strings.Repeat("a", i+1), 1}, answer{expires: time.Now().Add(time.Hour)}, 100)
	}
	if c.order.Len() != 10 || len(c.at) != 10 {
		t.Errorf("%d entries", len(c.at))
	}
	c = newCache(1000, 100_000)
	for i := range 1000 {
		c.put(question{strings.Repeat("a", i+1), 1}, answer{expires: time.Now().Add(time.Hour)}, 100)
	}
	if c.size > 100_000 || len(c.at) == 0 {
		t.Errorf("%d bytes in %d entries", c.size, len(c.at))
	}
}

func TestADeadServerCostsNoMoreThanTheContextAllows(t *testing.T) {
	conn, err := net.ListenPacket("udp", "127.0.0.1:0") // never answers
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	r := New(Config{Servers: []string{conn.LocalAddr().String()}})
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	begin := time.Now()
	_, err = r.LookupIPAddr(ctx, "a.example")
	if !IsTemporary(err) || time.Since(begin) > time.Second {
		t.Errorf("%v after %v", err, time.Since(begin))
	}
}

func TestServersMayLackTheirPort(t *testing.T) {
	got := strings.Join(servers([]string{"192.0.2.1", "192.0.2.1:5353", "2001:db8::1", "[2001:db8::1]", "[::1]:5353", "ns.example"}), " ")
	want := "192.0.2.1:53 192.0.2.1:5353 [2001:db8::1]:53 [2001:db8::1]:53 [::1]:5353 ns.example:53"
	if got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if len(servers(nil)) == 0 {
		t.Error("there is no server without configuration")
	}
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

func TestNoMoreQuestionsAreUnderWayThanAllowed(t *testing.T) {
	var now, most atomic.Int64
	var c counting
	addr := c.start(t, func(m *mdns.Msg, q mdns.Question) {
		n := now.Add(1)
		defer now.Add(-1)
		for seen := most.Load(); n > seen && !most.CompareAndSwap(seen, n); seen = most.Load() {
		}
		m.Answer = []mdns.RR{rr(t, q.Name+` 0 TXT "x"`)}
	})
	r := New(Config{Servers: []string{addr}, Concurrency: 3})
	var wait sync.WaitGroup
	for i := range 40 {
		wait.Go(func() {
			if _, err := r.LookupTXT(context.Background(), strings.Repeat("a", i+1)+".example"); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	if most.Load() > 3 || c.asked.Load() != 40 {
		t.Errorf("%d at once, %d in all", most.Load(), c.asked.Load())
	}
}
