package dns

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	mdns "github.com/miekg/dns"
)

// hold takes slots for a domain's questions that nobody ever answers. Each waits for as
// long as its context, or until it has to give way; the numbers of both are returned.
func hold(g *gate, wait *sync.WaitGroup, n int, domain func(i int) string, patience time.Duration) (gaveWay, late *atomic.Int64) {
	gaveWay, late = new(atomic.Int64), new(atomic.Int64)
	for i := range n {
		wait.Go(func() {
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			leave := make(chan struct{})
			t := g.enter(ctx, domain(i), func() { close(leave) })
			if t == nil {
				late.Add(1)
				return
			}
			defer g.leave(t)
			select {
			case <-leave:
				gaveWay.Add(1)
			case <-ctx.Done():
			}
		})
	}
	return gaveWay, late
}

// through is how long a question of another domain waits for its slot.
func through(t *testing.T, g *gate, domain string) time.Duration {
	t.Helper()
	begin := time.Now()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	slot := g.enter(ctx, domain, func() {})
	if slot == nil {
		t.Fatalf("%s got no slot in 10 s", domain)
	}
	g.leave(slot)
	return time.Since(begin)
}

func TestASlowDomainDelaysNobodyElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(256, 500*time.Millisecond)
		var wait sync.WaitGroup
		gaveWay, late := hold(g, &wait, 1000, func(int) string { return "slow.example" }, 10*time.Second)
		synctest.Wait()
		if g.out != 32 {
			t.Errorf("one domain has %d slots", g.out)
		}
		for range 100 {
			if took := through(t, g, "fast.example"); took != 0 {
				t.Fatalf("waited %v", took)
			}
		}
		wait.Wait()
		if gaveWay.Load() != 0 || late.Load() == 0 {
			t.Errorf("%d gave way although nobody else waited, %d had no turn", gaveWay.Load(), late.Load())
		}
	})
}

func TestManySlowDomainsDelayOthersByTheirPatienceATurn(t *testing.T) {
	for domains, most := range map[int]time.Duration{8: time.Second, 100: time.Second, 1000: 3 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			g := newGate(256, 500*time.Millisecond)
			var wait sync.WaitGroup
			gaveWay, _ := hold(g, &wait, 5000, func(i int) string { return fmt.Sprintf("slow%d.example", i%domains) }, 20*time.Second)
			synctest.Wait()
			if g.out != 256 {
				t.Errorf("%d slots are in use", g.out)
			}
			var worst time.Duration
			for i := range 5 {
				worst = max(worst, through(t, g, fmt.Sprintf("fast%d.example", i)))
			}
			if worst > most {
				t.Errorf("%d slow domains: another waits %v for a slot", domains, worst)
			}
			t.Logf("%d slow domains with 5000 questions: another one waits %v at most", domains, worst)
			wait.Wait()
			if gaveWay.Load() == 0 || g.out != 0 || g.leaving != 0 || len(g.domains) != 0 || g.running.Len() != 0 || g.turns.Len() != 0 {
				t.Errorf("%d gave way; left: %+v", gaveWay.Load(), g)
			}
		})
	}
}

func TestTheGateKeepsItsBooksWhateverComes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(16, 50*time.Millisecond)
		random := rand.New(rand.NewPCG(1, 2))
		var wait sync.WaitGroup
		var out atomic.Int64
		for range 3000 {
			name := fmt.Sprintf("d%d.example", random.IntN(20))
			takes, waits := time.Duration(random.IntN(300))*time.Millisecond, time.Duration(random.IntN(2000))*time.Millisecond
			wait.Go(func() {
				ctx, cancel := context.WithTimeout(context.Background(), waits)
				defer cancel()
				work, end := context.WithTimeout(context.Background(), takes)
				defer end()
				slot := g.enter(ctx, name, end)
				if slot == nil {
					return
				}
				if out.Add(1) > 16 {
					t.Error("more than 16 at once")
				}
				<-work.Done()
				out.Add(-1)
				g.leave(slot)
			})
			if random.IntN(4) == 0 {
				time.Sleep(time.Duration(random.IntN(20)) * time.Millisecond)
			}
		}
		wait.Wait()
		if g.out != 0 || g.leaving != 0 || len(g.domains) != 0 || g.running.Len() != 0 || g.turns.Len() != 0 {
			t.Errorf("left: %+v", g)
		}
	})
}

func TestWhoAnswersForAName(t *testing.T) {
	for name, want := range map[string]string{
		"a.b.sender.example": "sender.example", "sender.example": "sender.example", "example": "example",
		"mail.sender.co.uk": "sender.co.uk", "co.uk": "co.uk", "s1._domainkey.sender.example": "sender.example",
		"4.3.2.1.in-addr.arpa": "2.1.in-addr.arpa", "1.in-addr.arpa": "1.in-addr.arpa",
		strings.Repeat("0.", 24) + "8.b.d.0.1.0.0.2.ip6.arpa": "8.b.d.0.1.0.0.2.ip6.arpa",
	} {
		if got := party(name); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}

// The whole of it with a real server: all slots are wanted by domains that never answer.
func TestLookUpsGoOnWhileSlowDomainsWantAllSlots(t *testing.T) {
	addr := packets(t, func(query *mdns.Msg, reply func([]byte)) {
		if !strings.Contains(query.Question[0].Name, "slow") {
			reply(says(t, query, func(m *mdns.Msg) { m.Answer = []mdns.RR{rr(t, query.Question[0].Name+` 0 TXT "x"`)} }))
		}
	})
	r := New(Config{Servers: []string{addr}, Timeout: 2 * time.Second, Concurrency: 32})
	hostile, end := context.WithCancel(context.Background())
	var wait sync.WaitGroup
	for i := range 60 {
		wait.Go(func() {
			for n := 0; hostile.Err() == nil; n++ {
				if _, err := r.LookupTXT(hostile, fmt.Sprintf("x%d.slow%d.example", n, i)); !IsTemporary(err) {
					t.Errorf("a slow domain: %v, want a temporary error", err)
				}
			}
		})
	}
	for i := range 3 {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		if _, err := r.LookupTXT(ctx, fmt.Sprintf("fast%d.example", i)); err != nil {
			t.Error(err)
		}
		cancel()
	}
	end()
	wait.Wait()
}
