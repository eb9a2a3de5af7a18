package delivery_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"mxhook/inbound/status"
	"mxhook/sinks"
	"mxhook/sinks/delivery"
)

// counts is an Observer.
type counts struct {
	mu       sync.Mutex
	outcomes []string
}

func (c *counts) Attempt(sinks.Attempt) {}

func (c *counts) Outcome(sink string, cond *status.Condition, took time.Duration, late bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := sink + " " + cond.Name() + " " + took.String()
	if late {
		s += " late"
	}
	c.outcomes = append(c.outcomes, s)
}

func TestOptionalSinksNeverCount(t *testing.T) {
	for _, b := range []behaviour{accepts, temporary, refuses, hangs, panics} {
		t.Run(string(b), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var g graveyard
				d := delivery.New(delivery.Config{Budget: budget, Dead: g.bury})
				m, to := mail("ann@in.example")
				start := time.Now()
				a := d.Deliver(context.Background(), m, []delivery.Order{{Route: "r", Recipients: to,
					Required: []sinks.Sink{accepts.sink("app")}, Optional: []sinks.Sink{b.sink("jobs")}}})
				if a.Err != nil || strings.Contains(a.Text, "+") || time.Since(start) != 0 || len(g.sinks) != 0 {
					t.Errorf("%+v after %v, buried %v", a, time.Since(start), g.sinks)
				}
				m.Data.Release()
				if err := d.Stop(context.Background()); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

func TestAnOptionalSinkHasWhatIsLeftOfTheBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var lived time.Duration
		slow := &fake{name: "slow", deliver: func(ctx context.Context, _ *sinks.Event) sinks.Outcome {
			start := time.Now()
			<-ctx.Done()
			lived = time.Since(start)
			return sinks.Outcome{Err: status.BudgetExceeded.Wrap("test", nil)}
		}}
		d := delivery.New(delivery.Config{Budget: budget})
		m, to := mail("ann@in.example")
		d.Deliver(context.Background(), m, []delivery.Order{{Route: "r", Recipients: to, Required: []sinks.Sink{accepts.sink("app")}, Optional: []sinks.Sink{slow}}})
		d.Stop(context.Background())
		if lived != budget {
			t.Errorf("it had %v", lived)
		}
	})
}

func TestALateYesIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c counts
		var log bytes.Buffer
		told := make(chan sinks.Outcome, 1)
		d := delivery.New(delivery.Config{Budget: budget, Observer: &c, Log: slog.New(slog.NewTextHandler(&log, nil)),
			Late: func(_ *sinks.Event, _ string, o sinks.Outcome) { told <- o }})
		m, to := mail("ann@in.example")
		a := d.Deliver(context.Background(), m, []delivery.Order{{Route: "r", Recipients: to, Required: []sinks.Sink{hangs.sink("app")}}})
		if status.ConditionOf(a.Err) != status.BudgetExceeded {
			t.Errorf("%+v", a)
		}
		if o := <-told; o.Err != nil {
			t.Error(o.Err)
		}
		d.Stop(context.Background())
		if len(c.outcomes) != 1 || c.outcomes[0] != "app delivered 1m0s late" {
			t.Errorf("%v", c.outcomes)
		}
		if n := strings.Count(log.String(), "\n"); n != 1 || !strings.Contains(log.String(), "late=true") {
			t.Errorf("log: %s", log.String())
		}
	})
}

func TestStopWaitsForWhatRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := delivery.New(delivery.Config{Budget: budget})
		if err := d.Stop(context.Background()); err != nil {
			t.Errorf("nothing runs: %v", err)
		}
		m, to := mail("ann@in.example")
		d.Deliver(context.Background(), m, []delivery.Order{{Route: "r", Recipients: to, Required: []sinks.Sink{hangs.sink("app")}}})
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if err := d.Stop(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Stop gave %v while a sink was at work", err)
		}
		start := time.Now()
		if err := d.Stop(context.Background()); err != nil || time.Since(start) != 2*budget-budget-time.Second {
			t.Errorf("%v after %v", err, time.Since(start))
		}
	})
}

func TestTheSessionsEndIsTheBudgetsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := delivery.New(delivery.Config{Budget: budget})
		m, to := mail("ann@in.example")
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		start := time.Now()
		a := d.Deliver(ctx, m, []delivery.Order{{Route: "r", Recipients: to, Required: []sinks.Sink{hangs.sink("app")}}})
		if status.ClassOf(a.Err) != status.Temporary || time.Since(start) != time.Second {
			t.Errorf("%+v after %v", a, time.Since(start))
		}
		d.Stop(context.Background())
	})
}

func TestDeadEventsAreKeptBeforeTheYes(t *testing.T) {
	order := func(to []sinks.Recipient) []delivery.Order {
		return []delivery.Order{{Route: "r", Recipients: to, Required: []sinks.Sink{accepts.sink("app"), refuses.sink("other")}}}
	}
	m, to := mail("ann@in.example")
	for name, dead := range map[string]func(*sinks.Event, string, sinks.Outcome) error{
		"the disk is full":   (&graveyard{err: errors.New("canary")}).bury,
		"nothing keeps them": nil,
	} {
		t.Run(name, func(t *testing.T) {
			a := delivery.New(delivery.Config{Dead: dead}).Deliver(context.Background(), m, order(to))
			if got := a.Reply().String(); !strings.HasPrefix(got, "452 4.3.1") || strings.Contains(got, "canary") {
				t.Errorf("reply %q", got)
			}
		})
	}
}

func TestASinkThatEndsItsGoroutineGaveNoOutcome(t *testing.T) {
	d := delivery.New(delivery.Config{Budget: budget})
	m, to := mail("ann@in.example")
	s := &fake{name: "app", deliver: func(context.Context, *sinks.Event) sinks.Outcome { runtime.Goexit(); return sinks.Outcome{} }}
	a := d.Deliver(context.Background(), m, []delivery.Order{{Route: "r", Recipients: to, Required: []sinks.Sink{s}}})
	if status.ConditionOf(a.Err) != status.LocalError {
		t.Errorf("%+v", a)
	}
	if err := d.Stop(context.Background()); err != nil {
		t.Error(err)
	}
}

func TestAPanicsWordsAreNotLogged(t *testing.T) {
	var log bytes.Buffer
	d := delivery.New(delivery.Config{Log: slog.New(slog.NewTextHandler(&log, nil))})
	m, to := mail("ann@in.example")
	d.Deliver(context.Background(), m, []delivery.Order{{Route: "r", Recipients: to, Required: []sinks.Sink{panics.sink("app")}}})
	if s := log.String(); !strings.Contains(s, "sink panicked") || strings.Contains(s, "canary") {
		t.Errorf("log: %s", s)
	}
}
