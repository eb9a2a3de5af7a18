package delivery_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"mxhook/inbound/status"
	"mxhook/sinks"
	"mxhook/sinks/delivery"
)

const spillAfter = 4 * time.Hour

func spilling(required ...sinks.Sink) delivery.Order {
	return delivery.Order{Route: "now", Required: required, SpillAfter: spillAfter}
}

func TestWhatWasDeferredLongEnoughIsSpooled(t *testing.T) {
	for _, b := range []behaviour{temporary, hangs, panics} {
		synctest.Test(t, func(t *testing.T) {
			s := openShelf(t, true)
			tries := 0
			down := &fake{name: "down", deliver: func(ctx context.Context, e *sinks.Event) sinks.Outcome {
				tries++
				if b == hangs { // a late no
					time.Sleep(2 * budget)
					return temporary.sink("").deliver(ctx, e)
				}
				return b.sink("down").deliver(ctx, e)
			}}
			var r recorder
			for round := range 4 { // at 0 h, 1:59, 3:58 and 5:57
				a := s.try("ann bob", spilling(down, r.sink("app", "")))
				if (status.ClassOf(a.Err) == status.Temporary) != (round < 3) {
					t.Errorf("%s: try %d: %+v", b, round, a)
				}
				s.Stop(context.Background())
				time.Sleep(2*time.Hour - time.Minute)
			}
			if tries != 3 || !slices.Equal(s.events(), []string{"down ann bob"}) || len(r.events["app"]) != 1 {
				t.Errorf("%s: %d tries, spooled %v, app %d", b, tries, s.events(), len(r.events["app"]))
			}
			if a := s.try("ann bob", spilling(down, r.sink("app", ""))); a.Condition != status.AlreadyDelivered {
				t.Errorf("%s: %+v", b, a)
			}
			s.close(t)
		})
	}
}

func TestTheTimeOfTheFirstDeferralSurvivesARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openShelf(t, true)
		s.try("ann", spilling(temporary.sink("down")))
		s.close(t)
		time.Sleep(spillAfter)
		again := openShelfOn(t, s.disk)
		if a := again.try("ann", spilling(temporary.sink("down"))); a.Err != nil || len(again.batches) != 1 {
			t.Errorf("%+v, %d batches", a, len(again.batches))
		}
		again.close(t)
	})
}

func TestAnEventSpillsAsAWholeUnderItsId(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openShelf(t, true)
		var ids []string
		down := &fake{name: "down", deliver: func(_ context.Context, e *sinks.Event) sinks.Outcome {
			ids = append(ids, e.ID)
			return sinks.Outcome{Err: status.SinkTimeout.Wrap("test", nil)}
		}}
		s.try("ann", spilling(down))
		time.Sleep(spillAfter - time.Hour)
		s.try("ann bob", spilling(down)) // bob is new
		time.Sleep(time.Hour)
		if a := s.try("ann bob", spilling(down)); a.Err != nil || !slices.Equal(s.events(), []string{"down ann bob"}) {
			t.Fatalf("%+v, spooled %v", a, s.events())
		}
		if got := s.batches[0][0].Event.ID; len(ids) != 2 || got != ids[1] {
			t.Errorf("spooled as %s, tried as %v", got, ids)
		}
		s.close(t)
	})
}

func TestOnlyWhatMaySpillIsRememberedAsDeferred(t *testing.T) {
	s := openShelf(t, true)
	s.try("ann", direct(temporary.sink("down")))
	o := direct(accepts.sink("app"))
	o.Optional, o.SpillAfter = list(temporary.sink("jobs")), spillAfter
	s.try("bob", o)
	s.Stop(context.Background())
	if n := s.disk.Syncs(); n != 1 {
		t.Errorf("%d syncs, want that of the delivery", n)
	}
	for range 3 {
		s.try("ann", spilling(temporary.sink("down")))
	}
	if n := s.disk.Syncs(); n != 2 {
		t.Errorf("%d syncs, want one for the first deferral", n)
	}
	s.close(t)
}

func TestADeferralThatCannotBeWrittenKeepsItsReply(t *testing.T) {
	s := openShelf(t, true)
	s.disk.Fail(func(string) error { return context.DeadlineExceeded })
	if a := s.try("ann", spilling(temporary.sink("down"))); status.ConditionOf(a.Err) != status.SinkUnavailable {
		t.Errorf("%+v", a)
	}
	s.close(t)
}

func TestALateYesOverridesADeferral(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openShelf(t, true)
		s.try("ann", spilling(hangs.sink("slow")))
		s.Stop(context.Background())
		time.Sleep(spillAfter)
		if a := s.try("ann", spilling(hangs.sink("slow"))); a.Condition != status.AlreadyDelivered || len(s.batches) != 0 {
			t.Errorf("%+v", a)
		}
		s.close(t)
	})
}

func TestWhatSpillsIntoAFullSpoolIsLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openShelf(t, true)
		s.try("ann", spilling(temporary.sink("down")))
		time.Sleep(spillAfter)
		s.put = func() error { return status.NoStorage.Wrap("spool", nil) }
		if a := s.try("ann", spilling(temporary.sink("down"))); status.ConditionOf(a.Err) != status.NoStorage {
			t.Errorf("%+v", a)
		}
		s.put = nil
		if a := s.try("ann", spilling(temporary.sink("down"))); a.Err != nil || len(s.batches) != 1 {
			t.Errorf("%+v", a)
		}
		s.close(t)
	})
}
