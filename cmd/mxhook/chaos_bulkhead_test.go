package main

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestASinkThatHangsLeavesTheOthersAlone measures a healthy sink's replies alone and
// beside one that hangs, and then how soon the circuit opens and closes.
func TestASinkThatHangsLeavesTheOthersAlone(t *testing.T) {
	const failures, budget, timeout = 5, time.Second, 3 * time.Second
	good, sick := startKeeper(t), startKeeper(t)
	p := patient{t: t, b: startBridge(t, fmt.Sprintf(`
hostname: mx.in.example
delivery: {ledger: 1h, budget: %s}
sinks:
  good: {type: webhook, url: %q, timeout: 20s}
  sick: {type: webhook, url: %q, timeout: %s, concurrency: 8, circuit: {failures: %d, open: 500ms}}
routes:
  - {name: sick, recipient: "sick@in.example", deliver: [sick]}
  - {name: good, recipient: "@in.example", deliver: [good]}
`, budget, good.URL, sick.URL, timeout, failures))}
	p.round("warm")
	alone := p.best("alone", 0)

	// The sick sink hangs, and mail for it keeps coming.
	full := make(chan time.Time, 1) // when the time-out that fills the count was over
	sick.ended = func(n int) {
		if n == failures {
			full <- time.Now()
		}
	}
	sick.be(always(hangs))
	stop := make(chan struct{})
	var sending sync.WaitGroup
	for s := range 8 {
		sending.Go(func() {
			for n := 0; ; n++ {
				if _, a := p.send(fmt.Sprintf("sick-%d-%d", s, n), "sick@in.example"); strings.HasPrefix(a.reply, "5") {
					t.Errorf("mail for the sick sink heard %q", a.reply)
				}
				select {
				case <-stop:
					return
				case <-time.After(20 * time.Millisecond):
				}
			}
		})
	}
	sick.await(t, "the first request that hangs", func() bool { return sick.count(hangs) >= failures })
	bound := max(2*alone, alone+30*time.Millisecond)
	hanging := p.best("hanging", bound)
	p.b.await(t, "circuit opened")
	opened := time.Since(<-full)
	open := p.best("open", bound)
	sick.be(nil)
	healed := time.Now()
	p.b.await(t, "circuit closed")
	closed := time.Since(healed)
	close(stop)
	sending.Wait()

	t.Logf("99th percentile alone %s, beside a sink that hangs %s, beside its open circuit %s; slowest transaction %s with a budget of %s; circuit opened after %s, closed after %s",
		alone, hanging, open, p.slowest, budget, opened, closed)
	if max(hanging, open) > bound {
		t.Errorf("the healthy sink's 99th percentile went from %s to %s and %s", alone, hanging, open)
	}
	if p.slowest >= timeout { // whoever waits for the sink, and not for the budget, waits as long as that
		t.Errorf("a transaction took %s with a budget of %s", p.slowest, budget)
	}
	if opened > 2*time.Second || closed > 15*time.Second {
		t.Errorf("the circuit opened after %s and closed after %s", opened, closed)
	}
}

// patient measures transactions.
type patient struct {
	t       *testing.T
	b       *running
	mu      sync.Mutex
	slowest time.Duration
}

func (p *patient) send(name, rcpt string) (time.Duration, attempt) {
	began := time.Now()
	a, _ := newLetter(name, rcpt).try(p.t.Context(), p.b.smtp, nil)
	took := time.Since(began)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.slowest = max(p.slowest, took)
	return took, a
}

// round returns the 99th percentile of a hundred messages for the healthy sink, in four
// sessions.
func (p *patient) round(name string) time.Duration {
	var all []time.Duration
	var sending sync.WaitGroup
	for s := range 4 {
		sending.Go(func() {
			for n := range 25 {
				took, a := p.send(fmt.Sprintf("%s-%d-%d", name, s, n), "good@in.example")
				if !strings.HasPrefix(a.reply, "250 ") {
					p.t.Errorf("good mail heard %q", a.reply)
				}
				p.mu.Lock()
				all = append(all, took)
				p.mu.Unlock()
			}
		})
	}
	sending.Wait()
	slices.Sort(all)
	return all[len(all)*99/100]
}

// best is the lowest of some rounds, since a machine that is busy with other things
// makes a round worse, never better; three at least, and more while enough is not met.
func (p *patient) best(name string, enough time.Duration) time.Duration {
	lowest := p.round(name)
	for n := 1; n < 3 || n < 12 && lowest > enough && enough > 0; n++ {
		lowest = min(lowest, p.round(fmt.Sprint(name, n)))
	}
	return lowest
}
