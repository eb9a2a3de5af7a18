package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// combinationsAtOnce is how many messages a spool has at a time in these tests: those
// that hang take a worker each, of which a sink has 8.
const combinationsAtOnce = 7

// TestEveryCombinationOfThreeSpooledUnits is TestEveryCombinationOfThreeUnits for a
// route of the spool: the sender hears 250 at once, and the rest is the spool's.
func TestEveryCombinationOfThreeSpooledUnits(t *testing.T) {
	rng := seeded(t)
	first, last := 0, 125
	if !thorough() { // a part of them, another each time
		first = combinationsAtOnce * rng.IntN(125/combinationsAtOnce-1)
		last = first + 2*combinationsAtOnce
	}
	for n := first; n < last; n += combinationsAtOnce {
		t.Run(fmt.Sprintf("from %d on", n), func(t *testing.T) {
			t.Parallel()
			runSpooled(t, n, min(n+combinationsAtOnce, last))
		})
	}
}

// moodsOf are the moods of the n-th combination.
func moodsOf(n int) [3]mood {
	moods := []mood{takes, busy, fends, hangs, kills}
	return [3]mood{moods[n/25], moods[n/5%5], moods[n%5]}
}

// spooled are the combinations first to last, one message each, in one spool.
type spooled struct {
	first, last int
	keepers     [3]*keeper
}

func (s *spooled) each(do func(n, unit int, m mood)) {
	for n := s.first; n < s.last; n++ {
		for unit, m := range moodsOf(n) {
			do(n, unit, m)
		}
	}
}

func (s *spooled) count(want mood) (count int) {
	s.each(func(_, _ int, m mood) {
		if m == want {
			count++
		}
	})
	return count
}

func runSpooled(t *testing.T, first, last int) {
	s := &spooled{first: first, last: last}
	for unit := range s.keepers {
		s.keepers[unit] = startKeeper(t)
		s.keepers[unit].be(func(a arrival) mood {
			var n int
			fmt.Sscanf(a.Subject, "spooled-%d", &n)
			return moodsOf(n)[unit]
		})
	}
	state := t.TempDir()
	b := startBridgeIn(t, state, s.config())
	for n := first; n < last; n++ {
		a, err := newLetter(fmt.Sprint("spooled-", n), "x@in.example").try(t.Context(), b.smtp, nil)
		if err != nil || !strings.HasPrefix(a.reply, "250 ") {
			t.Fatalf("%v: %q, %v", moodsOf(n), a.reply, err)
		}
	}
	// All have been asked, and what could be settled is.
	s.each(func(n, unit int, m mood) {
		k := s.keepers[unit]
		k.await(t, fmt.Sprintf("the first request for unit %d of %v", unit, moodsOf(n)), func() bool { return k.asked(fmt.Sprint("spooled-", n)) > 0 })
	})
	b.awaitEach(t, map[string]int{"delivered": s.count(takes), "dead event kept": s.count(fends)})
	crashed := s.count(kills) > 0
	if crashed {
		state = s.crash(t, b, state)
	}
	for unit := range s.keepers {
		s.keepers[unit].be(func(a arrival) mood {
			var n int
			fmt.Sscanf(a.Subject, "spooled-%d", &n)
			if moodsOf(n)[unit] == fends {
				return fends
			}
			return takes
		})
	}
	for _, k := range s.keepers {
		k.CloseClientConnections() // no answer comes any more
	}
	if crashed {
		startBridgeIn(t, state, s.config())
	}
	s.check(t, state, crashed)
}

// crash returns the state folder as it is now, and ends the bridge, whose requests that
// have no answer yet will never have one.
func (s *spooled) crash(t *testing.T, b *running, state string) (after string) {
	t.Helper()
	after = copyState(t, state)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	b.Stop(ctx)
	return after
}

func (s *spooled) config() string {
	yaml := "hostname: mx.in.example\ndelivery: {ledger: 1h, budget: 60s}\nsinks:\n"
	for i, k := range s.keepers {
		yaml += fmt.Sprintf("  s%d: {type: webhook, url: %q, attempts: 1, timeout: 50s, circuit: {failures: 0}}\n", i, k.URL)
	}
	return yaml + `routes: [{recipient: "@in.example", deliver: [s0, s1, s2], mode: spool}]` + "\n"
}

// check waits until each unit is where it belongs, and counts.
func (s *spooled) check(t *testing.T, state string, crashed bool) {
	t.Helper()
	s.each(func(n, unit int, m mood) {
		k, name := s.keepers[unit], fmt.Sprint("spooled-", n)
		want := map[mood]int{takes: 1, busy: 1, hangs: 1, kills: 2}[m]
		k.await(t, fmt.Sprintf("unit %d of %v", unit, moodsOf(n)), func() bool { return len(k.of(name, "x@in.example")) >= want })
		got := k.of(name, "x@in.example")
		if crashed && m == takes && len(got) == 2 {
			want = 2 // the crash may have come before the yes was remembered
		}
		if len(got) != want {
			t.Errorf("unit %d of %v was kept %d times, want %d", unit, moodsOf(n), len(got), want)
		}
		if len(got) == 2 && got[0].id != got[1].id {
			t.Errorf("unit %d of %v was repeated with another id", unit, moodsOf(n))
		}
	})
	if files, _ := filepath.Glob(filepath.Join(state, "dead", "*.eml")); len(files) != s.count(fends) {
		t.Errorf("%d dead events, want %d: %q", len(files), s.count(fends), files)
	}
}
