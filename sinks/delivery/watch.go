package delivery

import "mxhook/sinks"

// Watcher is told what becomes of the events of one message, also after the reply. It is
// safe for concurrent use and quick, since mail waits for it.
type Watcher interface {
	// Began tells that an event is under way to a sink, or into the spool.
	Began(e *sinks.Event, sink string, optional, spooled bool)
	// Ended tells its outcome; of a spooled one nil says that the spool has it. late says
	// that it came after the reply was chosen.
	Ended(e *sinks.Event, sink string, o sinks.Outcome, spooled, late bool)
	// Buried tells that an event which a sink, or the route in its place (sinks.NoSink),
	// refused is kept as a dead one.
	Buried(e *sinks.Event, sink string)
	// Known tells how many units of a sink were left out because of the ledger.
	Known(sink string, units int)
}

// unwatched is the Watcher of a message that nobody watches.
type unwatched struct{}

func (unwatched) Began(*sinks.Event, string, bool, bool)                {}
func (unwatched) Ended(*sinks.Event, string, sinks.Outcome, bool, bool) {}
func (unwatched) Buried(*sinks.Event, string)                           {}
func (unwatched) Known(string, int)                                     {}
