package bridge

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"sync"

	"mxhook/cmd/internal/control"
	"mxhook/inbound/status"
	"mxhook/sinks"
	"mxhook/sinks/delivery"
)

// stored is what is different for a stored message: it watches each event, and its
// outcome is told.
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

// Began implements delivery.Watcher.
func (s *stored) Began(e *sinks.Event, sink string, optional, _ bool) {
	told := toldOf(e, sink)
	told.Optional = optional
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events = append(s.events, told)
}

// Ended implements delivery.Watcher.
func (s *stored) Ended(e *sinks.Event, sink string, o sinks.Outcome, spooled, _ bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, told := range s.events {
		if told.ID == e.ID && told.Sink == sink {
			told.Outcome = outcomeOf(o)
			if spooled && o.Err == nil {
				told.Outcome = control.Spooled
			}
			told.Reply, told.Detail, told.Attempts = status.ReplyOf(o.Err).String(), o.Detail, o.Attempts
		}
	}
}

// Buried implements delivery.Watcher: the refusal has been told.
func (s *stored) Buried(*sinks.Event, string) {}

// Known implements delivery.Watcher.
func (s *stored) Known(sink string, units int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events = append(s.events, &control.EventOutcome{Sink: sink, Recipients: []string{}, Outcome: control.Known, Detail: recipients(units)})
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

func outcomeOf(o sinks.Outcome) control.Outcome {
	switch o.Class() {
	case status.Success:
		return control.Delivered
	case status.Permanent:
		return control.Refused
	}
	return control.Deferred
}
