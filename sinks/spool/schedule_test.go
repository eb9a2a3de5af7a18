package spool_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"mxhook/sinks"
	"mxhook/sinks/spool"
)

func TestRetriesDoubleFromTwoSecondsToAnHour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var times []time.Time
		app := &sink{name: "app", answer: func(context.Context, *sinks.Event) sinks.Outcome {
			times = append(times, time.Now())
			return later()
		}}
		state := t.TempDir()
		s := open(t, state, spool.Options{Sink: named(app)})
		s.Start()
		began := time.Now()
		put(t, s, entry(received(t, 1), "app"))
		time.Sleep(72*time.Hour + time.Second)
		settled(t, s, 0, 1)
		most := 2 * time.Second
		for i := 1; i < len(times); i++ {
			d := times[i].Sub(times[i-1])
			last := i == len(times)-1
			if d > most || d < most/2 && !last {
				t.Errorf("delivery %d comes %v after the one before, want %v to %v", i+1, d, most/2, most)
			}
			most = min(2*most, time.Hour)
		}
		if last := times[len(times)-1].Sub(began); last != 72*time.Hour {
			t.Errorf("the last attempt is after %v", last)
		}
		item := s.List()[0]
		if item.State != spool.Dead || item.Condition != "sink_unavailable" || item.Detail != "too old: HTTP 503" || item.Attempts != len(times) {
			t.Errorf("%+v after %d attempts", item, len(times))
		}
		stop(t, s, nil)
	})
}

func TestAnOpenCircuitPausesTheSinkAndOneEventProbes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		app := &sink{name: "app", answer: always(blocked(5 * time.Second))}
		s := open(t, t.TempDir(), spool.Options{Sink: named(app), Workers: 4})
		s.Start()
		for n := range 50 {
			put(t, s, entry(received(t, n), "app"))
		}
		settled(t, s, 50, 0)
		first := len(app.ids())
		if first > 4 {
			t.Errorf("the open circuit was asked %d times at once", first)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if n := len(app.ids()) - first; n != 12 {
			t.Errorf("%d probes in a minute, want 12", n)
		}
		for _, i := range s.List() {
			if i.Attempts != 0 {
				t.Fatalf("a question to the circuit counts as an attempt: %+v", i)
			}
		}
		app.set(nil)
		time.Sleep(5 * time.Second)
		settled(t, s, 0, 0)
		stop(t, s, nil)
	})
}

func TestWakeMakesAllDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		app := &sink{name: "app", answer: always(later())}
		s := open(t, t.TempDir(), spool.Options{Sink: named(app)})
		s.Start()
		for n := range 20 {
			put(t, s, entry(received(t, n), "app"))
		}
		time.Sleep(10 * time.Hour)
		settled(t, s, 20, 0)
		app.set(nil)
		s.Wake("other")
		settled(t, s, 20, 0)
		s.Wake("app")
		settled(t, s, 0, 0)
		stop(t, s, nil)
	})
}

func TestASickSinkHoldsUpNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hang := make(chan struct{})
		sick := &sink{name: "sick", answer: func(context.Context, *sinks.Event) sinks.Outcome { <-hang; return later() }}
		well := &sink{name: "well"}
		s := open(t, t.TempDir(), spool.Options{Sink: named(sick, well)})
		s.Start()
		for n := range 100 {
			e := received(t, n)
			put(t, s, entry(e, "sick"), entry(e, "well"))
		}
		settled(t, s, 100, 0)
		if n := len(well.ids()); n != 100 {
			t.Errorf("the well sink has %d", n)
		}
		if n := len(sick.ids()); n != 8 {
			t.Errorf("the sick sink has %d at once", n)
		}
		close(hang)
		stop(t, s, nil)
	})
}

func TestTheDeadlineOfADeliveryIsTheBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var left time.Duration
		app := &sink{name: "app", answer: func(ctx context.Context, _ *sinks.Event) sinks.Outcome {
			at, _ := ctx.Deadline()
			left = time.Until(at)
			return taken()
		}}
		s := open(t, t.TempDir(), spool.Options{Sink: named(app), Limits: spool.Limits{Budget: 7 * time.Second}})
		s.Start()
		put(t, s, entry(received(t, 1), "app"))
		settled(t, s, 0, 0)
		if left != 7*time.Second {
			t.Error(left)
		}
		stop(t, s, nil)
	})
}

func TestRetryAfterIsHonouredToAnHour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var times []time.Time
		app := &sink{name: "app", answer: func(context.Context, *sinks.Event) sinks.Outcome {
			times = append(times, time.Now())
			o := later()
			if o.After = 10 * time.Minute; len(times) > 1 {
				o.After = 24 * time.Hour
			}
			return o
		}}
		s := open(t, t.TempDir(), spool.Options{Sink: named(app)})
		s.Start()
		put(t, s, entry(received(t, 1), "app"))
		time.Sleep(71 * time.Minute)
		settled(t, s, 1, 0)
		if len(times) != 3 || times[1].Sub(times[0]) != 10*time.Minute || times[2].Sub(times[1]) != time.Hour {
			t.Error(times)
		}
		stop(t, s, nil)
	})
}

func TestEventsOfASinkThatIsGoneWaitUntilTheyAreTooOld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		app := &sink{name: "app"}
		present := false
		s := open(t, t.TempDir(), spool.Options{Sink: func(string) (sinks.Sink, func()) {
			if !present {
				return nil, nil
			}
			return app, nil
		}})
		s.Start()
		put(t, s, entry(received(t, 1), "app"))
		time.Sleep(71 * time.Hour)
		settled(t, s, 1, 0)
		put(t, s, entry(received(t, 2), "app"))
		time.Sleep(2 * time.Hour)
		settled(t, s, 1, 1)
		present = true
		s.Configure(spool.Limits{}, nil)
		settled(t, s, 0, 1)
		if i := s.List()[0]; i.Condition != "sink_unavailable" || i.Detail != "too old: never tried" {
			t.Errorf("%+v", i)
		}
		stop(t, s, nil)
	})
}
