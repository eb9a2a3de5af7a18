package spool

import (
	"mxhook/sinks"
	"mxhook/sinks/ledger"
)

// Entry is one event for one sink.
type Entry struct {
	Event *sinks.Event
	Sink  string
	Keys  []ledger.Key // its units; nil when the ledger doesn't remember them
}
