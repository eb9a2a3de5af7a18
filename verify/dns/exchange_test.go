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
			rr(t, `victim.example. 9 TXT "poison"`), rr(t, `a.example. 9 CNAME b.example.`), rr(t, `c.example. 9 TXT "poison"`),
		}
		soa(m, t, "9")
	})
	r := New(Config{Servers: []string{addr}})
	if v, err := r.LookupTXT(context.Background(), "a.example"); !IsNotFound(err) {
		t.Errorf("%q, %v", v, err)
	}
	if _, ok := r.cache.get(question{"victim.example", mdns.TypeTXT}, time.Now()); ok {
		t.Error("a stranger's record was remembered")
	}
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
