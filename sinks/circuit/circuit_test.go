package circuit

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"mxhook/inbound/status"
	"mxhook/sinks"
)

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

func TestStatusTellsSinceWhenAndWhy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := usual()
		if st, ok := b.Status("app"); !ok || st.State != Closed || !st.Since.IsZero() {
			t.Errorf("%+v, %v", st, ok)
		}
		if _, ok := b.Status("other"); ok {
			t.Error("a sink without a circuit has a status")
		}
		b.attempt(1, sinks.Unreachable)
		b.attempt(2, sinks.Failing)
		if st, _ := b.Status("app"); st.Failures != 1 || st.Failed != 2 {
			t.Errorf("%+v", st)
		}
		began := time.Now()
		b.open(t, sinks.Unreachable)
		time.Sleep(2 * time.Second)
		if st, _ := b.Status("app"); st.State != Open || !st.Since.Equal(began) || !st.Until.Equal(began.Add(5*time.Second)) || st.Reason != "5 attempts in a row found the sink unreachable" {
			t.Errorf("%+v", st)
		}
	})
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

// checked is a sink that can be checked.
type checked struct {
	fake
	err error
}

func (c *checked) Check(context.Context) error { return c.err }

func TestGuardPassesChecksOn(t *testing.T) {
	set := New(Options{})
	for _, inner := range []struct {
		sinks.Sink
		want error
	}{{&fake{}, sinks.ErrUnchecked}, {&checked{}, nil}, {&checked{err: errOpened}, errOpened}} {
		c, ok := set.Guard(inner.Sink).(sinks.Checker)
		if !ok {
			t.Fatal("a guarded sink can't be checked")
		}
		if err := c.Check(t.Context()); err != inner.want {
			t.Errorf("got %v, want %v", err, inner.want)
		}
	}
}
