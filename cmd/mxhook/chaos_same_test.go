package main

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"mxhook/cmd/internal/bridge"
	"mxhook/verify/dns"
)

// TestManySessionsWithTheSameMessageDeliverEachUnitOnce sends messages from several
// sessions at once, each naming other recipients of it, to sinks of which one fails now
// and then, over all kinds of routes. Each unit is kept once, or again with a reason.
func TestManySessionsWithTheSameMessageDeliverEachUnitOnce(t *testing.T) {
	rng := seeded(t)
	app, flaky := startKeeper(t), startKeeper(t)
	moods := rand.New(rand.NewPCG(rng.Uint64(), 1))
	flaky.be(func(arrival) mood { // also late: the budget is over, and others wait for that unit
		return []mood{takes, takes, takes, late, busy, broken, resets, loses}[moods.IntN(8)]
	})
	// The network vouches, which needs no look-up: one that this short budget cuts off on
	// a busy machine would make it another message.
	zone, err := dns.ParseZone("$ORIGIN sender.example.\n$TTL 300\nmail IN A 127.0.0.1\n")
	if err != nil {
		t.Fatal(err)
	}
	b := startBridge(t, fmt.Sprintf(`
hostname: mx.in.example
delivery: {ledger: 1h, budget: 1s}
sinks:
  app: {type: webhook, url: %q}
  flaky: {type: webhook, url: %q, attempts: 1, timeout: 50s, circuit: {failures: 0}}
  single: {type: webhook, url: %q, attempts: 1, timeout: 50s, circuit: {failures: 0}, fan_out: recipient}
routes:
  - {name: spool, recipient: "spool-*@in.example", deliver: [app, flaky], mode: spool}
  - {name: spill, recipient: "spill-*@in.example", deliver: [app, flaky], spill_after: 1ms}
  - {name: direct, recipient: "direct-*@in.example", deliver: [app, single]}
`, app.URL, flaky.URL, flaky.URL), func(o *bridge.Options) { o.Resolver = zone })
	everybody := []string{
		"direct-a@in.example", "direct-b@in.example", "direct-c@in.example",
		"spool-a@in.example", "spool-b@in.example", "spill-a@in.example", "spill-b@in.example",
	}
	const messages, sessions = 6, 5
	s := &mta{t: t, server: func() string { return b.smtp }, replies: map[string]int{}}
	var sending sync.WaitGroup
	for n := range messages {
		for range sessions {
			var some []string
			for _, i := range rng.Perm(len(everybody))[:1+rng.IntN(len(everybody))] {
				some = append(some, everybody[i])
			}
			l := newLetter(fmt.Sprint("same-", n), some...)
			sending.Go(func() { s.bring(l) })
		}
	}
	sending.Wait()
	flaky.be(nil)
	units := map[heard]bool{}
	for _, p := range s.promised {
		units[p] = true
	}
	repeats := 0
	for p := range units {
		for name, k := range map[string]*keeper{"app": app, "flaky": flaky} {
			k.await(t, fmt.Sprint(p, " at ", name), func() bool { return len(k.of(p.letter, p.recipient)) > 0 })
			list := k.of(p.letter, p.recipient)
			for i, again := range list[1:] {
				if repeats++; list[i].heard {
					t.Errorf("%v was kept again by %s, as %s after %s", p, name, again.id, list[i].id)
				}
			}
		}
	}
	t.Logf("%d units at two sinks, %d tries, replies %v, %d repeated because the answer was lost", len(units), s.tries, s.replies, repeats)
}
