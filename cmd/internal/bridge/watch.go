package bridge

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"mxhook/cmd/internal/control"
	"mxhook/inbound/status"
	"mxhook/sinks"
	"mxhook/sinks/delivery"
	"mxhook/sinks/spool"
)

// stored is what is different for a stored message: each event's outcome is told.
type stored struct {
	again bool // nothing is left out because of the ledger

	// refused are the replies for recipients whom their route refuses after the data, by
	// their one spelling. Only the transaction's goroutine uses it.
	refused map[string]status.Reply

	mu     sync.Mutex
	events []*control.EventOutcome
}

// refuse takes the order of a recipient whom its route refuses after the data.
func (s *stored) refuse(o *delivery.Order) {
	o.Deduplicate = o.Deduplicate && !s.again
	if s.refused == nil {
		s.refused = map[string]status.Reply{}
	}
	for _, r := range o.Recipients {
		s.refused[r.Key()] = status.ReplyOf(o.Refused)
	}
}

// watch puts itself between the delivery and the sinks of an order.
func (s *stored) watch(o *delivery.Order) {
	o.Deduplicate = o.Deduplicate && !s.again
	for i, sink := range o.Required {
		o.Required[i] = &watched{sink, s, false}
	}
	for i, sink := range o.Optional {
		o.Optional[i] = &watched{sink, s, true}
	}
}

// known returns a hook for units that the ledger knows, which goes on to next.
func (s *stored) known(next func(sink string, units int)) func(string, int) {
	return func(sink string, units int) {
		if next != nil {
			next(sink, units)
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.events = append(s.events, &control.EventOutcome{Sink: sink, Recipients: []string{}, Outcome: control.Known, Detail: recipients(units)})
	}
}

// spooled returns a hook for events that go into the spool by next.
func (s *stored) spooled(next func([]spool.Entry) error) func([]spool.Entry) error {
	return func(batch []spool.Entry) error {
		if next == nil {
			return status.NoStorage.Wrap("spool", errors.New("there is none"))
		}
		err := next(batch)
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, entry := range batch {
			told := toldOf(entry.Event, entry.Sink)
			if told.Outcome = control.Spooled; err != nil {
				told.Outcome = control.Deferred
			}
			told.Reply = status.ReplyOf(err).String()
			s.events = append(s.events, told)
		}
		return err
	}
}

// toldOf returns what is told of an event before its outcome.
func toldOf(e *sinks.Event, sink string) *control.EventOutcome {
	told := &control.EventOutcome{ID: e.ID, Sink: sink, Route: e.Route, Outcome: control.Running}
	for _, r := range e.Recipients {
		told.Recipients = append(told.Recipients, r.Path.String())
	}
	return told
}

func recipients(n int) string {
	if n == 1 {
		return "1 recipient"
	}
	return fmt.Sprint(n, " recipients")
}

// outcomes returns what is known now.
func (s *stored) outcomes() []control.EventOutcome {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]control.EventOutcome, 0, len(s.events))
	for _, e := range s.events {
		list = append(list, *e)
	}
	slices.SortStableFunc(list, func(a, b control.EventOutcome) int {
		return cmp.Or(strings.Compare(a.Route, b.Route), strings.Compare(a.Sink, b.Sink), strings.Compare(a.ID, b.ID))
	})
	return list
}

// watched is a sink whose events and outcomes are told to stored.
type watched struct {
	sinks.Sink
	stored   *stored
	optional bool
}

// Deliver implements sinks.Sink.
func (w *watched) Deliver(ctx context.Context, e *sinks.Event) (o sinks.Outcome) {
	told := toldOf(e, w.Name())
	told.Optional = w.optional
	w.stored.mu.Lock()
	w.stored.events = append(w.stored.events, told)
	w.stored.mu.Unlock()
	o.Err = status.LocalError.Wrap("sink", nil) // when it panics
	defer func() {
		w.stored.mu.Lock()
		defer w.stored.mu.Unlock()
		told.Outcome = outcomeOf(o)
		told.Reply, told.Detail, told.Attempts = status.ReplyOf(o.Err).String(), o.Detail, o.Attempts
	}()
	return w.Sink.Deliver(ctx, e)
}

func outcomeOf(o sinks.Outcome) control.Outcome {
	switch o.Class() {
	case status.Success:
		return control.Delivered
	case status.Permanent:
		return control.Refused
	}
	return control.Deferred
}
