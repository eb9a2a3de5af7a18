package delivery_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"mxhook/inbound"
	"mxhook/inbound/status"
	"mxhook/sinks"
	"mxhook/sinks/delivery"
	"mxhook/sinks/ledger"
	"mxhook/sinks/ledger/ledgertest"
	"mxhook/sinks/spool"
)

// shelf is a spool that takes what it is given, or does what put says.
type shelf struct {
	*delivery.Deliverer
	ledger *ledger.Ledger // nil: none
	disk   *ledgertest.Disk
	counts counts
	buried graveyard
	put    func() error

	mu      sync.Mutex
	batches [][]spool.Entry
}

func openShelf(t *testing.T, withLedger bool) *shelf {
	t.Helper()
	if !withLedger {
		return openShelfOn(t, nil)
	}
	return openShelfOn(t, ledgertest.NewDisk())
}

// openShelfOn has a ledger on disk, none without one.
func openShelfOn(t *testing.T, disk *ledgertest.Disk) *shelf {
	t.Helper()
	s := &shelf{disk: disk}
	if disk != nil {
		var err error
		if s.ledger, err = ledger.Open("", ledger.Options{Files: s.disk, Retry: time.Hour}); err != nil {
			t.Fatal(err)
		}
	}
	s.Deliverer = delivery.New(delivery.Config{Budget: budget, Ledger: s.ledger, Observer: &s.counts, Dead: s.buried.bury,
		Spool: func(batch []spool.Entry) error {
			if s.put != nil {
				if err := s.put(); err != nil {
					return err
				}
			}
			s.mu.Lock()
			defer s.mu.Unlock()
			s.batches = append(s.batches, batch)
			return nil
		}})
	return s
}

// close waits for what runs.
func (s *shelf) close(t *testing.T) {
	t.Helper()
	if err := s.Stop(context.Background()); err != nil {
		t.Error(err)
	}
	if s.ledger != nil {
		s.ledger.Close()
	}
}

// try sends a message with an identity.
func (s *shelf) try(to string, orders ...delivery.Order) inbound.Answer {
	m, recipients := mail("ann@in.example", "bob@in.example")
	m.Provable = true
	defer m.Data.Release()
	for i := range orders {
		if orders[i].Recipients == nil {
			orders[i].Recipients = among(recipients, to)
		}
		orders[i].Deduplicate = true
	}
	return s.Deliver(context.Background(), m, orders)
}

// events returns what each batch held: "sink recipients", in order.
func (s *shelf) events() (all []string) {
	for _, batch := range s.batches {
		for _, e := range batch {
			all = append(all, e.Sink+" "+names(e.Event.Recipients))
		}
	}
	return all
}

func spooled(required ...sinks.Sink) delivery.Order {
	return delivery.Order{Route: "later", Required: required, Spool: true}
}

func direct(required ...sinks.Sink) delivery.Order {
	return delivery.Order{Route: "now", Required: required}
}

func TestTheSpoolTakesTheEventsOfItsRoute(t *testing.T) {
	for _, withLedger := range []bool{true, false} {
		s := openShelf(t, withLedger)
		var r recorder
		orders := func() []delivery.Order {
			o := spooled(r.sink("all", ""), r.sink("each", sinks.FanOutRecipient))
			o.Optional = list(r.sink("jobs", ""))
			return []delivery.Order{o, direct(r.sink("all", ""))}
		}
		a := s.try("ann bob", orders()...)
		s.Stop(context.Background())
		if a.Err != nil || len(s.batches) != 1 || a.Text != "OK "+s.batches[0][0].Event.ID+" +3" {
			t.Fatalf("%+v, %d batches", a, len(s.batches))
		}
		want := []string{"all ann bob", "each ann", "each bob"}
		if got := s.events(); !slices.Equal(got, want) {
			t.Errorf("spooled %v, want %v", got, want)
		}
		if got := r.units("all"); !slices.Equal(got, []string{"now/ann@in.example,bob@in.example"}) || len(r.units("each")) != 0 || len(r.units("jobs")) != 1 {
			t.Errorf("the sinks got %v %v %v", got, r.units("each"), r.units("jobs"))
		}
		for _, e := range s.batches[0] {
			if (len(e.Keys) == len(e.Event.Recipients)) != withLedger {
				t.Errorf("%d keys of %d units", len(e.Keys), len(e.Event.Recipients))
			}
		}
		// The sender comes again.
		a = s.try("ann bob", orders()...)
		first := s.batches[0][0].Event.ID
		switch {
		case withLedger && (a.Condition != status.AlreadyDelivered || a.Text != "already delivered as "+first || len(s.batches) != 1):
			t.Errorf("%+v, %d batches", a, len(s.batches))
		case !withLedger && (a.Err != nil || len(s.batches) != 2 || s.batches[1][0].Event.ID != first):
			t.Errorf("without a ledger: %+v, %d batches", a, len(s.batches))
		}
		for _, o := range s.counts.outcomes {
			if strings.Contains(o, "each") {
				t.Errorf("a sink that was not asked has an outcome: %s", o)
			}
		}
		s.close(t)
	}
}

func TestTheSpoolAndTheSinksAreAskedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openShelf(t, true)
		wait := func() error { time.Sleep(budget / 2); return nil }
		s.put = wait
		slow := &fake{name: "slow", deliver: func(context.Context, *sinks.Event) sinks.Outcome { wait(); return sinks.Outcome{} }}
		start := time.Now()
		a := s.try("ann", spooled(accepts.sink("app")), direct(slow))
		if took := time.Since(start); a.Err != nil || took != budget/2 {
			t.Errorf("%+v after %v", a, took)
		}
		s.close(t)
	})
}

func TestASpoolThatFailsIsNoYes(t *testing.T) {
	for name, put := range map[string]func() error{
		"full":                  func() error { return status.NoStorage.Wrap("spool", errors.New("full")) },
		"another error of ours": func() error { return errors.New("canary") },
		"a panic":               func() error { panic("canary") },
	} {
		for _, other := range []behaviour{accepts, temporary, refuses} {
			t.Run(name+", the other "+string(other), func(t *testing.T) {
				s := openShelf(t, true)
				s.put = put
				var r recorder
				app := r.sink("app", "")
				a := s.try("ann", spooled(accepts.sink("queue")), direct(app, other.sink("other")))
				if got := a.Reply().String(); !strings.HasPrefix(got, "452 4.3.1 ") || strings.Contains(got, "canary") || len(s.buried.sinks) != 0 {
					t.Errorf("reply %q, buried %v", got, s.buried.sinks)
				}
				// What a sink took is remembered; the rest is made good.
				s.put = nil
				a = s.try("ann", spooled(accepts.sink("queue")), direct(app, accepts.sink("other")))
				if a.Err != nil || len(r.events["app"]) != 1 || !slices.Equal(s.events(), []string{"queue ann"}) {
					t.Errorf("%+v, app has %d, spooled %v", a, len(r.events["app"]), s.events())
				}
				s.close(t)
			})
		}
	}
}

func TestWithoutASpoolNothingIsSpooled(t *testing.T) {
	m, to := mail("ann@in.example")
	o := spooled(accepts.sink("app"))
	o.Recipients = to
	if a := delivery.New(delivery.Config{}).Deliver(context.Background(), m, []delivery.Order{o}); status.ConditionOf(a.Err) != status.NoStorage {
		t.Errorf("%+v", a)
	}
}

func TestAMarkThatFailsAfterTheSpoolIsNoYes(t *testing.T) {
	s := openShelf(t, true)
	s.disk.Fail(func(op string) error {
		if op == "sync" {
			return errors.New("broken")
		}
		return nil
	})
	if a := s.try("ann", spooled(accepts.sink("app"))); status.ConditionOf(a.Err) != status.NoStorage {
		t.Errorf("%+v", a)
	}
	s.disk.Fail(nil)
	if a := s.try("ann", spooled(accepts.sink("app"))); a.Err != nil || len(s.batches) != 2 || s.batches[0][0].Event.ID != s.batches[1][0].Event.ID {
		t.Errorf("%+v: it is given to the spool again, under the same id", a)
	}
	s.close(t)
}

func TestALateSpoolIsRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openShelf(t, true)
		s.put = func() error { time.Sleep(2 * budget); return nil }
		if a := s.try("ann", spooled(accepts.sink("app"))); status.ConditionOf(a.Err) != status.BudgetExceeded {
			t.Errorf("%+v", a)
		}
		s.Stop(context.Background())
		if a := s.try("ann", spooled(accepts.sink("app"))); a.Condition != status.AlreadyDelivered || len(s.batches) != 1 {
			t.Errorf("%+v", a)
		}
		s.close(t)
	})
}

func TestOneSessionSpoolsAUnit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openShelf(t, true)
		s.put = func() error { time.Sleep(time.Second); return nil }
		go s.try("ann bob", spooled(accepts.sink("app")))
		synctest.Wait()
		start := time.Now()
		a := s.try("ann", spooled(accepts.sink("app")))
		if a.Condition != status.AlreadyDelivered || len(s.batches) != 1 || time.Since(start) != time.Second {
			t.Errorf("%+v, %d batches, after %v", a, len(s.batches), time.Since(start))
		}
		s.close(t)
	})
}

func TestARefusalBesideTheSpoolIsBuried(t *testing.T) {
	s := openShelf(t, true)
	a := s.try("ann", spooled(accepts.sink("app")), direct(refuses.sink("no")))
	if a.Err != nil || !slices.Equal(s.buried.sinks, []string{"no"}) {
		t.Errorf("%+v, buried %v", a, s.buried.sinks)
	}
	s.close(t)
}
