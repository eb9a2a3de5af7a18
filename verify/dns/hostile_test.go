package dns

import (
	"context"
	"fmt"
	"net"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	mdns "github.com/miekg/dns"
)

// packets is a name server over UDP alone that says what it is told to say, in octets.
// Over TCP nobody listens.
func packets(t testing.TB, answer func(query *mdns.Msg, reply func(packet []byte))) string {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wait sync.WaitGroup
	wait.Go(func() {
		buffer := make([]byte, 1500)
		for {
			n, from, err := conn.ReadFrom(buffer)
			if err != nil {
				return
			}
			query := new(mdns.Msg)
			if query.Unpack(buffer[:n]) == nil {
				answer(query, func(packet []byte) { _, _ = conn.WriteTo(packet, from) })
			}
		}
	})
	t.Cleanup(func() { conn.Close(); wait.Wait() })
	return conn.LocalAddr().String()
}

// silent is a name server that says nothing, and how often it was asked.
func silent(t testing.TB) (addr string, asked *atomic.Int64) {
	asked = new(atomic.Int64)
	return packets(t, func(*mdns.Msg, func([]byte)) { asked.Add(1) }), asked
}

// says packs a reply to a query.
func says(t testing.TB, query *mdns.Msg, change func(m *mdns.Msg)) []byte {
	m := new(mdns.Msg)
	m.SetReply(query)
	m.RecursionAvailable = true
	if change != nil {
		change(m)
	}
	packet, err := m.Pack()
	if err != nil {
		t.Error(err)
	}
	return packet
}

func TestServersWithoutEDNSAreAskedWithoutIt(t *testing.T) {
	for _, c := range []struct {
		rule   string
		refuse func(query *mdns.Msg) []byte
	}{
		{"who drops it", nil},
		{"FORMERR", func(q *mdns.Msg) []byte { return says(t, q, func(m *mdns.Msg) { m.Rcode = mdns.RcodeFormatError }) }},
		{"FORMERR without the question", func(q *mdns.Msg) []byte {
			return says(t, q, func(m *mdns.Msg) { m.Rcode, m.Question = mdns.RcodeFormatError, nil })
		}},
		{"NOTIMP", func(q *mdns.Msg) []byte {
			return says(t, q, func(m *mdns.Msg) { m.Rcode = mdns.RcodeNotImplemented })
		}},
		{"BADVERS", func(q *mdns.Msg) []byte {
			return says(t, q, func(m *mdns.Msg) { m.SetEdns0(udpSize, false); m.Rcode = mdns.RcodeBadVers })
		}},
	} {
		var asked, plain atomic.Int64
		addr := packets(t, func(query *mdns.Msg, reply func([]byte)) {
			asked.Add(1)
			if query.IsEdns0() == nil {
				plain.Add(1)
				reply(says(t, query, func(m *mdns.Msg) { m.Answer = []mdns.RR{rr(t, query.Question[0].Name+` 0 TXT "x"`)} }))
			} else if c.refuse != nil {
				reply(c.refuse(query))
			}
		})
		timeout := time.Minute
		if c.refuse == nil {
			timeout = time.Second // half of it is waited for
		}
		r := New(Config{Servers: []string{addr}, Timeout: timeout})
		now := time.Now()
		r.now = func() time.Time { return now }
		for i := range 3 {
			v, err := r.LookupTXT(context.Background(), fmt.Sprintf("n%d.example", i))
			if err != nil || len(v) != 1 {
				t.Fatalf("%s: %v, %v", c.rule, v, err)
			}
		}
		if asked.Load() != 4 || plain.Load() != 3 {
			t.Errorf("%s: %d questions, %d without EDNS: it is not remembered", c.rule, asked.Load(), plain.Load())
		}
		now = now.Add(plainTime)
		if _, err := r.LookupTXT(context.Background(), "later.example"); err != nil || asked.Load() != 6 {
			t.Errorf("%s: after a while EDNS is not tried again: %d questions, %v", c.rule, asked.Load(), err)
		}
	}
}

func TestAServerThatRefusesTCPLeavesTheQuestionOpen(t *testing.T) {
	short := packets(t, func(query *mdns.Msg, reply func([]byte)) {
		reply(says(t, query, func(m *mdns.Msg) {
			m.Truncated = true
			m.Answer = []mdns.RR{rr(t, query.Question[0].Name+` 9 TXT "the beginning"`)}
		}))
	})
	r := New(Config{Servers: []string{short}})
	v, err := r.LookupTXT(context.Background(), "long.example")
	if !IsTemporary(err) || IsNotFound(err) || len(v) != 0 || !strings.Contains(err.Error(), "over TCP") {
		t.Errorf("%q, %v", v, err)
	}
	r = New(Config{Servers: []string{short, serve(t, mustZone(t, `long.example TXT "all of it"`))}})
	if v, err := r.LookupTXT(context.Background(), "long.example"); err != nil || v[0] != "all of it" {
		t.Errorf("the next server: %q, %v", v, err)
	}
}

func TestTextsOf64KiBComeOverTCP(t *testing.T) {
	var text strings.Builder
	want := strings.Repeat("0123456789", 25)
	for range 250 {
		text.WriteString(` "` + want + `"`)
	}
	want = strings.Repeat(want, 250)
	r := New(Config{Servers: []string{serve(t, mustZone(t, "long.example TXT"+text.String()))}})
	for range 2 {
		if v, err := r.LookupTXT(context.Background(), "long.example"); err != nil || len(v) != 1 || v[0] != want {
			t.Fatalf("%d answers, %v", len(v), err)
		}
	}
	if _, ok := r.cache.get(question{"long.example", mdns.TypeTXT}, time.Now()); !ok {
		t.Error("it was not remembered")
	}
}

func TestHostileAnswers(t *testing.T) {
	tcp := func(answer func(query *mdns.Msg) []byte) string {
		z := mustZone(t, "")
		s := NewServer(z)
		s.handler = mdns.HandlerFunc(func(w mdns.ResponseWriter, query *mdns.Msg) {
			if _, udp := w.RemoteAddr().(*net.UDPAddr); udp {
				_, _ = w.Write(says(t, query, func(m *mdns.Msg) { m.Truncated = true }))
			} else if packet := answer(query); packet != nil {
				_, _ = w.Write(packet)
			} else {
				w.Close()
			}
		})
		if err := s.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { stop(t, s) })
		return s.Addr()
	}
	udp := func(packet func(query *mdns.Msg) []byte) string {
		return packets(t, func(query *mdns.Msg, reply func([]byte)) { reply(packet(query)) })
	}
	for _, c := range []struct{ rule, addr string }{
		{"cut in the middle of a record", udp(func(q *mdns.Msg) []byte {
			packet := says(t, q, func(m *mdns.Msg) { m.Answer = []mdns.RR{rr(t, q.Question[0].Name+` 9 TXT "x"`)} })
			return packet[:len(packet)-1]
		})},
		{"counts that promise more than there is", udp(func(q *mdns.Msg) []byte {
			packet := says(t, q, nil)
			packet[6], packet[7] = 0xff, 0xff
			return packet
		})},
		{"a compression pointer to itself", udp(func(q *mdns.Msg) []byte {
			packet := says(t, q, nil)
			packet[7] = 1
			at := len(packet)
			return append(packet, 0xc0|byte(at>>8), byte(at), 0, 16, 0, 1, 0, 0, 0, 9, 0, 2, 1, 'x')
		})},
		{"TCP that is closed", tcp(func(*mdns.Msg) []byte { return nil })},
		{"TCP that is cut off, too", tcp(func(q *mdns.Msg) []byte {
			return says(t, q, func(m *mdns.Msg) { m.Truncated = true })
		})},
		{"TCP with another id", tcp(func(q *mdns.Msg) []byte { return says(t, q, func(m *mdns.Msg) { m.Id++ }) })},
		{"TCP with no DNS", tcp(func(*mdns.Msg) []byte { return []byte("HTTP/1.1 200 OK") })},
		{"FORMERR always", udp(func(q *mdns.Msg) []byte {
			return says(t, q, func(m *mdns.Msg) { m.Rcode = mdns.RcodeFormatError })
		})},
		{"an unknown response code", udp(func(q *mdns.Msg) []byte { return says(t, q, func(m *mdns.Msg) { m.Rcode = 15 }) })},
		{"a referral", udp(func(q *mdns.Msg) []byte {
			return says(t, q, func(m *mdns.Msg) { m.Ns = []mdns.RR{rr(t, "example. 9 NS ns.example.")} })
		})},
		{"nothing by a server that neither recurses nor is an authority", udp(func(q *mdns.Msg) []byte {
			return says(t, q, func(m *mdns.Msg) { m.RecursionAvailable = false })
		})},
		{"an alias to itself", udp(func(q *mdns.Msg) []byte {
			return says(t, q, func(m *mdns.Msg) { m.Answer = []mdns.RR{rr(t, "x.example. 9 CNAME X.example.")} })
		})},
		{"two aliases in a circle", udp(func(q *mdns.Msg) []byte {
			return says(t, q, func(m *mdns.Msg) {
				m.Answer = []mdns.RR{rr(t, "x.example. 9 CNAME y.example."), rr(t, "y.example. 9 CNAME x.example.")}
			})
		})},
		{"a beginning of a chain to every question", udp(func(q *mdns.Msg) []byte {
			return says(t, q, func(m *mdns.Msg) { m.Answer = []mdns.RR{rr(t, q.Question[0].Name+" 9 CNAME x"+q.Question[0].Name)} })
		})},
	} {
		begin := time.Now()
		v, err := New(Config{Servers: []string{c.addr}, Timeout: 5 * time.Second}).LookupTXT(context.Background(), "x.example")
		if !IsTemporary(err) || IsNotFound(err) || len(v) != 0 {
			t.Errorf("%s: %q, %v, want a temporary error", c.rule, v, err)
		}
		if took := time.Since(begin); took > 4*time.Second {
			t.Errorf("%s: took %v, although the server answers at once", c.rule, took)
		}
	}
}

func TestOddAnswersThatAreOne(t *testing.T) {
	for _, c := range []struct {
		rule   string
		change func(m *mdns.Msg)
		found  bool
	}{
		{"other case everywhere", func(m *mdns.Msg) {
			m.Question[0].Name = "X.eXAMPLE."
			m.Answer = []mdns.RR{rr(t, `x.EXAMPLE. 9 TXT "x"`)}
		}, true},
		{"records in another order than the aliases", func(m *mdns.Msg) {
			m.Answer = []mdns.RR{rr(t, `z.example. 9 TXT "x"`), rr(t, "y.example. 9 CNAME z.example."), rr(t, "x.example. 9 CNAME y.example.")}
		}, true},
		{"NXDOMAIN without SOA", func(m *mdns.Msg) { m.Rcode = mdns.RcodeNameError }, false},
		{"an empty answer without SOA by a recursive server", func(m *mdns.Msg) {}, false},
		{"an empty answer by an authority", func(m *mdns.Msg) { m.RecursionAvailable, m.Authoritative = false, true }, false},
		{"records of another type", func(m *mdns.Msg) { m.Answer = []mdns.RR{rr(t, "x.example. 9 A 192.0.2.1")} }, false},
		{"records of another class", func(m *mdns.Msg) { m.Answer = []mdns.RR{rr(t, `x.example. 9 CH TXT "x"`)} }, false},
		{"an alias to the root", func(m *mdns.Msg) { m.Answer = []mdns.RR{rr(t, "x.example. 9 CNAME .")} }, false},
	} {
		addr := packets(t, func(query *mdns.Msg, reply func([]byte)) { reply(says(t, query, c.change)) })
		v, err := New(Config{Servers: []string{addr}}).LookupTXT(context.Background(), "x.example")
		if c.found && (err != nil || len(v) != 1) || !c.found && !IsNotFound(err) {
			t.Errorf("%s: %q, %v", c.rule, v, err)
		}
	}
}

func TestAliasChainsAreFollowedToTheirEnd(t *testing.T) {
	var zone strings.Builder
	for i := range 10 {
		fmt.Fprintf(&zone, "a%d.example 60 CNAME a%d.example.\n", i, i+1)
	}
	zone.WriteString(`a10.example 300 TXT "end"` + "\n")
	z := mustZone(t, zone.String())
	// This one gives a single alias at a time, as some forwarders do.
	piecemeal := packets(t, func(query *mdns.Msg, reply func([]byte)) {
		name, _ := owner(query.Question[0].Name)
		reply(says(t, query, func(m *mdns.Msg) {
			if f := z.find(name, mdns.TypeTXT); len(f.rrs) > 0 {
				m.Answer = f.rrs[:1]
			}
		}))
	})
	for _, r := range []Resolver{z, New(Config{Servers: []string{serve(t, z)}}), New(Config{Servers: []string{piecemeal}})} {
		if v, err := r.LookupTXT(context.Background(), "a2.example"); err != nil || v[0] != "end" {
			t.Errorf("%T: eight aliases: %q, %v", r, v, err)
		}
		if v, err := r.LookupTXT(context.Background(), "a0.example"); !IsTemporary(err) {
			t.Errorf("%T: ten aliases: %q, %v", r, v, err)
		}
	}
	r := New(Config{Servers: []string{piecemeal}})
	if _, err := r.LookupTXT(context.Background(), "a5.example"); err != nil {
		t.Fatal(err)
	}
	if a, ok := r.cache.get(question{"a5.example", mdns.TypeTXT}, time.Now()); !ok || time.Until(a.expires) > time.Minute || a.alias != "a10.example" {
		t.Errorf("remembered: %t, %+v", ok, a)
	}
}

func TestASlowServerLosesNothingByTheSecondQuestion(t *testing.T) {
	var first atomic.Pointer[mdns.Msg]
	addr := packets(t, func(query *mdns.Msg, reply func([]byte)) {
		if query.IsEdns0() != nil {
			first.Store(query)
			return
		}
		// By the time the second question comes the first one is answered.
		reply(says(t, first.Load(), func(m *mdns.Msg) {
			m.SetEdns0(udpSize, false)
			m.Answer = []mdns.RR{rr(t, `x.example. 9 TXT "x"`)}
		}))
	})
	r := New(Config{Servers: []string{addr}, Timeout: time.Second})
	if v, err := r.LookupTXT(context.Background(), "x.example"); err != nil || len(v) != 1 {
		t.Error(v, err)
	}
	if r.upstreams.list[0].plain.Load() != 0 {
		t.Error("a server that answers with EDNS is taken for one without")
	}
}

func TestHostileServersLeaveNoGoroutine(t *testing.T) {
	before := runtime.NumGoroutine()
	t.Run("", func(t *testing.T) {
		dead, _ := silent(t)
		r := New(Config{Servers: []string{dead}, Timeout: 10 * time.Millisecond, Concurrency: 8})
		var wait sync.WaitGroup
		for i := range 100 {
			wait.Go(func() {
				ctx, cancel := context.WithTimeout(context.Background(), time.Duration(i)*time.Millisecond)
				defer cancel()
				if _, err := r.LookupIPAddr(ctx, fmt.Sprintf("a.n%d.example", i%50)); !IsTemporary(err) {
					t.Error(err)
				}
			})
		}
		wait.Wait()
		if r.gate.out != 0 || len(r.gate.domains) != 0 || r.gate.turns.Len() != 0 || r.gate.leaving != 0 || len(r.flights) != 0 {
			t.Errorf("left: %+v, %d flights", r.gate, len(r.flights))
		}
	})
	// A flight's goroutine ends just after its waiters are told.
	for deadline := time.Now().Add(5 * time.Second); runtime.NumGoroutine() > before && time.Now().Before(deadline); {
		runtime.Gosched()
	}
	if now := runtime.NumGoroutine(); now > before {
		t.Errorf("%d goroutines, %d before", now, before)
	}
}
