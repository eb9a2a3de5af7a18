package delivery

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"mxhook/inbound/status"
	"mxhook/sinks"
	"mxhook/sinks/ledger"
)

// round is the delivery of one message: the events that run for it.
type round struct {
	deliverer *Deliverer
	cancel    context.CancelFunc
	watch     Watcher

	mu       sync.Mutex
	results  []result         // of the required events; BudgetExceeded until it is in
	missing  int              // of these, how many are not in
	held     []*ledger.Flight // of refused events, until the reply is chosen
	closed   bool             // the reply is being chosen: what comes now is late
	complete chan struct{}    // closed when missing is 0
	open     int              // who may still need the context: the events that run, and Deliver
}

func newRound(d *Deliverer, cancel context.CancelFunc, watch Watcher, required []task) *round {
	r := &round{deliverer: d, cancel: cancel, watch: watch, results: make([]result, len(required)),
		missing: len(required), complete: make(chan struct{}), open: 1}
	for i, t := range required {
		r.results[i] = result{task: t, outcome: sinks.Outcome{Err: status.BudgetExceeded.Wrap(op, nil)}}
	}
	if len(required) == 0 {
		close(r.complete)
	}
	return r
}

// start runs one event; index is its place among the required ones, -1 for an
// optional one.
func (r *round) start(ctx context.Context, t task, index int) {
	r.enter()
	data := t.event.Data.Retain()
	if !t.refused() {
		r.watch.Began(t.event, t.sink.Name(), index < 0, false)
	}
	go func() {
		defer r.exit()
		defer data.Release()
		begin := time.Now()
		o := failed(t, "gave no outcome")
		defer func() { r.finish(t, index, o, time.Since(begin)) }() // also when the sink ends the goroutine
		o = r.deliverer.run(ctx, t)
	}()
}

// finish remembers what was accepted before the outcome counts, so that the fsync is
// inside the sender's wait, and gives the units back: what another session that waits
// for them finds in the ledger is complete.
func (r *round) finish(t task, index int, o sinks.Outcome, took time.Duration) {
	var storage error
	switch {
	case o.Err == nil && t.spooled:
		storage = r.deliverer.mark(t, ledger.Spooled)
	case o.Err == nil:
		storage = r.deliverer.mark(t, ledger.Delivered)
	case t.spooled:
		storage = o.Err
	}
	if !r.report(t, index, o, storage, took) {
		t.flight.End()
	}
}

// report takes an outcome, on time or late. It is logged and counted before the
// reply can be chosen because of it. held says that the event's units are given back
// when the reply is chosen.
func (r *round) report(t task, index int, o sinks.Outcome, storage error, took time.Duration) (held bool) {
	d := r.deliverer
	r.mu.Lock()
	late := r.closed
	if index >= 0 && !late {
		r.results[index].outcome, r.results[index].storage = o, storage
		if held = o.Class() == status.Permanent; held {
			r.held = append(r.held, t.flight)
		}
	}
	r.mu.Unlock()
	d.note(t, index < 0, late, o, took)
	if !t.refused() {
		r.watch.Ended(t.event, t.sink.Name(), o, t.spooled, late)
	}
	if late && d.config.Late != nil {
		d.config.Late(t.event, t.sink.Name(), o)
	}
	if index < 0 {
		return held
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.missing--; r.missing == 0 {
		close(r.complete)
	}
	return held
}

// close ends the time for outcomes and returns them. Who hasn't said anything has
// used up the budget.
func (r *round) close() []result {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	return r.results
}

// letGo gives back the units of refused events, which are buried and remembered now
// if they had to be.
func (r *round) letGo() {
	for _, f := range r.held {
		f.End()
	}
}

// enter counts a goroutine that exit ends.
func (r *round) enter() {
	r.deliverer.enter()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.open++
}

func (r *round) exit() {
	r.leave()
	r.deliverer.exit()
}

// leave ends the context when nobody needs it any more.
func (r *round) leave() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.open--; r.open == 0 {
		r.cancel()
	}
}

// note logs and counts an outcome.
func (d *Deliverer) note(t task, optional, late bool, o sinks.Outcome, took time.Duration) {
	c := status.ConditionOf(o.Err)
	if d.config.Observer != nil && !t.spooled && !t.refused() {
		d.config.Observer.Outcome(t.sink.Name(), c, took, late)
	}
	level, what := slog.LevelInfo, "delivered"
	if t.spooled {
		what = "spooled"
	}
	switch {
	case c == status.SinkOperator || c == status.LocalError || c == status.NoStorage:
		level, what = slog.LevelError, "deferred"
	case o.Class() == status.Permanent:
		level, what = slog.LevelWarn, "refused"
	case o.Class() == status.Temporary:
		level, what = slog.LevelWarn, "deferred"
	}
	log := d.log.With("session", t.event.Session.ID, "event", t.event.ID, "route", t.event.Route, "sink", t.sink.Name(), "condition", c.Name(), "detail", o.Detail,
		"attempts", o.Attempts, "took", took, "optional", optional, "late", late)
	if c == status.LocalError { // also what no sink should give: an error without a condition
		log = log.With("error", o.Err)
	}
	log.Log(context.Background(), level, what)
}
