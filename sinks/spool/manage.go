package spool

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"mxhook/sinks"
	"mxhook/sinks/ledger"
)

// errNoSink is what becomes of the wish to replay an event that had no sink.
var errNoSink = errors.New("no sink refused it, its route did: there is none to give it to; take its message (replay --show --raw ID) and replay that FILE.eml")

// UnknownError says that the spool has no event of these item ids.
type UnknownError struct{ IDs []string }

// Error names the ids.
func (e *UnknownError) Error() string {
	return "the spool has no event " + strings.Join(e.IDs, ", ")
}

// find tells which of ids the spool doesn't have.
func (s *Spool) find(ids []string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var unknown []string
	for _, id := range ids {
		if _, dead := s.dead[id]; !dead && s.waiting[id] == nil {
			unknown = append(unknown, id)
		}
	}
	if unknown != nil {
		return &UnknownError{unknown}
	}
	return nil
}

// Replay puts dead events back to wait, as old as one that was put now, and makes
// waiting ones due now. Ids that the spool doesn't have are an *UnknownError, and
// nothing was done; of other errors, which are joined, each names its event, which is
// where it was, and the rest was done.
func (s *Spool) Replay(ids []string) error {
	if err := s.find(ids); err != nil {
		return err
	}
	var errs []error
	for _, id := range ids {
		if err := s.replay(id); err != nil {
			errs = append(errs, fmt.Errorf("%s: %s", id, reason(err)))
		}
	}
	s.ring()
	return errors.Join(errs...)
}

func (s *Spool) isDead(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, dead := s.dead[id]
	return dead
}

func (s *Spool) replay(id string) error {
	s.mu.Lock()
	if e := s.waiting[id]; e != nil {
		if !e.running {
			s.hasten(e)
		}
		s.mu.Unlock()
		return nil
	}
	s.mu.Unlock()
	release := s.hold(id)
	defer release()
	if !s.isDead(id) { // somebody else has put it back, or dropped it
		return nil
	}
	r, err := s.readDead(id)
	if err != nil {
		return err
	}
	if strings.HasPrefix(r.Sink, sinks.NoSink) {
		return errNoSink
	}
	data, err := s.openMessage(deadFile(id, ".eml"), r.Raw)
	if err != nil {
		return err
	}
	_, err = r.event(data)
	data.Release()
	if err != nil {
		return err
	}
	if err := s.revive(id, r); err != nil {
		if !ours(err) {
			s.storage.failed(s.log, err)
		}
		return err
	}
	s.told(r.ID, r.Sink, Waiting, sinks.Outcome{}, time.Now().UTC())
	s.log.Info("dead event put back", "event", r.ID, "sink", r.Sink)
	return nil
}

// hasten makes a waiting event due now. s.mu is held.
func (s *Spool) hasten(e *event) {
	q := s.lane(e.sink)
	e.due = time.Now()
	q.absent, q.paused, q.probing = time.Time{}, time.Time{}, false
	q.fix(e)
}

// revive writes a dead event as a batch of its own. Its units stay refused in the
// ledger, which suppresses resends as well.
func (s *Spool) revive(id string, r record) error {
	h := head{Schema: WaitingSchema, SpooledAt: time.Now().UTC(), ReversePath: clean(r.Envelope.ReversePath.String()),
		MessageID: r.MessageID, Raw: r.Raw,
		Events: []entry{{ID: r.ID, Sink: r.Sink, Route: r.Route, Recipients: r.Envelope.Recipients, Units: r.Units}}}
	if !h.SpooledAt.After(r.BuriedAt) {
		h.SpooledAt = r.BuriedAt.Add(time.Microsecond)
	}
	f := r.facts
	f.Envelope.Recipients = nil
	text, err := encodeBatch(h, f)
	if err != nil {
		return err
	}
	s.mu.Lock()
	opened := s.lock != nil && !s.closed
	s.mu.Unlock()
	if !opened {
		return errShut
	}
	b := &batch{name: newName(h.SpooledAt), bytes: r.Raw.Size + int64(len(text))}
	if err := s.writeBatch(b, text, func() (string, error) {
		return s.linked(deadFile(id, ".eml"), waitingFolder)
	}); err != nil {
		return err
	}
	s.count(b.bytes)
	s.supersede([]string{id}) // before an attempt can bury it anew
	s.enter(b, h)
	return nil
}

// Drop removes events for good. Their units become refused in the ledger, so that a
// resend doesn't bring them back. An event that is being delivered is removed, too, and
// may reach its sink yet. Errors are as Replay's.
func (s *Spool) Drop(ids []string) error {
	if err := s.find(ids); err != nil {
		return err
	}
	var errs []error
	for _, id := range ids {
		if err := s.drop(id); err != nil {
			errs = append(errs, fmt.Errorf("%s: %s", id, reason(err)))
		}
	}
	return errors.Join(errs...)
}

func (s *Spool) drop(id string) error {
	if e := s.takeWaiting(id); e != nil {
		return s.dropWaiting(e)
	}
	release := s.hold(id)
	defer release()
	if !s.isDead(id) { // somebody else has dropped it, or put it back
		if e := s.takeWaiting(id); e != nil {
			return s.dropWaiting(e)
		}
		return nil
	}
	r, err := s.readDead(id)
	if err == nil {
		s.mark(&event{event: r.ID, sink: r.Sink}, ledger.Refused, r.Units)
	}
	if err := s.exhume(id); err != nil {
		return err
	}
	event, sink, _ := strings.Cut(id, ".")
	s.told(event, sink, Dropped, sinks.Outcome{}, time.Time{})
	s.log.Warn("dead event dropped", "id", id)
	return nil
}

// takeWaiting returns a waiting event that is to be dropped by the caller; nil when
// none waits, or when somebody else drops it.
func (s *Spool) takeWaiting(id string) *event {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.waiting[id]
	if e == nil || e.dropped {
		return nil
	}
	e.dropped = true
	return e
}

func (s *Spool) dropWaiting(e *event) error {
	r, _ := s.readWaiting(e)
	s.mark(e, ledger.Refused, r.Units)
	s.told(e.event, e.sink, Dropped, sinks.Outcome{}, time.Time{})
	s.log.Warn("waiting event dropped", "event", e.event, "sink", e.sink)
	return s.finish(e, stateDropped, false)
}
