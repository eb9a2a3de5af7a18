package spool

import (
	"time"

	"mxhook/sinks"
)

// Change is what became of an event that waited, or was dead.
type Change struct {
	Event, Sink string
	// State is Waiting, Dead, or one of the states of an event that the spool has no more.
	State State
	// Outcome is the last delivery's; the zero Outcome where an operator decided.
	Outcome sinks.Outcome
	Next    time.Time // when a waiting one is due
}

// The states of events that left the spool.
const (
	Delivered State = stateDelivered
	Dropped   State = stateDropped
)

// told tells a change. s.mu is not held.
func (s *Spool) told(event, sink string, to State, o sinks.Outcome, next time.Time) {
	if s.changed != nil {
		s.changed(Change{event, sink, to, o, next})
	}
}
