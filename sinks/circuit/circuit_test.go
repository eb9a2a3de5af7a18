package circuit

import (
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"mxhook/inbound"
	"mxhook/inbound/status"
	"mxhook/sinks"
)

// bed is a Set with one guarded sink, and what was told.
type bed struct {
	*Set
	sink  sinks.Sink
	inner *fake
	told  []State
}

// fake is a sink whose attempts are what a test makes of them.
type fake struct {
	mu      sync.Mutex
	deliver func(ctx context.Context, e *sinks.Event) sinks.Outcome
	closed  bool
}

func (f *fake) Name() string         { return "app" }
func (f *fake) FanOut() sinks.FanOut { return sinks.FanOutRecipient }
func (f *fake) Close()               { f.closed = true }
func (f *fake) set(d func(context.Context, *sinks.Event) sinks.Outcome) {
	f.mu.Lock()
	f.deliver = d
	f.mu.Unlock()
}
func (f *fake) Deliver(ctx context.Context, e *sinks.Event) sinks.Outcome {
	f.mu.Lock()
	d := f.deliver
	f.mu.Unlock()
	return d(ctx, e)
}

func newBed(c Config) *bed {
	b := &bed{inner: &fake{}}
	b.Set = New(Options{Changed: func(_ string, s State) { b.told = append(b.told, s) }})
	b.Configure("app", c)
	b.sink = b.Guard(b.inner)
	b.answer(sinks.Well)
	return b
}

func usual() *bed { return newBed(Config{Failures: 5, Open: 5 * time.Second}) }

func message(n int) [sha256.Size]byte { return sha256.Sum256(fmt.Append(nil, n)) }

func event(n int, session string) *sinks.Event {
	return &sinks.Event{Identity: message(n), Session: inbound.Session{ID: session}}
}

// attempt tells of an attempt for message n that just began.
func (b *bed) attempt(n int, h sinks.Health) { b.tell(n, h, conditions[h], 0) }

var conditions = map[sinks.Health]*status.Condition{
	sinks.Well: status.Delivered, sinks.Unreachable: status.SinkTimeout, sinks.Failing: status.SinkFailed, "": status.LocalError,
}

func (b *bed) tell(n int, h sinks.Health, c *status.Condition, took time.Duration) {
	b.Observe(nil).Attempt(sinks.Attempt{Sink: "app", Message: message(n), Health: h, Condition: c, Took: took})
}

// outcome is what a sink says that met h.
func (b *bed) outcome(e *sinks.Event, h sinks.Health, c *status.Condition, took time.Duration) sinks.Outcome {
	b.Observe(nil).Attempt(sinks.Attempt{Sink: "app", Message: e.Identity, Health: h, Condition: c, Took: took})
	if c == status.Delivered {
		return sinks.Outcome{Attempts: 1}
	}
	return sinks.Outcome{Err: c.Wrap("sink app", nil), Attempts: 1, Detail: string(h)}
}

// answer lets the sink meet h at once.
func (b *bed) answer(h sinks.Health) {
	b.inner.set(func(_ context.Context, e *sinks.Event) sinks.Outcome { return b.outcome(e, h, conditions[h], 0) })
}

// open opens the circuit.
func (b *bed) open(t *testing.T, h sinks.Health) {
	t.Helper()
	for n := range 20 {
		if b.State("app") == Closed {
			b.attempt(n, h)
		}
	}
	b.want(t, Open)
}

func (b *bed) want(t *testing.T, s State) {
	t.Helper()
	if got := b.State("app"); got != s {
		t.Fatalf("the circuit is %v, want %v", got, s)
	}
}

func (b *bed) ask(t *testing.T, session string, want bool) {
	t.Helper()
	if got := b.Ask("app", session); got != want {
		t.Fatalf("%s asks: %v, want %v", session, got, want)
	}
}

// deliver sends message n and compares the condition.
func (b *bed) deliver(t *testing.T, n int, session string, want *status.Condition) sinks.Outcome {
	t.Helper()
	o := b.sink.Deliver(context.Background(), event(n, session))
	if got := status.ConditionOf(o.Err); got != want {
		t.Fatalf("message %d of %s: %s, want %s", n, session, got.Name(), want.Name())
	}
	return o
}

func TestWhatOpensIt(t *testing.T) {
	const w, u, f, nothing = sinks.Well, sinks.Unreachable, sinks.Failing, sinks.Health("")
	type step struct {
		n    int
		h    sinks.Health
		wait time.Duration
	}
	rows := func(count int, h sinks.Health, message func(i int) int, wait time.Duration) (s []step) {
		for i := range count {
			s = append(s, step{message(i), h, wait})
		}
		return s
	}
	each := func(i int) int { return i }
	one := func(int) int { return 7 }
	two := func(i int) int { return i % 2 }
	for _, c := range []struct {
		name  string
		steps []step
		want  State
	}{
		{"five unreachable in a row of different messages", rows(5, u, each, time.Hour), Open},
		{"four do not", rows(4, u, each, 0), Closed},
		{"fifty of one message do not", rows(50, u, one, 0), Closed},
		{"fifty of one message, and then another", append(rows(50, u, one, 0), step{8, u, 0}), Open},
		{"five of two messages", rows(5, u, two, 0), Open},
		{"a success ends the row", slices.Concat(rows(4, u, each, 0), []step{{9, w, 0}}, rows(4, u, each, 0)), Closed},
		{"what says nothing doesn't count and doesn't end the row", slices.Concat(rows(4, u, each, 0), rows(9, nothing, each, 0)), Closed},
		{"nor does it hide the fifth", slices.Concat(rows(4, u, each, 0), []step{{9, nothing, 0}, {4, u, 0}}), Open},
		{"a failing one between doesn't count and doesn't end the row", slices.Concat(rows(4, u, each, 0), []step{{9, f, 0}}), Closed},
		{"nor does it hide the fifth", slices.Concat(rows(4, u, each, 0), []step{{9, f, 0}, {4, u, 0}}), Open},
		{"twenty failing messages", rows(20, f, each, time.Second), Open},
		{"nineteen do not", rows(19, f, each, time.Second), Closed},
		{"one poisonous message never", rows(500, f, one, 0), Closed},
		{"ten messages, fifty times", rows(50, f, func(i int) int { return i % 10 }, 0), Closed},
		{"twenty in more than 30 s do not", rows(200, f, each, 1600*time.Millisecond), Closed},
		{"a success among them", slices.Concat(rows(19, f, each, 0), []step{{99, w, 0}}, rows(19, f, each, 0)), Closed},
		{"unreachable ones count among the twenty", slices.Concat(rows(4, u, each, 0), rows(16, f, func(i int) int { return 4 + i }, 0)), Open},
		{"an operator's errors never", rows(100, nothing, each, 0), Closed},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := usual()
				for _, s := range c.steps {
					b.attempt(s.n, s.h)
					time.Sleep(s.wait)
				}
				b.want(t, c.want)
			})
		})
	}
}

func TestTheWindowIsBounded(t *testing.T) {
	var w window
	for n := range 10_000 {
		w.add(message(n), time.Now())
	}
	if len(w.failed) != windowMessages || cap(w.failed) > 2*windowMessages {
		t.Errorf("%d of %d", len(w.failed), cap(w.failed))
	}
}

func TestOpenRefusesUntilItsTimeIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := usual()
		b.open(t, sinks.Unreachable)
		time.Sleep(2 * time.Second)
		b.ask(t, "s1", false)
		o := b.deliver(t, 1, "s1", status.SinkCircuitOpen)
		if o.Attempts != 0 || o.Detail != "circuit open" || o.After != 3*time.Second {
			t.Errorf("%+v", o)
		}
		time.Sleep(3 * time.Second)
		b.ask(t, "s1", true)
		b.want(t, HalfOpen)
		b.deliver(t, 1, "s1", status.Delivered)
		b.want(t, Closed)
		if want := []State{Open, HalfOpen, Closed}; !slices.Equal(b.told, want) {
			t.Errorf("told %v, want %v", b.told, want)
		}
	})
}

func TestWhatAProbeDecides(t *testing.T) {
	for _, c := range []struct {
		name      string
		opened    sinks.Health
		health    sinks.Health
		condition *status.Condition
		want      State
	}{
		{"a yes closes", sinks.Unreachable, sinks.Well, status.Delivered, Closed},
		{"a refusal closes", sinks.Failing, sinks.Well, status.SinkRefused, Closed},
		{"unreachable opens again", sinks.Unreachable, sinks.Unreachable, status.SinkTimeout, Open},
		{"unreachable opens again what failed before", sinks.Failing, sinks.Unreachable, status.SinkTimeout, Open},
		{"failing opens again what failed before", sinks.Failing, sinks.Failing, status.SinkFailed, Open},
		{"failing closes what was unreachable", sinks.Unreachable, sinks.Failing, status.SinkFailed, Closed},
		{"an operator's error closes", sinks.Unreachable, "", status.SinkOperator, Closed},
		{"our own fault leaves it to the next", sinks.Unreachable, "", status.LocalError, HalfOpen},
		{"a budget that ended leaves it to the next", sinks.Failing, "", status.BudgetExceeded, HalfOpen},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := usual()
				b.open(t, c.opened)
				time.Sleep(5 * time.Second)
				b.inner.set(func(_ context.Context, e *sinks.Event) sinks.Outcome { return b.outcome(e, c.health, c.condition, 0) })
				b.deliver(t, 100, "s1", c.condition)
				b.want(t, c.want)
				if c.want == HalfOpen { // not stuck
					b.answer(sinks.Well)
					b.ask(t, "s2", true)
					b.deliver(t, 101, "s2", status.Delivered)
					b.want(t, Closed)
				}
			})
		})
	}
}

func TestOneProbeAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := usual()
		b.open(t, sinks.Unreachable)
		time.Sleep(5 * time.Second)
		b.ask(t, "s1", true)
		b.ask(t, "s1", true) // another recipient
		b.ask(t, "s2", false)
		b.inner.set(func(_ context.Context, e *sinks.Event) sinks.Outcome {
			time.Sleep(time.Second)
			return b.outcome(e, "", status.LocalError, time.Second)
		})
		var mu sync.Mutex
		got := map[string]int{}
		var wg sync.WaitGroup
		for range 100 { // the events of one message with fan_out: recipient
			wg.Go(func() {
				o := b.sink.Deliver(context.Background(), event(1, "s1"))
				mu.Lock()
				defer mu.Unlock()
				got[status.ConditionOf(o.Err).Name()]++
				if o.Attempts == 0 && (o.After <= 0 || o.After > 10*time.Second) {
					t.Errorf("ask again in %v", o.After)
				}
			})
		}
		synctest.Wait()
		b.ask(t, "s2", false)
		wg.Wait()
		if got["sink_circuit_open"] != 99 || got["local_error"] != 1 {
			t.Errorf("%v", got)
		}
		b.ask(t, "s2", true) // the lease ended with its probe
	})
}

func TestAClientThatLeavesGivesTheLeaseBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := usual()
		b.open(t, sinks.Unreachable)
		time.Sleep(5 * time.Second)
		b.ask(t, "s1", true)
		b.Leave("s2")
		b.ask(t, "s2", false)
		b.Leave("s1")
		b.ask(t, "s2", true)
	})
}

func TestAClientThatStallsHoldsTheLeaseForTenSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := usual()
		b.open(t, sinks.Unreachable)
		time.Sleep(5 * time.Second)
		b.ask(t, "s1", true)
		time.Sleep(leaseTime - 1)
		b.ask(t, "s1", true) // doesn't make it longer
		b.ask(t, "s2", false)
		time.Sleep(time.Nanosecond)
		b.ask(t, "s2", true)
		b.ask(t, "s1", false)
		b.Leave("s1") // gives nothing back that is another's
		b.ask(t, "s3", false)
		b.deliver(t, 1, "s1", status.Delivered) // it comes after all
		b.want(t, Closed)
	})
}

func TestAMessageThatIsThereTakesTheProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := usual()
		b.open(t, sinks.Unreachable)
		time.Sleep(5 * time.Second)
		b.ask(t, "s1", true)
		b.deliver(t, 1, "spool", status.Delivered)
		b.want(t, Closed)
	})
}

// TestRecoveryIsNoticedWithin15SecondsThoughProbesHang has a message every 100 ms and
// lets the sink recover at each second of half a minute.
func TestRecoveryIsNoticedWithin15SecondsThoughProbesHang(t *testing.T) {
	var longest time.Duration
	for after := range 30 {
		synctest.Test(t, func(t *testing.T) {
			longest = max(longest, recovery(t, time.Minute+time.Duration(after)*time.Second))
		})
	}
	t.Logf("noticed after %v at most", longest)
	if longest > 15*time.Second {
		t.Errorf("noticed after %v", longest)
	}
}

// recovery returns how long it takes until the circuit is closed after the sink has
// recovered.
func recovery(t *testing.T, after time.Duration) time.Duration {
	b := usual()
	b.open(t, sinks.Unreachable)
	recovers := time.Now().Add(after)
	b.inner.set(func(_ context.Context, e *sinks.Event) sinks.Outcome {
		if began := time.Now(); began.Before(recovers) {
			time.Sleep(25 * time.Second)
			return b.outcome(e, sinks.Unreachable, status.SinkTimeout, time.Since(began))
		}
		return b.outcome(e, sinks.Well, status.Delivered, 0)
	})
	var wg sync.WaitGroup
	begun := 0
	for n := 0; b.State("app") != Closed; n++ {
		session := fmt.Sprint("s", n)
		if b.Ask("app", session) {
			begun++
			wg.Go(func() { b.sink.Deliver(context.Background(), event(n, session)) })
		}
		time.Sleep(100 * time.Millisecond)
	}
	noticed := time.Since(recovers)
	if begun > 12 {
		t.Errorf("%d probes in %v", begun, after)
	}
	wg.Wait()
	b.want(t, Closed) // what hung is of the time before
	return noticed
}

func TestTheLateYesOfAnOlderProbeCloses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := usual()
		b.open(t, sinks.Unreachable)
		time.Sleep(5 * time.Second)
		var wg sync.WaitGroup
		for n, time1 := range []time.Duration{12 * time.Second, 60 * time.Second} {
			b.inner.set(func(_ context.Context, e *sinks.Event) sinks.Outcome {
				time.Sleep(time1)
				return b.outcome(e, sinks.Well, status.Delivered, time1)
			})
			wg.Go(func() { b.sink.Deliver(context.Background(), event(n, fmt.Sprint("s", n))) })
			synctest.Wait()
			if n == 0 {
				time.Sleep(leaseTime)
			}
		}
		b.ask(t, "s3", false)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		b.want(t, Closed)
		wg.Wait()
	})
}

func TestFailuresOfTheTimeBeforeItClosedDontOpenItAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := usual()
		b.open(t, sinks.Unreachable)
		time.Sleep(5 * time.Second)
		b.deliver(t, 1, "s1", status.Delivered)
		time.Sleep(10 * time.Second)
		for n := range 60 {
			b.tell(n, sinks.Unreachable, status.SinkTimeout, 25*time.Second)
		}
		b.want(t, Closed)
	})
}

func TestEventsThatWaitTurnBackWhenItOpens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := usual()
		b.inner.set(func(ctx context.Context, _ *sinks.Event) sinks.Outcome {
			<-ctx.Done() // for a slot
			return sinks.Outcome{Err: status.SinkBusy.Wrap("sink app", nil), Detail: "no slot"}
		})
		var waited, ended sinks.Outcome
		var wg sync.WaitGroup
		wg.Go(func() { waited = b.sink.Deliver(context.Background(), event(1, "s1")) })
		short, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		wg.Go(func() { ended = b.sink.Deliver(short, event(2, "s2")) })
		time.Sleep(2 * time.Second)
		b.open(t, sinks.Unreachable)
		wg.Wait()
		if status.ConditionOf(waited.Err) != status.SinkCircuitOpen || waited.Detail != "circuit open" || waited.After != 5*time.Second {
			t.Errorf("%+v", waited)
		}
		if status.ConditionOf(ended.Err) != status.SinkBusy {
			t.Errorf("the budget ended first: %+v", ended)
		}
	})
}

func TestALeaseIsNotTakenUnlessAllSinksCanBeAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := usual()
		b.Configure("other", Config{Failures: 1, Open: time.Hour})
		for n := range 2 {
			b.Observe(nil).Attempt(sinks.Attempt{Sink: "other", Message: message(n), Health: sinks.Unreachable})
		}
		b.open(t, sinks.Unreachable)
		time.Sleep(5 * time.Second)
		if b.AskAll([]string{"app", "other"}, "s1") {
			t.Fatal("a sink that is open was asked")
		}
		b.ask(t, "s2", true)
	})
}

func TestConfigure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := usual()
		b.open(t, sinks.Unreachable)
		b.Configure("app", Config{Failures: 3, Open: 8 * time.Second}) // a reload
		time.Sleep(5 * time.Second)
		b.ask(t, "s1", false)
		time.Sleep(3 * time.Second)
		b.ask(t, "s1", true)
		b.Configure("app", Config{})
		b.want(t, Closed)
		for n := range 100 {
			b.attempt(n, sinks.Unreachable)
		}
		b.want(t, Closed)
		b.Configure("app", Config{Failures: 3, Open: time.Second})
		b.open(t, sinks.Unreachable)
		b.Keep(nil)
		b.want(t, Closed)
		if b.told[len(b.told)-1] != Closed {
			t.Error("the end of a circuit isn't told")
		}
		b.deliver(t, 1, "s1", status.Delivered) // a sink without a circuit
	})
}

func TestGuardPassesOn(t *testing.T) {
	b := usual()
	if b.sink.Name() != "app" || b.sink.FanOut() != sinks.FanOutRecipient {
		t.Error(b.sink.Name(), b.sink.FanOut())
	}
	b.sink.(interface{ Close() }).Close()
	if !b.inner.closed {
		t.Error("the inner sink was not closed")
	}
	b.inner.set(func(context.Context, *sinks.Event) sinks.Outcome { panic("sink") })
	b.open(t, sinks.Unreachable)
	b.Configure("app", Config{Failures: 5})
	func() {
		defer func() { recover() }()
		b.sink.Deliver(context.Background(), event(1, "s1"))
	}()
	b.ask(t, "s2", true) // a probe that panics doesn't hold the circuit
}

// TestChangesAreToldInOrder lets who is told use the Set, and many change it at once.
func TestChangesAreToldInOrder(t *testing.T) {
	var set *Set
	var last State
	set = New(Options{Changed: func(sink string, s State) { last = s; set.Ask(sink, "told"); set.State(sink) }})
	set.Configure("app", Config{Failures: 1})
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			o := set.Observe(nil)
			for n := range 200 {
				h := sinks.Unreachable
				if n%3 == 0 {
					h = sinks.Well
				}
				o.Attempt(sinks.Attempt{Sink: "app", Message: message(i*1000 + n), Health: h, Condition: conditions[h]})
				set.Ask("app", fmt.Sprint(i))
				set.Leave(fmt.Sprint(i))
			}
		})
	}
	wg.Wait()
	if last != set.State("app") {
		t.Errorf("told %v last, but it is %v", last, set.State("app"))
	}
}
