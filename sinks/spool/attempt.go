package spool

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"mxhook/inbound/status"
	"mxhook/sinks"
	"mxhook/sinks/durable"
)

// deliver is one delivery of an event and what comes of it.
func (s *Spool) deliver(e *event) {
	sink, done := s.sink(e.sink)
	if sink == nil {
		s.noSink(e)
		return
	}
	if done != nil {
		defer done()
	}
	ended := false
	defer func() { s.rescue(e, ended, recover()) }()
	began := time.Now()
	ev, r, err := s.prepare(e)
	switch {
	case errors.Is(err, errRecord) || errors.Is(err, errBytes):
		s.log.Error("spooled event can't be delivered, it is kept as a dead event", "event", e.event, "sink", e.sink, "error", err)
		s.refuse(e, r, sinks.Outcome{Err: status.LocalError.Wrap(op, err), Detail: err.Error(), Attempts: e.attempts})
	case err != nil:
		s.log.Error("spooled event can't be read", "event", e.event, "sink", e.sink, "error", reason(err))
		s.defers(e, r, sinks.Outcome{Err: status.LocalError.Wrap(op, err), Detail: "its files can't be read"}, true)
	default:
		o := s.attempt(sink, ev)
		ev.Data.Release()
		s.tell(e, o, time.Since(began))
		s.settle(e, r, o)
	}
	ended = true
}

// rescue lets an event wait on whose delivery ended without an outcome: a fault of
// ours must not make the event, or the process, go.
func (s *Spool) rescue(e *event, ended bool, fault any) {
	if ended {
		return
	}
	// The value may hold anything, so only its type is told.
	s.log.Error("delivery from the spool failed inside", "event", e.event, "sink", e.sink, "panic", fmt.Sprintf("%T", fault), "stack", string(debug.Stack()))
	s.again(e, sinks.Outcome{Err: status.LocalError.Wrap(op, nil), Detail: "failed inside"}, true)
}

// attempt lets the sink deliver; a panic is a temporary outcome.
func (s *Spool) attempt(sink sinks.Sink, ev *sinks.Event) (o sinks.Outcome) {
	s.mu.Lock()
	budget := s.limits.Budget
	s.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), budget)
	defer cancel()
	defer func() {
		if p := recover(); p != nil {
			// The value may hold anything, so only its type is told.
			s.log.Error("sink panicked", "sink", sink.Name(), "event", ev.ID, "panic", fmt.Sprintf("%T", p), "stack", string(debug.Stack()))
			o = sinks.Outcome{Err: status.LocalError.Wrap("sink "+sink.Name(), errors.New("panicked")), Detail: "panicked", Attempts: 1}
		}
	}()
	return sink.Deliver(ctx, ev)
}

// tell logs and counts an outcome.
func (s *Spool) tell(e *event, o sinks.Outcome, took time.Duration) {
	c := status.ConditionOf(o.Err)
	if s.observer != nil && (o.Attempts > 0 || o.Err == nil) {
		s.observer.Outcome(e.sink, c, took, true)
	}
	level, what := slog.LevelInfo, "delivered"
	switch {
	case c == status.SinkOperator || c == status.LocalError:
		level, what = slog.LevelError, "deferred"
	case o.Class() == status.Permanent:
		level, what = slog.LevelWarn, "refused"
	case o.Attempts == 0 && o.Err != nil:
		level, what = slog.LevelDebug, "not tried"
	case o.Class() == status.Temporary:
		level, what = slog.LevelWarn, "deferred"
	}
	s.log.Log(context.Background(), level, what, "event", e.event, "route", e.route, "sink", e.sink, "condition", c.Name(),
		"detail", o.Detail, "attempts", o.Attempts, "took", took, "spooled_at", e.batch.spooledAt)
}

func reason(err error) string {
	if ours(err) || errors.Is(err, errRecord) || errors.Is(err, errBytes) {
		return err.Error()
	}
	return durable.Reason(err)
}
