package spool_test

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"mxhook/sinks"
	"mxhook/sinks/ledger"
	"mxhook/sinks/ledger/ledgertest"
	"mxhook/sinks/spool"
	"mxhook/sinks/spool/spooltest"
)

// history is one run of a process that may die at any step, and of those after it.
type history struct {
	t      *testing.T
	what   string
	disk   *spooltest.Disk
	book   *ledgertest.Disk
	healed bool // the sinks that refuse or fail take everything now

	mu      sync.Mutex
	taken   map[string]int  // item id: how many times its sink said yes
	refused map[string]bool // item ids
	acked   map[string]bool // Put returned nil
	dropped map[string]bool // Drop was called; true: it returned nil
}

func newHistory(t *testing.T, what string) *history {
	return &history{t: t, what: what, disk: spooltest.NewDisk(), book: ledgertest.NewDisk(), taken: map[string]int{},
		refused: map[string]bool{}, acked: map[string]bool{}, dropped: map[string]bool{}}
}

// Deliver of each sink is a step, before and after the yes.
func (h *history) sink(name string) (sinks.Sink, func()) {
	tries := map[string]int{}
	return &sink{name: name, answer: func(_ context.Context, e *sinks.Event) sinks.Outcome {
		if h.disk.Step() != nil {
			return later()
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		id := e.ID + "." + name
		tries[id]++
		switch {
		case name == "bad" && !h.healed:
			h.refused[id] = true
			return never()
		case name == "slow" && !h.healed:
			return later()
		}
		h.taken[id]++
		return taken()
	}}, nil
}

// process is one life of the program.
func (h *history) process(work func(s *spool.Spool)) {
	h.book.Fail(func(op string) error {
		if op == "read" || op == "list" {
			return nil
		}
		return h.disk.Step()
	})
	l, err := ledger.Open("", ledger.Options{Files: h.book, Retry: time.Minute})
	if err != nil {
		return // died while it started
	}
	defer l.Close()
	s, err := spool.Open("", spool.Options{Files: h.disk, Ledger: l, Sink: h.sink, Workers: 1})
	if err != nil {
		if !h.disk.Dead() {
			h.t.Fatalf("%s: %v", h.what, err)
		}
		return
	}
	s.Start()
	work(s)
	if err := s.Stop(context.Background()); err != nil {
		h.t.Fatal(err)
	}
	s.Close()
}

// crash ends a life.
func (h *history) crash(seed int) {
	newer := func(string) bool { return seed == 1 }
	keep := func(n int) int { return n * (seed % 2) }
	if seed > 1 {
		r := rand.New(rand.NewPCG(uint64(seed), 1))
		newer = func(string) bool { return r.IntN(2) == 0 }
		keep = func(n int) int { return r.IntN(n + 1) }
	}
	h.disk.PowerFailure(newer, keep)
	h.book.Fail(nil)
	h.book.PowerFailure(keep)
}

func (h *history) put(s *spool.Spool, entries ...spool.Entry) {
	if s.Put(entries) == nil {
		for _, e := range entries {
			h.acked[e.Event.ID+"."+e.Sink] = true
		}
	}
}

// first is what the life that dies has to do.
func (h *history) first(s *spool.Spool) {
	one, two, three := received(h.t, 1), received(h.t, 2), received(h.t, 3)
	h.put(s, entry(one, "app"), entry(one, "bad"), entry(one, "slow"))
	unremembered := entry(two, "app")
	unremembered.Keys = nil
	h.put(s, unremembered)
	h.put(s, entry(three, "bad"))
	if s.Bury(two, "direct", never()) == nil {
		h.acked[two.ID+".direct"] = true
	}
	time.Sleep(10 * time.Second)
	synctest.Wait()
	if ids := []string{three.ID + ".bad"}; h.acked[ids[0]] {
		s.Replay(ids) // is refused again
	}
	time.Sleep(10 * time.Second)
	synctest.Wait()
	for _, id := range []string{one.ID + ".slow", two.ID + ".direct"} {
		if h.acked[id] {
			h.dropped[id] = s.Drop([]string{id}) == nil
		}
	}
	synctest.Wait()
}

// check looks at what the next life knows.
func (h *history) check(s *spool.Spool) {
	t := h.t
	time.Sleep(2 * time.Hour) // all that can be delivered is
	synctest.Wait()
	state := map[string]spool.State{}
	for _, i := range s.List() {
		if state[i.ID] != "" {
			t.Errorf("%s: %s is listed twice", h.what, i.ID)
		}
		state[i.ID] = i.State
	}
	for _, id := range slices.Sorted(maps.Keys(h.acked)) {
		done, asked := h.dropped[id]
		switch {
		case asked && done && state[id] != "":
			t.Errorf("%s: %s was dropped and is %s", h.what, id, state[id])
		case asked:
		case state[id] == "" && h.taken[id] == 0:
			t.Errorf("%s: %s was acknowledged and is lost", h.what, id)
		case state[id] != "" && h.taken[id] > 0:
			t.Errorf("%s: %s was taken by its sink and is %s", h.what, id, state[id])
		}
	}
}

// known returns the items that the ledger knows as delivered.
func (h *history) known(t *testing.T) map[string]int {
	l, err := ledger.Open("", ledger.Options{Files: h.book})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	out := map[string]int{}
	for n := 1; n <= 3; n++ {
		e := received(t, n)
		for _, name := range []string{"app", "bad", "slow"} {
			if l.Known(entry(e, name).Keys)[0].State == ledger.Delivered {
				out[e.ID+"."+name] = h.taken[e.ID+"."+name]
			}
		}
	}
	return out
}

// TestACrashAtAnyStepLosesNothing lets the process die at each step of puts,
// deliveries, burials, a replay and drops; what was not synced is gone, in several ways.
func TestACrashAtAnyStepLosesNothing(t *testing.T) {
	seeds := crashSeeds
	if testing.Short() {
		seeds = min(seeds, 3)
	}
	steps := 0
	for seed := range seeds {
		for n := 0; ; n++ {
			ended := false
			synctest.Test(t, func(t *testing.T) {
				h := newHistory(t, fmt.Sprintf("dead after %d steps, seed %d", n, seed))
				h.disk.Die(n)
				h.process(h.first)
				ended = !h.disk.Dead()
				h.crash(seed)
				delivered := h.known(t)
				h.process(h.check)
				for id, times := range delivered {
					if h.taken[id] != times {
						t.Errorf("%s: the ledger knew %s as delivered, and it was sent again", h.what, id)
					}
				}
				h.crash(0)
				h.healed = true
				h.process(func(s *spool.Spool) { // a person puts back what is dead
					synctest.Wait()
					var ids []string
					for _, i := range s.List() {
						ids = append(ids, i.ID)
					}
					if err := s.Replay(ids); err != nil {
						t.Errorf("%s: %v", h.what, err)
					}
					time.Sleep(2 * time.Hour)
					synctest.Wait()
					if w, d, bytes := s.Stats(); w+d != 0 || bytes != 0 {
						t.Errorf("%s: %d wait, %d are dead, %d octets", h.what, w, d, bytes)
					}
				})
				for id := range h.acked {
					if _, asked := h.dropped[id]; h.taken[id] == 0 && !asked {
						t.Errorf("%s: %s never reached its sink", h.what, id)
					}
				}
				if names := h.disk.Names(); len(names) > 0 {
					t.Errorf("%s: left %v", h.what, names)
				}
			})
			if t.Failed() {
				return
			}
			if ended {
				steps = n
				break
			}
		}
	}
	t.Logf("%d steps, %d ways to lose what was not synced", steps, seeds)
	if steps < 50 {
		t.Errorf("only %d steps", steps)
	}
}
