package bridge

import (
	"context"
	"crypto/sha256"
	"errors"
	"sync"
	"time"

	"mxhook/cmd/internal/worker"
	"mxhook/inbound/status"
	"mxhook/sinks"
	"mxhook/sinks/delivery"
)

// HandleQueued delivers a message of a source's queue to the source's sinks, as a
// transaction delivers one of SMTP: with the ledger, formats, signatures and circuits of
// the present configuration. It returns when every required sink has decided, or ctx
// ends. It may be called before Start, and without it. It is safe for concurrent use.
//
// The caller deletes the message when the outcome is Accepted or Refused, and else lets
// the queue bring it again, however often.
func (b *Bridge) HandleQueued(ctx context.Context, source string, m worker.Message) worker.Outcome {
	p := b.acquire()
	defer p.release()
	src, ok := p.sources[source]
	if !ok {
		err := status.LocalError.Wrap("source", errors.New("the configuration has it no longer"))
		return worker.Outcome{Result: worker.Temporary, Err: err, Detail: "the source is not in the configuration any more, restart mxhook"}
	}
	err := p.usable()
	if err != nil {
		return outcomeOfError(nil, err)
	}
	began := time.Now()
	e, err := worker.Decoder{Store: b.store, Objects: p.objects}.Decode(ctx, m)
	entry := b.recordQueued(src, m, e)
	if err != nil {
		o := outcomeOfError(e, err)
		settleQueued(entry, o, began)
		return o
	}
	defer e.Data.Release()
	q := &queued{}
	mail := queuedMail(e)
	if entry != nil {
		mail.Watch = entry
	}
	answer := p.deliverer.Deliver(ctx, mail, []delivery.Order{{
		Route: e.Route, Recipients: e.Recipients, Deduplicate: true,
		Required: q.watch(p.sinksNamed(src.Deliver)), Optional: p.sinksNamed(src.Optional),
	}})
	b.metrics.TransactionAnswered(status.ClassOf(answer.Err))
	o := q.outcome(e, answer.Err)
	settleQueued(entry, o, began)
	return o
}

// handlerOf returns HandleQueued for one source.
func (b *Bridge) handlerOf(source string) worker.Handler {
	return func(ctx context.Context, m worker.Message) worker.Outcome { return b.HandleQueued(ctx, source, m) }
}

// queuedMail returns the message of an event that was made before, so that the same events
// come of it. Its identity is that of the listener's transaction, hence proved; one that a
// spool of an earlier version didn't keep is made of the event's id.
func queuedMail(e *sinks.Event) delivery.Mail {
	identity := e.Identity
	if identity == ([sha256.Size]byte{}) {
		identity = sha256.Sum256([]byte(e.ID))
	}
	return delivery.Mail{
		Identity: identity, Provable: true, Queued: true, Session: e.Session, Mail: e.Mail, Message: e.Message, Results: e.Results,
		Data: e.Data, Cut: e.Cut, Hostname: e.Hostname, ReceivedAt: e.ReceivedAt, Waiting: time.Now(),
	}
}

// outcomeOfError is that of a message which came to no sink. e is nil when it could not be
// read.
func outcomeOfError(e *sinks.Event, err error) worker.Outcome {
	o := worker.Outcome{Result: worker.Temporary, Err: err, Detail: worker.Words(err)}
	if e != nil {
		o.Event = e.ID
	}
	if p := (*worker.PoisonError)(nil); errors.As(err, &p) {
		o.Result = worker.Poison
	}
	return o
}

// queued is what the required sinks said of one message.
type queued struct {
	mu      sync.Mutex
	after   time.Duration
	detail  string // of the first that was not a yes
	refused bool
}

// outcome tells what became of the message.
func (q *queued) outcome(e *sinks.Event, err error) worker.Outcome {
	q.mu.Lock()
	defer q.mu.Unlock()
	o := worker.Outcome{Result: worker.Accepted, Event: e.ID, Err: err, Detail: q.detail}
	switch {
	case err != nil:
		o.Result, o.After = worker.Temporary, q.after
		if q.detail == "" {
			o.Detail = status.ReplyOf(err).Text
		}
	case q.refused:
		o.Result = worker.Refused
	}
	return o
}

func (q *queued) watch(list []sinks.Sink) []sinks.Sink {
	for i, s := range list {
		list[i] = &heard{s, q}
	}
	return list
}

// heard is a sink whose outcomes are noted.
type heard struct {
	sinks.Sink
	queued *queued
}

// Deliver implements sinks.Sink.
func (h *heard) Deliver(ctx context.Context, e *sinks.Event) sinks.Outcome {
	o := h.Sink.Deliver(ctx, e)
	h.queued.mu.Lock()
	defer h.queued.mu.Unlock()
	if o.Err == nil {
		return o
	}
	if h.queued.detail == "" {
		h.queued.detail = o.Detail
	}
	h.queued.after = max(h.queued.after, o.After)
	h.queued.refused = h.queued.refused || o.Class() == status.Permanent
	return o
}
