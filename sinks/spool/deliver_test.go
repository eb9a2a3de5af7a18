package spool_test

import (
	"context"
	"path/filepath"
	"reflect"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"mxhook/inbound/status"
	"mxhook/sinks"
	"mxhook/sinks/ledger"
	"mxhook/sinks/spool"
)

// settled waits until everything that can happen now has happened.
func settled(t *testing.T, s *spool.Spool, waiting, dead int) {
	t.Helper()
	synctest.Wait()
	if w, d, _ := s.Stats(); w != waiting || d != dead {
		t.Fatalf("%d wait and %d are dead, want %d and %d", w, d, waiting, dead)
	}
}

func files(t *testing.T, state string) (names []string) {
	t.Helper()
	for _, pattern := range []string{"spool/*", "dead/*"} {
		found, err := filepath.Glob(filepath.Join(state, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range found {
			if filepath.Base(f) != "lock" {
				names = append(names, filepath.Base(f))
			}
		}
	}
	return names
}

func TestAnEventIsDeliveredAtOnceAndLeavesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		state := t.TempDir()
		book := openLedger(t, state)
		app, jobs := &sink{name: "app"}, &sink{name: "jobs"}
		s := open(t, state, spool.Options{Sink: named(app, jobs), Ledger: book})
		s.Start()
		began := time.Now()
		e := received(t, 1)
		put(t, s, entry(e, "app"), entry(e, "jobs"))
		settled(t, s, 0, 0)
		if len(app.ids()) != 1 || len(jobs.ids()) != 1 || time.Since(began) != 0 {
			t.Errorf("app got %v, jobs %v, after %v", app.ids(), jobs.ids(), time.Since(began))
		}
		if left := files(t, state); left != nil {
			t.Errorf("left: %v", left)
		}
		if _, _, n := s.Stats(); n != 0 {
			t.Errorf("%d octets are counted", n)
		}
		for _, d := range book.Known(entry(e, "app").Keys) {
			if d.State != ledger.Delivered || d.Event != e.ID {
				t.Errorf("the ledger says %+v", d)
			}
		}
		stop(t, s, book)
	})
}

func openLedger(t *testing.T, state string) *ledger.Ledger {
	t.Helper()
	l, err := ledger.Open(filepath.Join(state, "ledger"), ledger.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func stop(t *testing.T, s *spool.Spool, book *ledger.Ledger) {
	t.Helper()
	if err := s.Stop(context.Background()); err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if book != nil {
		if err := book.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestEveryAttemptHasTheSameBytesOverARestartToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		state := t.TempDir()
		var got []string
		var events []*sinks.Event
		app := &sink{name: "app", answer: func(_ context.Context, e *sinks.Event) sinks.Outcome {
			got = append(got, payloads(t, e))
			events = append(events, e)
			return later()
		}}
		e := received(t, 1)
		want := payloads(t, e)
		for range 3 {
			s := open(t, state, spool.Options{Sink: named(app)})
			s.Start()
			put(t, s, entry(e, "app")) // waits already, from the second time on
			time.Sleep(3 * time.Hour)
			settled(t, s, 1, 0)
			stop(t, s, nil)
		}
		if len(got) < 5 {
			t.Fatalf("%d attempts", len(got))
		}
		for i, p := range got {
			if p != want {
				t.Errorf("attempt %d of %d has other bytes:\n%s\nwant\n%s", i+1, len(got), p, want)
				break
			}
		}
		for _, x := range events {
			x.Message, x.Data = e.Message, e.Data
			if !reflect.DeepEqual(x, e) {
				t.Fatalf("%+v\nwant\n%+v", x, e)
			}
		}
	})
}

func TestARefusedEventIsDead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		state := t.TempDir()
		book := openLedger(t, state)
		app, jobs := &sink{name: "app", answer: always(never())}, &sink{name: "jobs", answer: always(later())}
		s := open(t, state, spool.Options{Sink: named(app, jobs), Ledger: book})
		s.Start()
		e := received(t, 1)
		put(t, s, entry(e, "app"), entry(e, "jobs"))
		settled(t, s, 1, 1)
		for _, d := range book.Known(entry(e, "app").Keys) {
			if d.State != ledger.Refused {
				t.Errorf("the ledger says %+v", d)
			}
		}
		items := s.List()
		if len(items) != 2 || items[0].ID != e.ID+".app" || items[0].State != spool.Dead || items[0].Condition != "sink_refused" || items[0].Reply != "550 5.7.1 refused by the destination" ||
			items[1].ID != e.ID+".jobs" || items[1].State != spool.Waiting || items[1].Detail != "HTTP 503" || !slices.Equal(items[1].Recipients, []string{"Ann+7@IN.example", "bob@in.example"}) {
			t.Errorf("%+v", items)
		}
		// The sink would take it now: put back, it has the same bytes.
		want, got := payloads(t, e), ""
		app.set(func(_ context.Context, e *sinks.Event) sinks.Outcome { got = payloads(t, e); return taken() })
		if err := s.Replay([]string{items[0].ID}); err != nil {
			t.Fatal(err)
		}
		settled(t, s, 1, 0)
		if got != want {
			t.Errorf("replayed with other bytes:\n%s\nwant\n%s", got, want)
		}
		for _, d := range book.Known(entry(e, "app").Keys) {
			if d.State != ledger.Delivered {
				t.Errorf("after the replay the ledger says %+v", d)
			}
		}
		if err := s.Drop([]string{items[1].ID}); err != nil {
			t.Fatal(err)
		}
		settled(t, s, 0, 0)
		if left := files(t, state); left != nil {
			t.Errorf("left: %v", left)
		}
		for _, d := range book.Known(entry(e, "jobs").Keys) {
			if d.State != ledger.Refused {
				t.Errorf("after the drop the ledger says %+v", d)
			}
		}
		if _, _, n := s.Stats(); n != 0 {
			t.Errorf("%d octets are counted", n)
		}
		stop(t, s, book)
	})
}

func TestUnknownIDsAreNamedAndNothingIsDone(t *testing.T) {
	s := open(t, t.TempDir(), spool.Options{})
	e := received(t, 1)
	if err := s.Bury(e, "app", never()); err != nil {
		t.Fatal(err)
	}
	for name, do := range map[string]func([]string) error{"Replay": s.Replay, "Drop": s.Drop,
		"Show":    func(ids []string) error { _, err := s.Show(ids[1]); return err },
		"Message": func(ids []string) error { _, err := s.Message(ids[1]); return err }} {
		err := do([]string{e.ID + ".app", "msg_x.app"})
		if err == nil || err.Error() != "the spool has no event msg_x.app" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if w, d, _ := s.Stats(); w != 0 || d != 1 {
		t.Errorf("%d wait, %d are dead", w, d)
	}
}

func TestAShortAgeIsKeptTo(t *testing.T) {
	for name, app := range map[string]*sink{
		"the circuit is open":   {name: "app", answer: always(blocked(5 * time.Second))},
		"the sink is not there": nil,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := spool.Options{Limits: spool.Limits{MaxAge: 3 * time.Second}}
				if app != nil {
					o.Sink = named(app)
				}
				s := open(t, t.TempDir(), o)
				s.Start()
				for n := range 20 {
					put(t, s, entry(received(t, n), "app"))
				}
				time.Sleep(2900 * time.Millisecond)
				settled(t, s, 20, 0)
				time.Sleep(400 * time.Millisecond)
				settled(t, s, 0, 20)
				stop(t, s, nil)
			})
		})
	}
}

func TestStopWaitsForWhatRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		app := &sink{name: "app", answer: func(context.Context, *sinks.Event) sinks.Outcome { time.Sleep(25 * time.Second); return taken() }}
		s := open(t, t.TempDir(), spool.Options{Sink: named(app), Workers: 1})
		s.Start()
		put(t, s, entry(received(t, 1), "app"))
		put(t, s, entry(received(t, 2), "app"))
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := s.Stop(ctx); err == nil {
			t.Error("a delivery runs, and Stop says that none does")
		}
		time.Sleep(25 * time.Second)
		settled(t, s, 1, 0)
		if n := len(app.ids()); n != 1 {
			t.Errorf("%d deliveries", n)
		}
		stop(t, s, nil)
	})
}

func TestAnotherProcessIsRefused(t *testing.T) {
	state := t.TempDir()
	open(t, state, spool.Options{})
	_, err := spool.Open(state, spool.Options{})
	if want := "spool: the folder " + state + " is in use by another process; stop that one, or give each its own state"; err == nil || err.Error() != want {
		t.Error(err)
	}
}

func TestAtTheBoundNothingIsTakenUntilThereIsRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		app := &sink{name: "app", answer: always(later())}
		s := open(t, t.TempDir(), spool.Options{Sink: named(app), Limits: spool.Limits{MaxBytes: 9000}})
		s.Start()
		n := 0
		var err error
		for ; err == nil; n++ {
			err = s.Put([]spool.Entry{entry(received(t, n), "app")})
		}
		if status.ConditionOf(err) != status.NoStorage || n < 2 {
			t.Fatalf("%v after %d events", err, n)
		}
		if err := s.Bury(received(t, 1000), "app", never()); status.ConditionOf(err) != status.NoStorage {
			t.Errorf("Bury: %v", err)
		}
		_, _, bytes := s.Stats()
		s.Configure(spool.Limits{MaxBytes: bytes}, nil)
		if err := s.Usable(); status.ConditionOf(err) != status.NoStorage {
			t.Errorf("Usable: %v", err)
		}
		synctest.Wait() // the first attempts have failed
		app.set(nil)
		s.Wake("app")
		settled(t, s, 0, 0)
		if err := s.Usable(); err != nil {
			t.Error(err)
		}
		put(t, s, entry(received(t, n), "app"))
		stop(t, s, nil)
	})
}
