// Package circuit keeps mail away from a sink that can't take any: each sink has a
// circuit, which its attempts open and close.
//
//	closed     all mail goes through; attempts are counted
//	open       no mail goes through for Config.Open
//	half-open  one probe at a time goes through; what it meets closes or opens again
//
// Attempts that find the sink unreachable open it when Config.Failures of them came
// in a row and belong to at least two messages. Attempts at which the sink fails, which
// may be the message's own fault, open it only when 20 different messages failed within
// 30 seconds and none got through, so that one poisonous message never does. Attempts
// that say nothing of the sink, an operator's errors among them, never open it.
//
// A recipient may be refused long before there is a message to probe with, so that a
// session that is let in at RCPT while the circuit is half-open holds the probe's lease
// (Ask). It gives the lease back when it ends without a message (Leave). A message that
// is there takes the probe from a session that only may bring one. A lease lasts ten
// seconds: neither a client that stalls nor a probe that hangs keeps the next one
// away for longer, and the late yes of an older probe still closes the circuit.
//
// It is a state machine of our own, since those of libraries (sony/gobreaker) count
// calls: they don't know which message an attempt was for, have one window where this
// has two, and let a probe begin where it ends, in one call.
package circuit

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"
)

// Config are a circuit's numbers.
type Config struct {
	Failures int           // unreachable attempts in a row that open it; 0: it never opens
	Open     time.Duration // how long it stays open before a probe is let through
}

// State is a circuit's state. The numbers are those of the metric.
type State int

// The states.
const (
	Closed State = iota
	HalfOpen
	Open
)

// String returns the state in words.
func (s State) String() string {
	switch s {
	case HalfOpen:
		return "half-open"
	case Open:
		return "open"
	}
	return "closed"
}

// Options say whom to tell.
type Options struct {
	Log *slog.Logger // nil: silent
	// Changed is told each change of state, one after the other, in order. It may call
	// the Set.
	Changed func(sink string, s State)
}

// Set holds the circuits of all sinks, by name. It is safe for concurrent use, starts
// no goroutine and has no timers: time is looked at when somebody asks.
type Set struct {
	log     *slog.Logger
	changed func(sink string, s State)

	mu       sync.Mutex
	circuits map[string]*circuit
	changes  []change // not yet told
	telling  bool     // somebody is at it
}

// change is a transition, for the log and Options.Changed.
type change struct {
	sink   string
	state  State
	level  slog.Level
	event  string
	reason string
}

// New returns a Set without circuits.
func New(o Options) *Set {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Changed == nil {
		o.Changed = func(string, State) {}
	}
	return &Set{log: o.Log, changed: o.Changed, circuits: map[string]*circuit{}}
}

// Configure makes a sink's circuit, or gives the one that is there other numbers: an
// open one stays open, unless Failures is 0. A sink without a circuit is always asked.
func (s *Set) Configure(sink string, c Config) {
	s.mu.Lock()
	defer s.unlock()
	if s.circuits[sink] == nil {
		s.circuits[sink] = &circuit{flights: map[*flight]struct{}{}, tell: func(ch change) {
			ch.sink = sink
			s.changes = append(s.changes, ch)
		}}
	}
	s.circuits[sink].configure(c, time.Now())
}

// Keep closes and drops the circuits of all sinks but these.
func (s *Set) Keep(sinks []string) {
	s.mu.Lock()
	defer s.unlock()
	for name, c := range s.circuits {
		if !slices.Contains(sinks, name) {
			c.configure(Config{}, time.Now())
			delete(s.circuits, name)
		}
	}
}

// Ask tells whether a session may bring a message for the sink. In half-open it may
// when nobody else probes, and then it holds the probe's lease; it may ask again.
func (s *Set) Ask(sink, session string) bool { return s.AskAll([]string{sink}, session) }

// AskAll is Ask for a message that needs several sinks: unless all of them can be
// asked, no lease is taken.
func (s *Set) AskAll(sinks []string, session string) bool {
	s.mu.Lock()
	defer s.unlock()
	now := time.Now()
	for _, name := range sinks {
		if c := s.circuits[name]; c != nil && !c.free(session, now) {
			return false
		}
	}
	for _, name := range sinks {
		if c := s.circuits[name]; c != nil {
			c.invite(session, now)
		}
	}
	return true
}

// Leave gives back what leases a session holds and hasn't used: its transaction is
// over. A probe that has begun keeps its lease to its own end.
func (s *Set) Leave(session string) {
	s.mu.Lock()
	defer s.unlock()
	for _, c := range s.circuits {
		c.leave(session)
	}
}

// State returns the state of a sink's circuit. An open one becomes half-open when
// somebody asks after its time.
func (s *Set) State(sink string) State {
	s.mu.Lock()
	defer s.unlock()
	if c := s.circuits[sink]; c != nil {
		return c.state
	}
	return Closed
}

// unlock ends a use of the Set and tells the changes, with the lock open, so that
// those who are told may use the Set, and by one goroutine at a time, so that the last
// that is told is the last that happened.
func (s *Set) unlock() {
	defer s.mu.Unlock()
	if s.telling {
		return
	}
	s.telling = true
	for len(s.changes) > 0 {
		c := s.changes[0]
		s.changes = s.changes[1:]
		s.mu.Unlock()
		s.log.Log(context.Background(), c.level, c.event, "sink", c.sink, "reason", c.reason)
		s.changed(c.sink, c.state)
		s.mu.Lock()
	}
	s.telling = false
}
