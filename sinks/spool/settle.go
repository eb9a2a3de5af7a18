package spool

import (
	"container/heap"
	"io"
	"time"

	"mxhook/inbound/status"
	"mxhook/sinks"
	"mxhook/sinks/ledger"
)

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
		s.told(e.event, e.sink, Delivered, o, time.Time{})
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
	s.told(e.event, e.sink, Dead, o, time.Time{})
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
	if !dropped {
		s.told(e.event, e.sink, Waiting, o, p.Next)
	}
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
