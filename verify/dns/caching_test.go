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
		m.RecursionAvailable = true
		answer(m, query.Question[0])
		_ = w.WriteMsg(m)
	})
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, s) })
	return s.Addr()
}

func stop(t testing.TB, s *Server) {
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

func serve(t testing.TB, z *Zone) string {
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
		{"errors not at all", "broken.example", 0, 1},
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
	if len(r.flights) != 0 || r.gate.out != 0 || len(r.gate.domains) != 0 {
		t.Errorf("%d flights, %d slots are left", len(r.flights), r.gate.out)
	}
}

func TestTheCacheIsBounded(t *testing.T) {
	c := newCache(10, 1<<20)
	for i := range 100 {
		c.put(question{strings.Repeat("a", i+1), 1}, answer{expires: time.Now().Add(time.Hour), wire: 100})
	}
	if c.order.Len() != 10 || len(c.at) != 10 {
		t.Errorf("%d entries", len(c.at))
	}
	c = newCache(10_000, 1_000_000)
	for i := range 3000 {
		c.put(question{strings.Repeat("a", i+1), 1}, answer{expires: time.Now().Add(time.Hour), wire: 100})
	}
	if c.size > 1_000_000 || len(c.at) == 0 {
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
