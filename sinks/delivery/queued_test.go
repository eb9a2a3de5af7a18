package delivery_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mxhook/inbound"
	"mxhook/inbound/status"
	"mxhook/sinks"
	"mxhook/sinks/delivery"
	"mxhook/sinks/ledger"
)

func (b *book) queued(to []string, required ...sinks.Sink) inbound.Answer {
	m, recipients := mail(to...)
	m.Provable, m.Queued = true, true
	defer m.Data.Release()
	return b.Deliver(context.Background(), m, []delivery.Order{{Route: "r", Recipients: recipients, Required: required, Deduplicate: true}})
}

// TestWhatNobodyHearsIsKept: a refusal of a message that comes from a queue is always a
// dead event, and only a temporary outcome keeps the message in the queue.
func TestWhatNobodyHearsIsKept(t *testing.T) {
	for _, c := range []struct {
		name     string
		required []sinks.Sink
		want     *status.Condition
		kept     string
	}{
		{"every unit is refused", list(refuses.sink("a"), refuses.sink("b")), status.Delivered, "a b"},
		{"one is refused", list(accepts.sink("a"), refuses.sink("b")), status.Delivered, "b"},
		{"one is refused, one is temporary", list(temporary.sink("a"), refuses.sink("b")), status.PartlyDelivered, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := openBook(t)
			a := b.queued([]string{"ann@in.example"}, c.required...)
			if status.ConditionOf(a.Err) != c.want || strings.Join(b.graves.sinks, " ") != c.kept {
				t.Errorf("%s, kept %v", status.ConditionOf(a.Err).Name(), b.graves.sinks)
			}
			if c.kept == "a b" { // the queue brings it once more
				if a := b.queued([]string{"ann@in.example"}, c.required...); cond(a) != status.AlreadyDelivered || len(b.graves.sinks) != 2 {
					t.Errorf("again: %+v, kept %v", a, b.graves.sinks)
				}
			}
		})
	}
}

func TestWhatCanNotBeKeptStaysInTheQueue(t *testing.T) {
	d := delivery.New(delivery.Config{})
	m, to := mail("ann@in.example")
	m.Queued = true
	a := d.Deliver(context.Background(), m, []delivery.Order{{Route: "r", Recipients: to, Required: list(refuses.sink("a"))}})
	if cond(a) != status.NoStorage {
		t.Errorf("%+v", a)
	}
}

// TestAQueuedMessageWaitsForItsSinksEnd: what a sink says beyond the budget counts, unless
// the caller's own context ends.
func TestAQueuedMessageWaitsForItsSinksEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := openBook(t)
		slow := &fake{name: "slow", deliver: func(context.Context, *sinks.Event) sinks.Outcome {
			time.Sleep(10 * budget)
			return sinks.Outcome{Attempts: 1}
		}}
		began := time.Now()
		if a := b.queued([]string{"ann@in.example"}, slow); a.Err != nil || time.Since(began) != 10*budget {
			t.Errorf("%+v after %v", a, time.Since(began))
		}
		for _, k := range b.ledger.Known([]ledger.Key{ledger.KeyOf([32]byte{1}, "r", "slow", "ann@in.example")}) {
			if k.State != ledger.Delivered {
				t.Errorf("the ledger says %v", k.State)
			}
		}
		m, to := mail("bob@in.example")
		m.Queued = true
		ctx, cancel := context.WithTimeout(context.Background(), 2*budget)
		defer cancel()
		a := b.Deliver(ctx, m, []delivery.Order{{Route: "r", Recipients: to, Required: list(slow)}})
		if cond(a) != status.BudgetExceeded {
			t.Errorf("%+v", a)
		}
		if err := b.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
}
