package spool

import (
	"bytes"
	"container/heap"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"runtime/debug"
	"time"

	"mxhook/inbound"
	"mxhook/inbound/status"
	"mxhook/sinks"
	"mxhook/sinks/durable"
	"mxhook/sinks/ledger"
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

var errBytes = errors.New("the message's bytes are damaged")

// prepare makes the event from its files. The record is returned as far as it is
// known, with an error too.
func (s *Spool) prepare(e *event) (*sinks.Event, record, error) {
	s.parsing <- struct{}{}
	defer func() { <-s.parsing }()
	r, err := s.readWaiting(e)
	if err != nil {
		return nil, r, err
	}
	data, err := s.openMessage(e.batch.file(".eml"), r.Raw)
	if err != nil {
		return nil, r, err
	}
	ev, err := r.event(data)
	if err != nil {
		data.Release()
	}
	return ev, r, err
}

// openMessage opens a message and checks that it is the one that was kept.
func (s *Spool) openMessage(name string, want raw) (*inbound.MailData, error) {
	f, err := s.files.Open(name)
	if missing(err) {
		return nil, errBytes
	}
	if err != nil {
		return nil, err
	}
	size, err := f.Size()
	if err == nil && size != want.Size {
		err = errBytes
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	data, err := inbound.OpenMailData(f, size)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, errBytes
	}
	if err != nil {
		return nil, err
	}
	if sum := data.SHA256(); hex.EncodeToString(sum[:]) != want.SHA256 {
		data.Release()
		return nil, errBytes
	}
	return data, nil
}

// readWaiting returns the record of a waiting event. After errRecord it holds what the
// index knows.
func (s *Spool) readWaiting(e *event) (record, error) {
	b := e.batch
	r := record{Schema: DeadSchema, ID: e.event, Sink: e.sink, Route: e.route, SpooledAt: b.spooledAt,
		MessageID: b.messageID, Raw: raw{Size: b.size, SHA256: b.digest}}
	text, err := s.read(b.file(".json"))
	if missing(err) {
		return r, errRecord
	}
	if err != nil {
		return r, err
	}
	first, rest, _ := bytes.Cut(text, []byte{'\n'})
	second, _, _ := bytes.Cut(rest, []byte{'\n'})
	var h head
	if !decode(first, &h) {
		return r, errRecord
	}
	found := false
	for _, x := range h.Events {
		if itemID(x.ID, x.Sink) == e.id {
			found = true
			r.Units, r.Envelope.Recipients = x.Units, x.Recipients
		}
	}
	var f facts
	if !found || !decode(second, &f) {
		return r, errRecord
	}
	recipients := r.Envelope.Recipients
	r.facts = f
	r.Envelope.Recipients = recipients
	return r, nil
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

// settle decides what an outcome means.
func (s *Spool) settle(e *event, r record, o sinks.Outcome) {
	blocked := o.Class() == status.Temporary && o.Attempts == 0 && o.After > 0
	s.mu.Lock()
	q := s.lane(e.sink)
	switch {
	case blocked:
		q.pause(o.After)
	case o.Class() != status.Temporary && q.probing:
		q.well()
	case e.probe:
		q.probing = false
	}
	e.attempts += o.Attempts
	e.condition, e.detail, e.reply = status.ConditionOf(o.Err), o.Detail, status.ReplyOf(o.Err).String()
	o.Attempts = e.attempts
	s.mu.Unlock()
	switch {
	case o.Class() == status.Success:
		s.delivered(e, r)
	case o.Class() == status.Permanent:
		s.refuse(e, r, o)
	default:
		s.defers(e, r, o, !blocked)
	}
}

// delivered remembers the sink's yes, then removes the event.
func (s *Spool) delivered(e *event, r record) {
	sure := s.mark(e, ledger.Delivered, r.Units)
	if err := s.finish(e, stateDelivered, sure); err != nil {
		s.log.Warn("files of a delivered event not removed", "event", e.event, "sink", e.sink, "error", reason(err))
	}
}

// mark tells the ledger; sure says that it knows.
func (s *Spool) mark(e *event, state ledger.State, units []string) (sure bool) {
	s.mu.Lock()
	book := s.ledger
	s.mu.Unlock()
	keys := keysOf(units)
	if book == nil || len(keys) == 0 {
		return false
	}
	if err := book.Mark(e.event, state, keys); err != nil {
		s.log.Error("event not remembered", "event", e.event, "sink", e.sink, "state", state.String(), "error", err)
		return false
	}
	return true
}

// refuse makes a waiting event a dead one: that is durable before it waits no more.
func (s *Spool) refuse(e *event, r record, o sinks.Outcome) {
	s.mu.Lock()
	dropped := e.dropped
	s.mu.Unlock()
	if dropped {
		return
	}
	r.tell(o)
	if err := s.buryWaiting(e, r); err != nil {
		s.log.Error("dead event not kept, the event still waits", "event", e.event, "sink", e.sink, "error", reason(err))
		s.storage.failed(s.log, err)
		s.again(e, o, true)
		return
	}
	s.log.Warn("dead event kept", "event", e.event, "sink", e.sink, "condition", r.Condition, "detail", r.Detail)
	s.mark(e, ledger.Refused, r.Units)
	if err := s.finish(e, stateDead, false); err != nil {
		s.log.Warn("files of a dead event that waited not removed", "event", e.event, "sink", e.sink, "error", reason(err))
	}
}

func (s *Spool) buryWaiting(e *event, r record) error {
	release := s.hold(e.id)
	defer release()
	s.mu.Lock()
	_, older := s.dead[e.id]
	s.mu.Unlock()
	if older {
		if err := s.exhume(e.id); err != nil {
			return err
		}
	}
	return s.bury(e.id, r, func() (string, error) {
		name, err := s.linked(e.batch.file(".eml"), deadFolder)
		if missing(err) { // there is nothing to keep but the record
			return s.write(deadFolder, func(io.Writer) error { return nil })
		}
		return name, err
	}, false)
}

// defers lets an event wait on, or makes it dead when it has waited too long. failed
// says that it counts for the backoff.
func (s *Spool) defers(e *event, r record, o sinks.Outcome, failed bool) {
	s.mu.Lock()
	over := s.over(e, time.Now())
	s.mu.Unlock()
	if over {
		o.Detail = "too old: " + o.Detail
		s.refuse(e, r, o)
		return
	}
	s.again(e, o, failed)
}

// over tells whether an event has waited too long. s.mu is held.
func (s *Spool) over(e *event, now time.Time) bool {
	return !now.Before(e.batch.spooledAt.Add(s.limits.MaxAge))
}

// again lets an event wait on.
func (s *Spool) again(e *event, o sinks.Outcome, failed bool) {
	s.mu.Lock()
	now := time.Now()
	if failed {
		e.rounds++
		due := now.Add(max(backoff(e.rounds), min(o.After, maxBackoff)))
		if e.due = due; !s.over(e, now) {
			s.postpone(e, due)
		}
	}
	p := progress{ID: e.id, State: stateWaiting, Rounds: e.rounds, Attempts: e.attempts, Next: e.due.UTC(),
		Condition: status.ConditionOf(o.Err).Name(), Reply: e.reply, Detail: e.detail}
	dropped := e.dropped
	s.mu.Unlock()
	if failed && !dropped {
		s.note(e.batch, p, false)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requeue(e)
}

// requeue gives an event back to its lane. s.mu is held.
func (s *Spool) requeue(e *event) {
	e.running, e.probe = false, false
	if !e.dropped && s.waiting[e.id] == e {
		heap.Push(&s.lane(e.sink).due, e)
	}
}

// noSink lets an event wait whose sink is not there.
func (s *Spool) noSink(e *event) {
	now := time.Now()
	s.mu.Lock()
	q := s.lane(e.sink)
	if q.absent.IsZero() {
		s.log.Warn("events wait for a sink that the configuration doesn't have", "sink", e.sink, "events", len(q.due)+1)
	}
	q.absent = now.Add(lookAgain)
	over := s.over(e, now)
	if !over {
		s.requeue(e)
	}
	s.mu.Unlock()
	if over {
		s.expire(e)
	}
}

// expire buries an event that is too old, without another attempt.
func (s *Spool) expire(e *event) {
	r, _ := s.readWaiting(e)
	s.mu.Lock()
	c := e.condition
	o := sinks.Outcome{Detail: "too old: " + e.detail, Attempts: e.attempts}
	s.mu.Unlock()
	if c == nil || c.Class() == status.Success {
		c, o.Detail = status.SinkUnavailable, "too old: never tried"
	}
	o.Err = c.Wrap(op, nil)
	s.refuse(e, r, o)
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
