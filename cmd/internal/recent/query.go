package recent

import (
	"math"
	"slices"
	"strings"
)

// Query says which messages are wanted.
type Query struct {
	Text    string  // a part of an address, id, Message-ID or subject, in any case
	Outcome Outcome // "" is any
	Before  uint64  // only those with a lower Seq; 0 is all
	Limit   int
}

// chunk is how many entries are looked at in one go: the lock is held for no longer.
const chunk = 128

// List returns the messages that a query wants, the newest first, and whether there are
// more. Events, recipients and verdicts are not copied whole: they are for reading the
// first few. It looks at no more entries than it needs, and holds the lock for chunk of
// them at most.
func (s *Store) List(q Query) (list []Row, more bool) {
	if s == nil {
		return nil, false
	}
	text := strings.ToLower(strings.TrimSpace(q.Text))
	cursor := q.Before
	if cursor == 0 {
		cursor = math.MaxUint64
	}
	for {
		done := false
		list, cursor, done = s.scan(list, text, q, cursor)
		if len(list) > q.Limit {
			return list[:q.Limit], true
		}
		if done {
			return list, false
		}
	}
}

// scan looks at one chunk of entries below cursor.
func (s *Store) scan(list []Row, text string, q Query, cursor uint64) ([]Row, uint64, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m, r := s.messages.before(cursor), s.refusals.before(cursor)
	for range chunk {
		var e *Entry
		switch {
		case m == 0 && r == 0:
			return list, cursor, true
		case r == 0 || m > 0 && s.messages.at(m-1).m.Seq > s.refusals.at(r-1).m.Seq:
			m--
			e = s.messages.at(m)
		default:
			r--
			e = s.refusals.at(r)
		}
		cursor = e.m.Seq
		if q.Outcome != "" && e.m.Outcome != q.Outcome || !strings.Contains(e.text, text) {
			continue
		}
		if list = append(list, e.row()); len(list) > q.Limit {
			break
		}
	}
	return list, cursor, false
}

// Row is what a list shows of a message.
type Row struct {
	Message             // without recipients, events and verdicts
	Recipients []string // the first few
	MoreRcpt   int
	Routes     []string
	Sinks      []Event // each without its attempts, the first few
	MoreSinks  int
	Verified   string // by what the From is verified, "" when it is not
	DMARC      string
}

const rowItems = 3

func (e *Entry) row() Row {
	r := Row{Message: e.m}
	for i := range e.m.Recipients {
		to := &e.m.Recipients[i]
		if i < rowItems {
			r.Recipients = append(r.Recipients, to.Address)
		}
		for _, t := range to.Routes {
			if len(r.Routes) < rowItems && !slices.Contains(r.Routes, t.Route) {
				r.Routes = append(r.Routes, t.Route)
			}
		}
	}
	r.MoreRcpt = len(e.m.Recipients) - len(r.Recipients) + e.m.MoreRcpt
	for i := range e.m.Events[:min(len(e.m.Events), rowItems)] {
		x := e.m.Events[i]
		x.Attempts = nil
		r.Sinks = append(r.Sinks, x)
	}
	r.MoreSinks = len(e.m.Events) - len(r.Sinks) + e.m.MoreEvents
	if v := e.m.Verdicts; v != nil {
		r.DMARC = v.DMARC.Result
		if v.FromVerified {
			r.Verified = v.By
		}
	}
	r.Message.Recipients, r.Message.Events, r.Message.Known, r.Message.Verdicts = nil, nil, nil, nil
	return r
}

// Get returns a message by the transaction's id, all of it.
func (s *Store) Get(id string) (Message, bool) {
	if s == nil {
		return Message{}, false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.byID[id]
	if e == nil {
		return Message{}, false
	}
	return e.m.clone(), true
}

// ByEvent returns the id of the transaction that had an event at a sink last, "" when
// none is remembered.
func (s *Store) ByEvent(event, sink string) string {
	if s == nil {
		return ""
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.byEvent[eventKey{event, sink}]; e != nil {
		return e.m.ID
	}
	return ""
}

// clone copies what may still change.
func (m *Message) clone() Message {
	c := *m
	c.Recipients, c.Events, c.Known = slices.Clone(m.Recipients), slices.Clone(m.Events), slices.Clone(m.Known)
	for i := range c.Events {
		c.Events[i].Attempts = slices.Clone(c.Events[i].Attempts)
	}
	return c
}

// Len returns how many messages and refusals are held, and about how many octets they
// take.
func (s *Store) Len() (messages, refusals int, octets int64) {
	if s == nil {
		return 0, 0, 0
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.messages.len(), s.refusals.len(), s.octets
}
