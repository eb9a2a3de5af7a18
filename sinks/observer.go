package sinks

import (
	"time"

	"mxhook/inbound/status"
)

// Observer is told what sinks do, for metrics. It is safe for concurrent use. The
// names of sinks and of conditions are closed sets.
type Observer interface {
	// Attempt tells that one try of a sink ended with c (status.Delivered for a yes).
	Attempt(sink string, c *status.Condition, took time.Duration)

	// Outcome tells what became of an event at a sink, after all its attempts. late
	// says that it came after the reply to the sender was chosen.
	Outcome(sink string, c *status.Condition, took time.Duration, late bool)
}
