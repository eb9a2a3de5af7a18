package spool

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"mxhook/inbound"
	"mxhook/sinks/ledger"
)

// State is where an event is.
type State string

// The states.
const (
	Waiting State = "waiting" // for its sink
	Dead    State = "dead"    // for a person
)

// Item is an event as it is listed.
type Item struct {
	ID          string    `json:"id"` // the event's id, a dot, the sink
	State       State     `json:"state"`
	Event       string    `json:"event"`
	Sink        string    `json:"sink"`
	Route       string    `json:"route"`
	ReversePath string    `json:"reverse_path"`
	Recipients  []string  `json:"recipients"`
	MessageID   string    `json:"message_id"`
	Size        int64     `json:"size"` // octets of the message
	SpooledAt   time.Time `json:"spooled_at,omitzero"`
	BuriedAt    time.Time `json:"buried_at,omitzero"`
	Attempts    int       `json:"attempts"`
	NextAttempt time.Time `json:"next_attempt,omitzero"` // of a waiting one
	Delivering  bool      `json:"delivering"`            // an attempt runs now
	Condition   string    `json:"condition"`             // of the last attempt, "" before the first
	Reply       string    `json:"reply"`                 // what the sender would have been told
	Detail      string    `json:"detail"`
}

// UnknownError says that the spool has no event of these item ids.
type UnknownError struct{ IDs []string }

// Error names the ids.
func (e *UnknownError) Error() string {
	return "the spool has no event " + strings.Join(e.IDs, ", ")
}

// List returns all events: the dead ones, then the waiting ones, each the oldest first.
// The records of dead events are read from their files.
func (s *Spool) List() []Item {
	s.mu.Lock()
	list := make([]Item, 0, len(s.waiting)+len(s.dead))
	for id := range s.dead {
		list = append(list, Item{ID: id})
	}
	dead := list[:len(s.dead):len(s.dead)]
	var waiting []Item
	for _, e := range s.waiting {
		waiting = append(waiting, e.item())
	}
	s.mu.Unlock()
	each(len(dead), func(i int) { dead[i] = s.deadItem(dead[i].ID) })
	dead = slices.DeleteFunc(dead, func(i Item) bool { return i.ID == "" }) // gone meanwhile
	slices.SortFunc(dead, func(a, b Item) int {
		return cmp.Or(a.BuriedAt.Compare(b.BuriedAt), cmp.Compare(a.ID, b.ID))
	})
	slices.SortFunc(waiting, func(a, b Item) int {
		return cmp.Or(a.SpooledAt.Compare(b.SpooledAt), cmp.Compare(a.ID, b.ID))
	})
	return append(dead, waiting...)
}

// item is what is listed of a waiting event. Spool.mu is held.
func (e *event) item() Item {
	i := Item{ID: e.id, State: Waiting, Event: e.event, Sink: e.sink, Route: e.route, ReversePath: e.batch.reversePath,
		Recipients: e.recipients, MessageID: e.batch.messageID, Size: e.batch.size, SpooledAt: e.batch.spooledAt.UTC(),
		Attempts: e.attempts, NextAttempt: e.due.UTC(), Delivering: e.running, Reply: e.reply, Detail: e.detail}
	if e.condition != nil {
		i.Condition = e.condition.Name()
	}
	return i
}

// deadItem is what is listed of a dead event; the zero Item when it is gone.
func (s *Spool) deadItem(id string) Item {
	r, err := s.readDead(id)
	if missing(err) {
		return Item{}
	}
	if err != nil {
		event, sink, _ := strings.Cut(id, ".")
		return Item{ID: id, State: Dead, Event: event, Sink: sink, Detail: "its record can't be read: " + reason(err)}
	}
	i := Item{ID: id, State: Dead, Event: r.ID, Sink: r.Sink, Route: r.Route, ReversePath: clean(inbound.Path(r.Envelope.ReversePath).String()),
		MessageID: r.MessageID, Size: r.Raw.Size, SpooledAt: r.SpooledAt, BuriedAt: r.BuriedAt, Attempts: r.Attempts,
		Condition: r.Condition, Reply: r.Reply, Detail: r.Detail}
	for _, to := range r.Envelope.Recipients {
		i.Recipients = append(i.Recipients, addressOf(to))
	}
	return i
}

// Details is one event with its record.
type Details struct {
	Item
	Subject string // cut
	Record  []byte // JSON: envelope, session, verdicts, as a dead event's file has them
}

// Show returns one event. The error is an *UnknownError, or says that its record can't
// be read; what is known is returned with it.
func (s *Spool) Show(id string) (Details, error) {
	s.mu.Lock()
	e, known := s.waiting[id], false
	var d Details
	if e != nil {
		d.Item = e.item()
	} else {
		_, known = s.dead[id]
	}
	s.mu.Unlock()
	var r record
	var err error
	switch {
	case e != nil:
		r, err = s.readWaiting(e)
		r.Schema, r.Condition, r.Reply, r.Detail, r.Attempts = WaitingSchema, d.Condition, d.Reply, d.Detail, d.Attempts
	case known:
		d.Item = s.deadItem(id)
		r, err = s.readDead(id)
	default:
		return d, &UnknownError{[]string{id}}
	}
	d.Subject = r.Subject
	if err == nil {
		var b bytes.Buffer
		out := json.NewEncoder(&b)
		out.SetIndent("", "  ")
		out.SetEscapeHTML(false)
		err = out.Encode(r)
		d.Record = b.Bytes()
	}
	if err != nil {
		return d, fmt.Errorf("spool: %s: %s", id, reason(err))
	}
	return d, nil
}

// Message opens the bytes of an event's message as they were received. The caller
// releases them. The error is an *UnknownError, or says that they are damaged.
func (s *Spool) Message(id string) (*inbound.MailData, error) {
	s.mu.Lock()
	e := s.waiting[id]
	_, known := s.dead[id]
	s.mu.Unlock()
	var data *inbound.MailData
	var err error
	switch {
	case e != nil:
		data, err = s.openMessage(e.batch.file(".eml"), raw{Size: e.batch.size, SHA256: e.batch.digest})
	case known:
		var r record
		if r, err = s.readDead(id); err == nil {
			data, err = s.openMessage(deadFile(id, ".eml"), r.Raw)
		}
	default:
		return nil, &UnknownError{[]string{id}}
	}
	if err != nil {
		return nil, fmt.Errorf("spool: %s: %s", id, reason(err))
	}
	return data, nil
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
	h := head{Schema: WaitingSchema, SpooledAt: time.Now().UTC(), ReversePath: clean(inbound.Path(r.Envelope.ReversePath).String()),
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
	s.log.Warn("waiting event dropped", "event", e.event, "sink", e.sink)
	return s.finish(e, stateDropped, false)
}
