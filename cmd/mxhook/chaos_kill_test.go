package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// chaosConfig has a direct route, one of the spool, and one that spools what was deferred
// for a while. Of three sinks, flaky is of all of them.
const chaosConfig = `
hostname: mx.in.example
log: {format: json}
limits: {disk_reserve: 0}
admin: {address: "127.0.0.1:0"}
verify: {resolver: ["127.0.0.1:1"], timeout: 1s}
delivery: {ledger: 1h, budget: 1s}
sinks:
  app: {type: webhook, url: "%APP%", headers: {X-Process: "${MXHOOK_TEST_PROCESS:-}"}, concurrency: 8}
  crm: {type: webhook, url: "%CRM%", headers: {X-Process: "${MXHOOK_TEST_PROCESS:-}"}, concurrency: 8}
  flaky: {type: webhook, url: "%FLAKY%", headers: {X-Process: "${MXHOOK_TEST_PROCESS:-}"}, concurrency: 8, attempts: 1, timeout: 20s, circuit: {failures: 5, open: 200ms}}
routes:
  - {name: direct, recipient: "direct@in.example", deliver: [app, flaky]}
  - {name: spool, recipient: "spool@in.example", deliver: [crm, flaky], mode: spool}
  - {name: spill, recipient: "spill@in.example", deliver: [crm, flaky], spill_after: 1ms}
`

// world is three keepers and the configuration of a bridge before them.
type world struct {
	app, crm, flaky *keeper
	moments         *moments
	state, file     string
	yaml            string
}

func newWorld(t testing.TB) *world {
	w := &world{app: startKeeper(t), crm: startKeeper(t), flaky: startKeeper(t), moments: &moments{}, state: t.TempDir()}
	for _, r := range w.keepers() {
		r.moments = w.moments
	}
	w.yaml = strings.NewReplacer("%APP%", w.app.URL, "%CRM%", w.crm.URL, "%FLAKY%", w.flaky.URL).Replace(chaosConfig)
	w.file = filepath.Join(w.state, "mxhook.yaml")
	w.write(t, w.yaml)
	return w
}

// write makes a configuration file of it.
func (w *world) write(t testing.TB, yaml string) {
	t.Helper()
	yaml += fmt.Sprintf("listeners: [{address: \"127.0.0.1:0\", tls: {mode: none}}]\nstate: %q\n", w.state)
	if err := os.WriteFile(w.file, []byte(yaml), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (w *world) keepers() []*keeper { return []*keeper{w.app, w.crm, w.flaky} }

// sinksOf are the keepers that a recipient's route needs.
func (w *world) sinksOf(recipient string) []*keeper {
	if strings.HasPrefix(recipient, "direct") {
		return []*keeper{w.app, w.flaky}
	}
	return []*keeper{w.crm, w.flaky}
}

// letters are for one of the routes, or two.
func (w *world) letters(prefix string) func(session, n int) *letter {
	return func(session, n int) *letter {
		name := fmt.Sprintf("%s-%d-%d", prefix, session, n)
		return newLetter(name, [][]string{{"direct@in.example", "spool@in.example"}, {"direct@in.example"},
			{"spool@in.example"}, {"spill@in.example", "direct@in.example"}, {"spill@in.example"}}[n%5]...)
	}
}

// missing tells which units of what the sender was promised no sink has.
func (w *world) missing(promised []heard) (missing []string) {
	for _, p := range promised {
		for _, r := range w.sinksOf(p.recipient) {
			if len(r.of(p.letter, p.recipient)) == 0 {
				missing = append(missing, fmt.Sprint(p.letter, " for ", p.recipient, " at ", w.name(r)))
			}
		}
	}
	return missing
}

func (w *world) name(r *keeper) string {
	return map[*keeper]string{w.app: "app", w.crm: "crm", w.flaky: "flaky"}[r]
}

// drained waits until every sink has what the sender was promised.
func (w *world) drained(t testing.TB, promised []heard) {
	t.Helper()
	for _, p := range promised {
		for _, r := range w.sinksOf(p.recipient) {
			r.await(t, fmt.Sprint("delivery of ", p.letter, " for ", p.recipient, " to ", w.name(r)), func() bool { return len(r.of(p.letter, p.recipient)) > 0 })
		}
	}
}

// judge fails for every repeat that no fault explains: a unit is kept again only when
// its first yes was not heard, or the process that heard it was killed. All have the
// same id. It returns how many there were.
func (w *world) judge(t testing.TB) (repeats, afterKill int) {
	t.Helper()
	for _, r := range w.keepers() {
		r.mu.Lock()
		for u, list := range r.taken {
			for i, k := range list[1:] {
				before := list[i]
				repeats++
				switch {
				case k.id != before.id:
					t.Errorf("%s: %v was repeated with the id %s instead of %s", w.name(r), u, k.id, before.id)
				case !before.heard:
				case k.process != before.process:
					afterKill++
				default:
					t.Errorf("%s: %v was repeated by the process that had heard the yes", w.name(r), u)
				}
			}
		}
		r.mu.Unlock()
	}
	return repeats, afterKill
}

// flakiness makes one request of n fail, in one of all ways.
func flakiness(rng *rand.Rand, n int) func(arrival) mood {
	return func(arrival) mood { // called with the keeper's lock
		if rng.IntN(n) > 0 {
			return takes
		}
		if rng.IntN(20) == 0 {
			return []mood{late, leaves}[rng.IntN(2)]
		}
		return []mood{busy, broken, resets, loses}[rng.IntN(4)]
	}
}

// TestKill9LosesNothing kills the real process at random points while senders send and
// resend until they hear 250. Then every sink has every message, and what it has twice
// has the same id and was on its way at a kill.
func TestKill9LosesNothing(t *testing.T) {
	t.Parallel()
	kills, sessions := 15, 6
	if thorough() {
		kills = 220
	}
	rng := seeded(t)
	w := newWorld(t)
	w.flaky.be(flakiness(rand.New(rand.NewPCG(rng.Uint64(), 1)), 8))
	var address atomic.Value
	var spilled atomic.Int64 // units that a sink did not have yet when the sender heard 250
	start := func(n int) *process {
		p := startProcess(t, w.file, fmt.Sprint("MXHOOK_TEST_PROCESS=", n))
		address.Store(p.smtp)
		return p
	}
	p := start(0)
	s := &mta{t: t, server: func() string { return address.Load().(string) }, moments: w.moments, next: w.letters("kill"), told: func(l *letter, a attempt) {
		for _, rcpt := range a.promised() {
			for _, r := range w.sinksOf(rcpt) {
				switch has := len(r.of(l.name, rcpt)) > 0; {
				case !has && rcpt == "direct@in.example":
					t.Errorf("250 for %s, which %s does not have", l.name, w.name(r))
				case !has && rcpt == "spill@in.example":
					spilled.Add(1)
				}
			}
		}
	}}
	stop, ended := make(chan struct{}), make(chan struct{})
	go func() { defer close(ended); s.run(sessions, stop) }()

	var slowest time.Duration
	points := []string{"", "mail", "rcpt", "half", "dot", "reply", "request", "kept", "answered"}
	for n := range kills {
		kind, count := points[rng.IntN(len(points))], 1+rng.IntN(60)
		fired := w.moments.arm(kind, count, rng.IntN(2) == 0)
		waitFor(t, fmt.Sprintf("point %d of %q", count, kind), fired)
		p.cmd.Process.Kill()
		p.exited(t)
		p = start(n + 1)
		w.moments.release()
		slowest = max(slowest, p.began)
	}
	close(stop)
	waitFor(t, "the end of all letters", ended)
	w.flaky.be(nil)
	w.drained(t, s.promised)
	repeats, afterKill := w.judge(t)
	// A session has one message under way, for at most four units; a sink of the spool
	// at most its 8 at once.
	if bound := kills * (sessions*4 + 2*8); afterKill > bound {
		t.Errorf("%d units were repeated after a kill, more than %d that can have been on their way", afterKill, bound)
	}
	if missing := w.missing(s.promised); len(missing) > 0 {
		t.Fatalf("missing: %q", missing)
	}
	if thorough() && spilled.Load() == 0 {
		t.Error("nothing was spilled")
	}
	t.Logf("%d kills, %d recipients promised in %d tries, %d units spilled, 0 missing, %d units repeated, %d of them after a kill; slowest start %s",
		kills, len(s.promised), s.tries, spilled.Load(), repeats, afterKill, slowest)
	p.cmd.Process.Kill()
	p.exited(t)
}
