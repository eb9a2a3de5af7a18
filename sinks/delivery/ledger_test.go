package delivery_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"mxhook/inbound"
	"mxhook/inbound/status"
	"mxhook/sinks"
	"mxhook/sinks/delivery"
	"mxhook/sinks/ledger"
	"mxhook/sinks/ledger/ledgertest"
)

// book is a ledger on a disk that can fail, with a Deliverer and what it was told.
type book struct {
	*delivery.Deliverer
	disk       *ledgertest.Disk
	ledger     *ledger.Ledger
	log        bytes.Buffer
	graves     graveyard
	suppressed []string
}

func openBook(t *testing.T) *book {
	t.Helper()
	b := &book{disk: ledgertest.NewDisk()}
	l, err := ledger.Open("", ledger.Options{Files: b.disk, Retry: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	b.ledger = l
	b.Deliverer = delivery.New(delivery.Config{Budget: budget, Ledger: l, Dead: b.graves.bury, Log: slog.New(slog.NewTextHandler(&b.log, nil)),
		Suppressed: func(sink string, units int) { b.suppressed = append(b.suppressed, strings.Repeat(sink+" ", units)) }})
	return b
}

// try delivers a message with an identity to the sinks.
func (b *book) try(to []string, required []sinks.Sink, optional ...sinks.Sink) inbound.Answer {
	m, recipients := mail(to...)
	m.Provable = true
	defer m.Data.Release()
	return b.Deliver(context.Background(), m, []delivery.Order{{Route: "r", Recipients: recipients, Required: required, Optional: optional, Deduplicate: true}})
}

func list(s ...sinks.Sink) []sinks.Sink { return s }

func TestAResendGoesToWhatIsMissing(t *testing.T) {
	b := openBook(t)
	var r recorder
	all, each := r.sink("all", sinks.FanOutMessage), r.sink("each", sinks.FanOutRecipient)
	if a := b.try([]string{"ann@in.example"}, list(all, temporary.sink("each"))); status.ConditionOf(a.Err) != status.PartlyDelivered {
		t.Fatalf("%+v", a)
	}
	first := r.events["all"][0].ID
	a := b.try([]string{"ANN@in.example", "bob@in.example"}, list(all, each))
	if a.Err != nil || !strings.HasSuffix(a.Text, " +2") {
		t.Errorf("%+v", a)
	}
	if got := r.units("all"); !slices.Equal(got, []string{"r/ann@in.example", "r/bob@in.example"}) {
		t.Errorf("all got %v", got)
	}
	if r.events["all"][1].ID == first {
		t.Error("another recipient has the same id")
	}
	a = b.try([]string{"ann@in.example", "bob@in.example"}, list(all, each))
	if a.Err != nil || a.Text != "already delivered as "+first || a.Condition != status.AlreadyDelivered {
		t.Errorf("%+v", a)
	}
	if len(r.events["all"])+len(r.events["each"]) != 4 {
		t.Error("something was sent again")
	}
	if want := []string{"all ", "all all ", "each each "}; !slices.Equal(b.suppressed, want) {
		t.Errorf("suppressed %q, want %q", b.suppressed, want)
	}
	if log := b.log.String(); strings.Count(log, `msg="already delivered"`) != 3 || !strings.Contains(log, first) {
		t.Errorf("log: %s", log)
	}
}

func TestWhatIsNeverSuppressed(t *testing.T) {
	b := openBook(t)
	var r recorder
	app := r.sink("app", "")
	for range 2 {
		m, to := mail("ann@in.example") // no Message-ID
		b.Deliver(context.Background(), m, []delivery.Order{{Route: "r", Recipients: to, Required: list(app), Deduplicate: true}})
		m.Provable = true
		b.Deliver(context.Background(), m, []delivery.Order{{Route: "r", Recipients: to, Required: list(app)}})
	}
	if n := len(r.events["app"]); n != 4 || b.disk.Syncs() != 0 {
		t.Errorf("%d of 4 deliveries, %d syncs", n, b.disk.Syncs())
	}
}

func TestAnUnwritableLedgerIsNoYes(t *testing.T) {
	b := openBook(t)
	var r recorder
	b.disk.Fail(func(op string) error {
		if op == "write" {
			return syscall.ENOSPC
		}
		return nil
	})
	for range 2 {
		a := b.try([]string{"ann@in.example"}, list(r.sink("app", ""), refuses.sink("other")), r.sink("jobs", ""))
		if got := a.Reply().String(); !strings.HasPrefix(got, "452 4.3.1 ") {
			t.Errorf("reply %q", got)
		}
		b.Stop(context.Background()) // the optional one is not waited for
	}
	if e := r.events["app"]; len(e) != 2 || e[0].ID != e[1].ID || len(r.events["jobs"]) != 2 {
		t.Errorf("events %v", r.events)
	}
	if len(b.graves.sinks) != 0 {
		t.Error("an event was buried although there is no 250")
	}
	b.disk.Fail(nil)
	if a := b.try([]string{"ann@in.example"}, list(r.sink("app", ""))); a.Err != nil || len(r.events["app"]) != 3 {
		t.Errorf("with space again: %+v", a)
	}
	if a := b.try([]string{"ann@in.example"}, list(r.sink("app", ""))); a.Condition != status.AlreadyDelivered || len(r.events["app"]) != 3 {
		t.Errorf("at last: %+v", a)
	}
}

func TestARefusedUnitIsBuriedOnce(t *testing.T) {
	b := openBook(t)
	for range 3 {
		if a := b.try([]string{"ann@in.example"}, list(accepts.sink("app"), refuses.sink("other"))); a.Err != nil {
			t.Errorf("%+v", a)
		}
	}
	if !slices.Equal(b.graves.sinks, []string{"other"}) {
		t.Errorf("buried %v", b.graves.sinks)
	}
	// Without another unit that is taken, a refusal is the sender's to know.
	if a := b.try([]string{"bob@in.example"}, list(refuses.sink("other"))); status.ConditionOf(a.Err) != status.SinkRefused {
		t.Errorf("%+v", a)
	}
	// What was delivered in an earlier try counts.
	b.try([]string{"eve@in.example"}, list(accepts.sink("app"), temporary.sink("other")))
	if a := b.try([]string{"eve@in.example"}, list(accepts.sink("app"), refuses.sink("other"))); a.Err != nil || len(b.graves.sinks) != 2 {
		t.Errorf("%+v, buried %v", a, b.graves.sinks)
	}
	// When it can't be remembered there is no yes.
	b.disk.Fail(func(op string) error {
		if op == "sync" && len(b.graves.sinks) == 3 {
			return syscall.EIO
		}
		return nil
	})
	if a := b.try([]string{"may@in.example"}, list(accepts.sink("app"), refuses.sink("other"))); status.ConditionOf(a.Err) != status.NoStorage {
		t.Errorf("%+v", a)
	}
}

func TestOptionalSinksAreRemembered(t *testing.T) {
	b := openBook(t)
	var r recorder
	jobs := r.sink("jobs", "")
	for range 2 {
		b.try([]string{"ann@in.example"}, list(temporary.sink("app")), jobs)
		if err := b.Stop(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	if len(r.events["jobs"]) != 1 {
		t.Errorf("%d deliveries", len(r.events["jobs"]))
	}
	a := b.try([]string{"ann@in.example"}, list(temporary.sink("app")), jobs)
	if status.ConditionOf(a.Err) != status.SinkUnavailable {
		t.Errorf("a known optional unit counts: %+v", a)
	}
	if a := b.try([]string{"ann@in.example"}, nil, jobs); a.Condition != status.AlreadyDelivered {
		t.Errorf("%+v", a)
	}
}

func TestALateYesIsRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := openBook(t)
		calls := 0
		slow := &fake{name: "app", deliver: func(context.Context, *sinks.Event) sinks.Outcome {
			calls++
			time.Sleep(budget + budget/2)
			return sinks.Outcome{Attempts: 1}
		}}
		if a := b.try([]string{"ann@in.example"}, list(slow)); status.ConditionOf(a.Err) != status.BudgetExceeded {
			t.Errorf("%+v", a)
		}
		// The sender is back while the attempt still runs, and waits for it.
		start := time.Now()
		a := b.try([]string{"ann@in.example"}, list(slow))
		if a.Condition != status.AlreadyDelivered || calls != 1 || time.Since(start) != budget/2 {
			t.Errorf("%+v, %d calls, after %v", a, calls, time.Since(start))
		}
		b.ledger.Close()
	})
}

func TestOneSessionDeliversAUnit(t *testing.T) {
	for _, c := range []struct {
		name   string
		first  behaviour
		takes  time.Duration // of the first session's sink
		second *status.Condition
		calls  int
	}{
		{"the other's yes is enough", accepts, time.Second, status.AlreadyDelivered, 1},
		{"the other's failure is made good", temporary, time.Second, nil, 2},
		{"the other's refusal too", refuses, time.Second, nil, 2},
		{"the other's panic too", panics, time.Second, nil, 2},
		{"the wait ends with the budget", accepts, 3 * budget, status.InProgress, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := openBook(t)
				calls := 0
				app := &fake{name: "app", deliver: func(ctx context.Context, e *sinks.Event) sinks.Outcome {
					calls++
					if calls > 1 {
						return sinks.Outcome{Attempts: 1}
					}
					time.Sleep(c.takes)
					return c.first.sink("app").deliver(ctx, e)
				}}
				go b.try([]string{"ann@in.example", "bob@in.example"}, list(app))
				synctest.Wait()
				start := time.Now()
				a := b.try([]string{"ann@in.example"}, list(app))
				if took := time.Since(start); took != min(c.takes, budget) || calls != c.calls {
					t.Errorf("%d calls, after %v", calls, took)
				}
				if got := cond(a); got != c.second {
					t.Errorf("%+v", a)
				}
				b.Stop(context.Background())
				b.ledger.Close()
			})
		})
	}
}

func cond(a inbound.Answer) *status.Condition {
	if a.Err != nil {
		return status.ConditionOf(a.Err)
	}
	return a.Condition
}

func TestOtherUnitsDoNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := openBook(t)
		slow := &fake{name: "slow", deliver: func(context.Context, *sinks.Event) sinks.Outcome {
			time.Sleep(budget / 2)
			return sinks.Outcome{Attempts: 1}
		}}
		var r recorder
		go b.try([]string{"ann@in.example"}, list(slow), slow)
		synctest.Wait()
		start := time.Now()
		// Another recipient; and the same one where the sink is optional.
		b.try([]string{"bob@in.example"}, list(r.sink("slow", "")))
		b.try([]string{"ann@in.example"}, list(r.sink("app", "")), r.sink("slow", ""))
		if took := time.Since(start); took != 0 || len(r.events["slow"]) != 1 || len(r.events["app"]) != 1 {
			t.Errorf("after %v: %v", took, r.events)
		}
		b.Stop(context.Background())
		b.ledger.Close()
	})
}

func TestManySessionsMakeOneDelivery(t *testing.T) {
	b := openBook(t)
	b.Deliverer = delivery.New(delivery.Config{Budget: budget, Ledger: b.ledger})
	var calls atomic.Int64
	app := &fake{name: "app", deliver: func(context.Context, *sinks.Event) sinks.Outcome {
		calls.Add(1)
		return sinks.Outcome{Attempts: 1}
	}}
	const rounds = 300
	for round := range rounds {
		var sessions sync.WaitGroup
		for range 6 {
			sessions.Go(func() {
				m, to := mail("ann@in.example", "bob@in.example")
				m.Provable, m.Identity = true, [32]byte{byte(round), byte(round >> 8), 1}
				a := b.Deliver(context.Background(), m, []delivery.Order{{Route: "r", Recipients: to, Required: list(app), Optional: list(app), Deduplicate: true}})
				if a.Err != nil {
					t.Error(a.Err)
				}
			})
		}
		sessions.Wait()
	}
	if n := calls.Load(); n != rounds {
		t.Errorf("%d deliveries of %d messages", n, rounds)
	}
}

func TestTheSessionsEndEndsTheWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := openBook(t)
		go b.try([]string{"ann@in.example"}, list(hangs.sink("app")))
		synctest.Wait()
		m, to := mail("ann@in.example")
		m.Provable = true
		ctx, cancel := context.WithCancelCause(context.Background())
		cancel(errors.New("cut"))
		a := b.Deliver(ctx, m, []delivery.Order{{Route: "r", Recipients: to, Required: list(hangs.sink("app")), Deduplicate: true}})
		if status.ConditionOf(a.Err) != status.InProgress {
			t.Errorf("%+v", a)
		}
		b.Stop(context.Background())
		b.ledger.Close()
	})
}
