package spool

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"mxhook/inbound"
	"mxhook/sinks"
	recording "mxhook/sinks/record"
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

// IDs returns the item ids of an event, one for each sink that lacks it, sorted. No
// file is read.
func (s *Spool) IDs(event string) (ids []string) {
	prefix := itemID(event, "")
	s.mu.Lock()
	defer s.mu.Unlock()
	for id := range s.dead {
		if strings.HasPrefix(id, prefix) {
			ids = append(ids, id)
		}
	}
	for id := range s.waiting {
		if _, both := s.dead[id]; !both && strings.HasPrefix(id, prefix) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
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
	i := Item{ID: id, State: Dead, Event: r.ID, Sink: r.Sink, Route: r.Route, ReversePath: clean(r.Envelope.ReversePath.String()),
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

// Event makes an event again from its files, as its sink is given it. The caller releases
// its Data. The error is an *UnknownError, or says what is damaged.
func (s *Spool) Event(id string) (*sinks.Event, error) {
	s.mu.Lock()
	e := s.waiting[id]
	_, dead := s.dead[id]
	s.mu.Unlock()
	if e == nil && !dead {
		return nil, &UnknownError{[]string{id}}
	}
	var ev *sinks.Event
	var err error
	if e != nil {
		ev, _, err = s.prepare(e)
	} else {
		ev, err = s.prepareDead(id)
	}
	if err != nil {
		return nil, fmt.Errorf("spool: %s: %s", id, reason(err))
	}
	return ev, nil
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
		data, err = s.openMessage(e.batch.file(".eml"), recording.Raw{Size: e.batch.size, SHA256: e.batch.digest})
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
