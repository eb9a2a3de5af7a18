package circuit

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"mxhook/inbound/status"
	"mxhook/sinks"
)

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
