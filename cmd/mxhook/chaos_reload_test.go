package main

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// underLoad starts the real process and a sender before it, and ends both when during
// returns: then nothing may be missing, and nothing repeated that was heard.
func underLoad(t *testing.T, prefix string, during func(w *world, p *process, restart func() *process) *process) {
	rng := seeded(t)
	w := newWorld(t)
	w.flaky.be(flakiness(rand.New(rand.NewPCG(rng.Uint64(), 1)), 20))
	var address atomic.Value
	runs := 0
	start := func() *process {
		p := startProcess(t, w.file, fmt.Sprint("MXHOOK_TEST_PROCESS=", runs))
		runs++
		address.Store(p.smtp)
		return p
	}
	p := start()
	s := &mta{t: t, server: func() string { return address.Load().(string) }, moments: w.moments, next: w.letters(prefix)}
	stop, ended := make(chan struct{}), make(chan struct{})
	go func() { defer close(ended); s.run(6, stop) }()
	p = during(w, p, start)
	close(stop)
	waitFor(t, "the end of all letters", ended)
	w.flaky.be(nil)
	w.drained(t, s.promised)
	p.signal(t, syscall.SIGTERM)
	if err := p.exited(t); err != nil {
		t.Errorf("exit: %v\n%s", err, p.log.tail())
	}
	repeats, unexplained := w.judge(t)
	if unexplained > 0 {
		t.Errorf("%d units were repeated though their yes was heard", unexplained)
	}
	t.Logf("%d recipients promised in %d tries, replies %v, %d deferred at RCPT, %d repeated because the answer was lost", len(s.promised), s.tries, s.replies, s.deferred, repeats)
}

// TestReloadsUnderLoadLoseNothing reloads twenty times, every third time a faulty file,
// with a sink more or less and other numbers.
func TestReloadsUnderLoadLoseNothing(t *testing.T) {
	t.Parallel()
	underLoad(t, "reload", func(w *world, p *process, _ func() *process) *process {
		extra := startKeeper(t)
		more := strings.NewReplacer("sinks:\n", fmt.Sprintf("sinks:\n  extra: {type: webhook, url: %q}\n", extra.URL),
			"deliver: [app, flaky]", "deliver: [extra, app, flaky]", "budget: 1s", "budget: 3s").Replace(w.yaml)
		for n := range 20 {
			waitFor(t, "mail between the reloads", w.moments.arm("reply", 10, false))
			yaml, told := w.yaml, "configuration reloaded"
			switch {
			case n%3 == 2:
				yaml, told = more+"nonsense: true\n", "configuration not reloaded, the old one stays"
			case n%2 == 0:
				yaml = more
			}
			w.write(t, yaml)
			p.signal(t, syscall.SIGHUP)
			p.await(t, told)
		}
		if extra.count(takes) == 0 {
			t.Error("the sink that a reload brought got nothing")
		}
		return p
	})
}

// TestSIGTERMUnderLoadLosesNothing ends and starts the process ten times.
func TestSIGTERMUnderLoadLosesNothing(t *testing.T) {
	t.Parallel()
	var slowest time.Duration
	underLoad(t, "term", func(w *world, p *process, restart func() *process) *process {
		for range 10 {
			waitFor(t, "mail between the ends", w.moments.arm("reply", 20, false))
			began := time.Now()
			p.signal(t, syscall.SIGTERM)
			if err := p.exited(t); err != nil {
				t.Errorf("exit: %v\n%s", err, p.log.tail())
			}
			slowest = max(slowest, time.Since(began))
			p = restart()
		}
		return p
	})
	// The budget is 1 s, the flaky sink's latest answer comes after 1.5 s; what is beyond is the machine's.
	if slowest > 15*time.Second {
		t.Errorf("an end took %s", slowest)
	}
	t.Logf("the slowest end took %s", slowest)
}
