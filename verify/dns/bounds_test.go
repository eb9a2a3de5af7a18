package dns

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	mdns "github.com/miekg/dns"
)

// heap is what is in use after a collection.
func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func TestAFloodOfNamesFillsTheCacheToItsBoundOnly(t *testing.T) {
	fill := func(kind string, n int, change func(i int, m *mdns.Msg)) {
		before := heap()
		r := New(Config{Servers: []string{"127.0.0.1:1"}})
		for i := range n {
			q := question{fmt.Sprintf("%s%d.flood.example", strings.Repeat("a", 50), i), mdns.TypeTXT}
			m := new(mdns.Msg)
			m.SetReply(newQuery(q, true))
			m.RecursionAvailable = true
			change(i, m)
			packet, err := m.Pack()
			if err != nil {
				t.Fatal(err)
			}
			m, _ = unpack(packet)
			got := read(m, q)
			got.expires = time.Now().Add(time.Hour)
			r.cache.put(q, got.answer)
		}
		grown := heap() - before
		t.Logf("%s: %d answers, %d KiB by its own account, the heap grew by %d KiB", kind, len(r.cache.at), r.cache.size>>10, grown>>10)
		if len(r.cache.at) > 10_000 || r.cache.size > maxCacheBytes || len(r.cache.at) < 100 {
			t.Errorf("%s: %d entries of %d bytes", kind, len(r.cache.at), r.cache.size)
		}
		if grown > maxCacheBytes+maxCacheBytes/4 {
			t.Errorf("%s: the heap grew by %d bytes", kind, grown)
		}
		runtime.KeepAlive(r)
	}
	name := func(m *mdns.Msg) string { return m.Question[0].Name }
	fill("nothing", 10_100, func(_ int, m *mdns.Msg) { soa(m, t, "300") })
	if raceDetector {
		return // one kind shows what there is to race for
	}
	fill("a key", 10_100, func(_ int, m *mdns.Msg) {
		m.Answer = []mdns.RR{rr(t, name(m)+` 300 TXT "`+strings.Repeat("k", 250)+`" "`+strings.Repeat("k", 150)+`"`)}
	})
	fill("a long text of octets that need an escape", 200, func(_ int, m *mdns.Msg) {
		m.Answer = []mdns.RR{rr(t, name(m)+` 300 TXT`+strings.Repeat(` "`+strings.Repeat(`\000`, 250)+`"`, 60))}
	})
	fill("a thousand empty texts", 200, func(_ int, m *mdns.Msg) {
		for range 1000 {
			m.Answer = append(m.Answer, rr(t, name(m)+` 300 TXT ""`))
		}
		m.Compress = true
	})
	fill("records that nobody asked for", 300, func(i int, m *mdns.Msg) {
		m.Answer = []mdns.RR{rr(t, name(m)+` 300 TXT "x"`)}
		for range 50 {
			m.Extra = append(m.Extra, rr(t, `a.example. 300 TXT "`+strings.Repeat("x", 200)+`"`))
		}
	})
}

// A hostile server's octets: whatever they are, they are an answer, or none, or a
// temporary error.
func FuzzAnswer(f *testing.F) {
	q := question{"x.example", mdns.TypeTXT}
	query := newQuery(q, true)
	query.Id = 1
	for _, change := range []func(m *mdns.Msg){
		func(m *mdns.Msg) { m.Answer = []mdns.RR{rr(f, `x.example. 9 TXT "v=spf1 -all"`)} },
		func(m *mdns.Msg) {
			m.Answer = []mdns.RR{rr(f, `x.example. 9 CNAME y.example.`), rr(f, `y.example. 9 CNAME x.example.`)}
		},
		func(m *mdns.Msg) { m.Rcode = mdns.RcodeNameError; soa(m, f, "9") },
		func(m *mdns.Msg) { m.Ns = []mdns.RR{rr(f, "example. 9 NS ns.example.")}; m.Truncated = true },
		func(m *mdns.Msg) {
			m.SetEdns0(1232, true)
			m.IsEdns0().Option = append(m.IsEdns0().Option, &mdns.EDNS0_EDE{InfoCode: 7, ExtraText: "x"})
			m.Rcode = mdns.RcodeServerFailure
		},
	} {
		m := new(mdns.Msg)
		m.SetReply(query)
		change(m)
		packet, err := m.Pack()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(packet)
	}
	f.Fuzz(func(t *testing.T, packet []byte) {
		c := conversation{sent: []*mdns.Msg{query}}
		m, sent := c.match(packet)
		if sent == nil || m == nil {
			return
		}
		_ = extended(m)
		if m.Rcode != mdns.RcodeSuccess && m.Rcode != mdns.RcodeNameError {
			return
		}
		got := read(m, q)
		if got.ttl < 0 || got.ttl > maxTTL || got.fault == "" && !got.dangling && (len(got.rrs) == 0) != (got.err != nil) {
			t.Fatalf("%+v", got)
		}
		for _, kind := range []uint16{mdns.TypeTXT, mdns.TypeMX, mdns.TypeA, mdns.TypePTR} {
			got := read(m, question{q.name, kind})
			if got.fault != "" || got.dangling {
				continue
			}
			l := lookups{fixed(got.answer)}
			ctx := context.Background()
			var err error
			switch kind {
			case mdns.TypeTXT:
				_, err = l.LookupTXT(ctx, q.name)
			case mdns.TypeMX:
				_, err = l.LookupMX(ctx, q.name)
			case mdns.TypeA:
				_, err = l.LookupIPAddr(ctx, q.name)
			case mdns.TypePTR:
				_, err = l.LookupAddr(ctx, "192.0.2.1")
			}
			if err != nil && !IsNotFound(err) {
				t.Fatal(err)
			}
			_ = values(got.rrs)
		}
	})
}

// fixed is the same answer to every question.
type fixed answer

func (f fixed) records(context.Context, question) answer { return answer(f) }

func BenchmarkCached(b *testing.B) {
	r := New(Config{Servers: []string{serve(b, mustZone(b, `x.example TXT "v=spf1 -all"`))}})
	ctx, _ := Observe(context.Background())
	if _, err := r.LookupTXT(ctx, "x.example"); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.RunParallel(func(p *testing.PB) {
		for p.Next() {
			if _, err := r.LookupTXT(ctx, "x.example"); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkUncached(b *testing.B) {
	r := New(Config{Servers: []string{serve(b, mustZone(b, `x.example 0 TXT "v=spf1 -all"`))}})
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.LookupTXT(context.Background(), "x.example"); err != nil {
			b.Fatal(err)
		}
	}
}
