// Package delivery brings one message to all its sinks and makes one reply of what
// they say (RFC 5321 4.2.5: after the final dot there is one).
//
// A unit is (route, sink, recipient); an event groups the recipients of one route
// for one sink. All required events run in parallel inside one budget; when it ends
// the sender is told 451 4.4.5, and what runs goes on to its own end, whose outcome
// is told to Config.Late. Optional events run beside, are never waited for and never
// change the reply. A sink that panics has a temporary outcome.
//
// The events of a route with a spool are given to it instead, in one go, beside the
// direct events of other routes; its optional sinks are asked directly. Spooled counts
// as accepted.
//
// With a ledger, units that were delivered are left out, and what a sink accepts is
// remembered, durably, before the reply is chosen, late outcomes too; so is the first
// deferral of a unit that may spill into the spool one day. A unit that
// another session has under way is waited for. Everything is safe for concurrent use.
package delivery

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"mxhook/inbound"
	"mxhook/inbound/status"
	"mxhook/sinks"
	"mxhook/sinks/ledger"
	"mxhook/sinks/spool"
)

// Config says how long and to whom to tell.
type Config struct {
	Budget   time.Duration // how long the sender waits at most; default 30 s
	Log      *slog.Logger  // nil: silent
	Observer sinks.Observer
	// Dead keeps a refused event durably before a 250 is given in spite of it; its
	// error is the reply. Without it such a message is deferred with 452 4.3.1.
	Dead func(e *sinks.Event, sink string, o sinks.Outcome) error
	// Late is told an outcome that came after the reply was chosen.
	Late func(e *sinks.Event, sink string, o sinks.Outcome)
	// Spool takes events durably, all of them or none, and answers for what becomes of
	// them; its error is the reply. Without it what should be spooled is deferred with
	// 452 4.3.1.
	Spool func(batch []spool.Entry) error
	// Ledger knows what was delivered; nil remembers nothing.
	Ledger *ledger.Ledger
	// Suppressed is told how many units of a sink were left out because of the ledger.
	Suppressed func(sink string, units int)
}

// Deliverer delivers messages.
type Deliverer struct {
	config Config
	log    *slog.Logger

	mu      sync.Mutex
	running int
	idle    chan struct{} // not nil while Stop waits; closed when running gets 0
}

// New returns a Deliverer.
func New(c Config) *Deliverer {
	if c.Budget == 0 {
		c.Budget = 30 * time.Second
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return &Deliverer{config: c, log: c.Log}
}

// Deliver sends the message to the sinks of the orders and returns the reply, at
// the latest when the budget (unless m is Queued) or ctx ends. It retains m.Data for as long as a sink
// reads it, which may be longer. The Answer has a reply for each of m.Each, unless all
// are told the same.
func (d *Deliverer) Deliver(ctx context.Context, m Mail, orders []Order) inbound.Answer {
	if m.Watch == nil {
		m.Watch = unwatched{}
	}
	waiting := m.Waiting
	if waiting.IsZero() {
		waiting = time.Now()
	}
	patience := ctx
	ctx, cancel := context.WithDeadline(ctx, waiting.Add(d.config.Budget))
	if !m.Queued {
		patience = ctx
	}
	missing, err := d.missing(ctx, m, groups(orders))
	if err != nil {
		cancel()
		return inbound.Answer{Err: err}
	}
	r := newRound(d, cancel, m.Watch, missing.required)
	defer r.leave()
	r.spool(missing.required)
	for i, t := range missing.required {
		if !t.spooled {
			r.start(ctx, t, i)
		}
	}
	for _, t := range missing.optional {
		r.start(ctx, t, -1)
	}
	select {
	case <-r.complete:
	case <-patience.Done():
	}
	results := r.close()
	defer r.letGo()
	return d.answer(m, missing, results)
}

// run lets the sink deliver; a panic is a temporary outcome.
func (d *Deliverer) run(ctx context.Context, t task) (o sinks.Outcome) {
	defer func() {
		if p := recover(); p != nil {
			// The value may hold anything, so only its type is told.
			d.log.Error("sink panicked", "sink", t.sink.Name(), "event", t.event.ID, "panic", fmt.Sprintf("%T", p), "stack", string(debug.Stack()))
			o = failed(t, "panicked")
		}
	}()
	return t.sink.Deliver(ctx, t.event)
}

// failed is the outcome of a sink that doesn't give one.
func failed(t task, detail string) sinks.Outcome {
	return sinks.Outcome{Err: status.LocalError.Wrap("sink "+t.sink.Name(), errors.New(detail)), Detail: detail}
}

// Stop waits until nothing runs any more: late attempts and optional sinks. No
// Deliver may begin after it was called. The error is ctx's.
func (d *Deliverer) Stop(ctx context.Context) error {
	d.mu.Lock()
	if d.running == 0 {
		d.mu.Unlock()
		return nil
	}
	if d.idle == nil {
		d.idle = make(chan struct{})
	}
	idle := d.idle
	d.mu.Unlock()
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (d *Deliverer) enter() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.running++
}

func (d *Deliverer) exit() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.running--; d.running == 0 && d.idle != nil {
		close(d.idle)
		d.idle = nil
	}
}
