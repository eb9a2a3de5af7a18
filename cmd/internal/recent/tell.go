package recent

import (
	"slices"
	"strings"
	"time"

	"mxhook/inbound/status"
	"mxhook/sinks"
)

// Routed tells what the routes make of the recipients, instead of what was known before;
// more are not in the list.
func (e *Entry) Routed(recipients []Recipient, more int) {
	e.change(func(m *Message) { m.Recipients, m.MoreRcpt = recipients, more; m.boundRecipients() })
}

// Answered tells the reply: how long it took since the data had come, and since when the
// message has been deferred, zero if it isn't.
func (e *Entry) Answered(err error, reply status.Reply, reason string, took time.Duration, since time.Time) {
	e.change(func(m *Message) {
		m.Reply, m.Took, m.class = Clean(reply.String(), 500), took, reply.Class()
		m.Condition, m.Reason, m.DeferredFrom = status.ConditionOf(err).Name(), Clean(reason, 300), since
	})
}

// Settled tells what became of a message of a queue, which nobody is told a reply for:
// Delivered, Refused, Waiting or Poison, and why.
func (e *Entry) Settled(o Outcome, err error, reason string, took time.Duration) {
	e.change(func(m *Message) {
		m.settled, m.Took = o, took
		m.Condition, m.Reason = status.ConditionOf(err).Name(), Clean(reason, 500)
	})
}

// Replied tells the reply of one recipient.
func (e *Entry) Replied(recipient int, reply status.Reply) {
	e.change(func(m *Message) {
		if recipient < len(m.Recipients) {
			m.Recipients[recipient].Reply = Clean(reply.String(), 500)
		}
	})
}

// Began implements delivery.Watcher.
func (e *Entry) Began(ev *sinks.Event, sink string, optional, spooled bool) {
	if e == nil {
		return
	}
	s := e.store
	s.mu.Lock()
	defer s.mu.Unlock()
	if e.gone {
		return
	}
	if x := e.m.event(ev.ID, sink); x == nil {
		if len(e.m.Events) == maxEvents {
			e.m.MoreEvents++
			return
		}
		e.m.Events = append(e.m.Events, Event{ID: ev.ID, Sink: sink, Route: ev.Route, Recipients: len(ev.Recipients),
			Optional: optional, Spooled: spooled, State: EventRunning, Began: s.now()})
		before := len(e.text)
		if !strings.Contains(e.text, ev.ID) {
			e.text += "\n" + ev.ID
		}
		s.grow(e, e.m.Events[len(e.m.Events)-1].octets()+int64(len(e.text)-before))
	}
	if e.gone {
		return
	}
	s.byEvent[eventKey{ev.ID, sink}] = e
	e.settle()
}

// Ended implements delivery.Watcher.
func (e *Entry) Ended(ev *sinks.Event, sink string, o sinks.Outcome, spooled, late bool) {
	if e == nil {
		return
	}
	e.store.changeEvent(e, ev.ID, sink, func(x *Event) {
		x.take(o, e.store.now())
		x.Late = late
		if spooled && o.Err == nil {
			x.State, x.Spooled = EventWaiting, true
		}
	})
}

// Buried implements delivery.Watcher.
func (e *Entry) Buried(ev *sinks.Event, sink string) {
	if e == nil {
		return
	}
	e.Began(ev, sink, false, false) // it may be one of fewer recipients than the sink was given
	e.store.changeEvent(e, ev.ID, sink, func(x *Event) { x.State = EventDead })
}

// Known implements delivery.Watcher.
func (e *Entry) Known(sink string, units int) {
	e.change(func(m *Message) {
		if len(m.Known) < maxEvents {
			m.Known = append(m.Known, Known{sink, units})
		}
	})
}

// Attempt takes an attempt of any event that the Store knows, and counts it.
func (s *Store) Attempt(a sinks.Attempt) {
	if s == nil {
		return
	}
	s.changeEvent(nil, a.Event, a.Sink, func(x *Event) {
		if len(x.Attempts) == maxAttempts {
			x.Attempts = slices.Delete(x.Attempts, 0, 1)
		}
		x.Attempts = append(x.Attempts, Attempt{At: s.now(), Took: a.Took, Condition: a.Condition.Name(),
			Detail: Clean(a.Detail, 300), Class: a.Condition.Class()})
		x.Tries++
	})
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counts.attempt(a)
}

// Spooled takes what became of an event in the spool.
func (s *Store) Spooled(event, sink string, state State, o sinks.Outcome, next time.Time) {
	if s == nil {
		return
	}
	s.changeEvent(nil, event, sink, func(x *Event) {
		x.Spooled, x.Next = true, next
		if o.Attempts > 0 || o.Err != nil || state == EventDelivered {
			x.take(o, s.now())
		}
		x.State = state
	})
}

// take takes an outcome.
func (x *Event) take(o sinks.Outcome, now time.Time) {
	x.Ended, x.Condition, x.Detail = now, status.ConditionOf(o.Err).Name(), Clean(o.Detail, 300)
	x.Reply = Clean(status.ReplyOf(o.Err).String(), 500)
	x.Tries = max(x.Tries, o.Attempts)
	switch o.Class() {
	case status.Success:
		x.State, x.Reply = EventDelivered, ""
	case status.Permanent:
		x.State = EventRefused
	default:
		x.State = EventDeferred
	}
}

// change lets f change the message.
func (e *Entry) change(f func(*Message)) {
	if e == nil {
		return
	}
	e.store.mu.Lock()
	defer e.store.mu.Unlock()
	f(&e.m)
	e.settle()
	e.store.measure(e)
}

// changeEvent lets f change an event of an entry; nil is the one that had the event last.
func (s *Store) changeEvent(e *Entry, event, sink string, f func(*Event)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e == nil {
		e = s.byEvent[eventKey{event, sink}]
	}
	if e == nil {
		return
	}
	if x := e.m.event(event, sink); x != nil {
		before := x.octets()
		f(x)
		e.settle()
		s.grow(e, x.octets()-before)
	}
}

func (m *Message) event(id, sink string) *Event {
	for i := range m.Events {
		if m.Events[i].ID == id && m.Events[i].Sink == sink {
			return &m.Events[i]
		}
	}
	return nil
}

// settle finds the outcome. The Store's lock is held.
func (e *Entry) settle() {
	m := &e.m
	has := func(s State) bool {
		return slices.ContainsFunc(m.Events, func(x Event) bool { return x.State == s && !(x.Optional && s == EventDead) })
	}
	switch {
	case has(EventDead):
		m.Outcome = Dead
	case has(EventWaiting):
		m.Outcome = Waiting
	case m.settled != "":
		m.Outcome = m.settled
	case m.class == status.Success:
		m.Outcome = Delivered
	case m.class == status.Temporary:
		m.Outcome = Deferred
	case m.class == status.Permanent:
		m.Outcome = Refused
	case !m.Received:
		m.Outcome = Refused
	default:
		m.Outcome = Running
	}
}
