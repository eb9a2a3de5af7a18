package worker

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"time"

	"mxhook/inbound/status"
)

// The times for which a message is put back.
const (
	firstBackoff  = 2 * time.Second
	poisonBackoff = time.Minute
	maxBackoff    = time.Hour
)

// deletions are the pauses before each try to delete a message.
var deletions = [...]time.Duration{0, 200 * time.Millisecond, time.Second, 5 * time.Second}

// backoff returns how long a message waits that was received n times, n from 1: between
// the half and the whole of first, twice that, and so on, up to an hour.
func backoff(first time.Duration, n int) time.Duration {
	d := maxBackoff
	if n < 12 {
		d = min(d, first<<(max(n, 1)-1))
	}
	return d/2 + rand.N(d/2)
}

// settle deletes a message or puts it back.
func (w *Worker) settle(m Message, o Outcome, took time.Duration) {
	w.config.Metrics.SourceMessage(w.config.Source, string(o.Result))
	log := w.log.With("message", m.ID, "event", o.Event, "receives", m.Receives, "took", took)
	switch o.Result {
	case Accepted:
		log.Info("queued event delivered")
		w.delete(m, log)
	case Refused:
		log.Warn("queued event refused for good, it is kept as a dead event", "detail", o.Detail)
		w.delete(m, log)
	case Returned:
		log.Info("queued event put back")
		w.hide(m, 0, log)
	case Poison:
		w.poison(m, o, log)
	default:
		wait := max(backoff(firstBackoff, m.Receives), min(o.After, maxBackoff))
		log.Warn("queued event deferred", "condition", status.ConditionOf(o.Err).Name(), "detail", o.Detail, "wait", wait)
		w.hide(m, wait, log)
	}
}

// poison puts back what nothing will ever deliver: the queue's redrive policy ends it.
func (w *Worker) poison(m Message, o Outcome, log *slog.Logger) {
	reason, cure := "", ""
	if p := (*PoisonError)(nil); errors.As(o.Err, &p) {
		reason, cure = p.Reason, p.Cure
	}
	wait := backoff(poisonBackoff, m.Receives)
	log.Error("poisonous message: no try will ever deliver it", "reason", reason, "cure", cure, "wait", wait)
	w.hide(m, wait, log)
}

// hide puts a message back. Where that fails it comes back when its time is over.
func (w *Worker) hide(m Message, d time.Duration, log *slog.Logger) {
	d = d.Round(time.Second)
	if err := w.call(func(ctx context.Context) error { return w.config.Queue.Hide(ctx, m, d) }); err != nil {
		log.Warn("the message was not put back, it comes again when its visibility timeout is over", fault(err))
	}
}

// delete removes a message. One that stays comes again, and is then known where there is
// a ledger, else repeated under the same id.
func (w *Worker) delete(m Message, log *slog.Logger) {
	var err error
	for _, pause := range deletions {
		if pause > 0 {
			t := time.NewTimer(pause)
			select {
			case <-t.C:
			case <-w.work.Done(): // no time left
				t.Stop()
			}
		}
		if err = w.call(func(ctx context.Context) error { return w.config.Queue.Delete(ctx, m) }); err == nil {
			return
		}
	}
	log.Warn("a delivered message was not deleted, so that it comes again; its event has the same id", fault(err))
}
