package sinks

import (
	"crypto/sha256"
	"time"

	"mxhook/inbound/status"
)

// Observer is told what sinks do, for metrics and circuits. It is safe for
// concurrent use. The names of sinks and of conditions are closed sets.
type Observer interface {
	// Attempt tells that one try of a sink ended, however late.
	Attempt(a Attempt)

	// Outcome tells what became of an event at a sink, after all its attempts. late
	// says that it came after the reply to the sender was chosen.
	Outcome(sink string, c *status.Condition, took time.Duration, late bool)
}

// Attempt is one try of a sink.
type Attempt struct {
	Sink      string
	Event     string            // Event.ID; "" where it is of none
	Message   [sha256.Size]byte // Event.Likeness
	Condition *status.Condition // status.Delivered for a yes
	Health    Health
	Took      time.Duration
	Detail    string // what it met, in words that may be logged: "HTTP 503"
}

// Health is what an attempt says about the sink itself, whatever it says about the
// message.
type Health string

// The healths. The zero Health says nothing: our own failure, an operator's error
// that never reached the sink, a budget that ended too soon to tell.
const (
	// Well: it took the event, or it answered and has decided about it.
	Well Health = "well"
	// Unreachable: it can't take anything now, whatever the message: time-outs, refused
	// connections, 429, 502, 503, 504, and what failed before a request was sent.
	Unreachable Health = "unreachable"
	// Failing: it broke at this message, which may be the message's own fault: 500 and
	// other 5xx, a connection that broke, a malformed answer.
	Failing Health = "failing"
)
