package circuit

import (
	"context"
	"errors"
	"time"

	"mxhook/inbound/status"
	"mxhook/sinks"
)

// errOpened is why the context of an event ended when its sink's circuit opened.
var errOpened = errors.New("circuit: opened")

const openDetail = "circuit open"

// Guard returns the sink behind its circuit. When that lets an event not through, the
// outcome is status.SinkCircuitOpen after no attempt, and Outcome.After says how long
// the sink is to be left alone. When it opens, the contexts of the events that are
// at the sink end: those that wait for their turn, or to try again, turn back, and a
// request that was written goes on, as sinks.Sink says. Close closes the inner sink, if
// that can be closed.
func (s *Set) Guard(inner sinks.Sink) sinks.Sink { return &guarded{Sink: inner, set: s} }

type guarded struct {
	sinks.Sink
	set *Set
}

// Unwrap returns the inner sink.
func (g *guarded) Unwrap() sinks.Sink { return g.Sink }

// Deliver implements sinks.Sink.
func (g *guarded) Deliver(ctx context.Context, e *sinks.Event) sinks.Outcome {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	f := &flight{opened: func() { cancel(errOpened) }}
	if after, ok := g.set.enter(g.Name(), f, e); !ok {
		return g.refused(after)
	}
	defer g.set.exit(g.Name(), f)
	o := g.Sink.Deliver(ctx, e)
	if o.Err == nil || context.Cause(ctx) != errOpened {
		return o
	}
	if o.Attempts == 0 || status.ConditionOf(o.Err) == status.BudgetExceeded { // it is not the budget that ended
		attempts := o.Attempts
		o = g.refused(g.set.left(g.Name()))
		o.Attempts = attempts
	}
	return o
}

func (g *guarded) refused(after time.Duration) sinks.Outcome {
	return sinks.Outcome{Err: status.SinkCircuitOpen.Wrap("sink "+g.Name(), errors.New(openDetail)), Detail: openDetail, After: after}
}

// Check implements sinks.Checker by the inner sink, whatever the circuit says.
func (g *guarded) Check(ctx context.Context) error {
	if c, ok := g.Sink.(sinks.Checker); ok {
		return c.Check(ctx)
	}
	return sinks.ErrUnchecked
}

// Start starts the inner sink, if that can be started.
func (g *guarded) Start() {
	if c, ok := g.Sink.(interface{ Start() }); ok {
		c.Start()
	}
}

// Close closes the inner sink.
func (g *guarded) Close() {
	if c, ok := g.Sink.(interface{ Close() }); ok {
		c.Close()
	}
}

// enter lets an event through, or says for how long not.
func (s *Set) enter(sink string, f *flight, e *sinks.Event) (after time.Duration, ok bool) {
	s.mu.Lock()
	defer s.unlock()
	now, c := time.Now(), s.circuits[sink]
	if c == nil || c.enter(f, e, now) {
		return 0, true
	}
	return max(0, c.left(now)), false
}

func (s *Set) exit(sink string, f *flight) {
	s.mu.Lock()
	defer s.unlock()
	if c := s.circuits[sink]; c != nil {
		c.exit(f)
	}
}

func (s *Set) left(sink string) time.Duration {
	s.mu.Lock()
	defer s.unlock()
	if c := s.circuits[sink]; c != nil {
		return max(0, c.left(time.Now()))
	}
	return 0
}

// Observe returns an observer that feeds the circuits with every attempt and tells
// next, which may be nil, all that it is told.
func (s *Set) Observe(next sinks.Observer) sinks.Observer { return &observer{set: s, next: next} }

type observer struct {
	set  *Set
	next sinks.Observer
}

// Attempt implements sinks.Observer.
func (o *observer) Attempt(a sinks.Attempt) {
	if o.next != nil {
		o.next.Attempt(a)
	}
	o.set.observe(a)
}

// Outcome implements sinks.Observer.
func (o *observer) Outcome(sink string, c *status.Condition, took time.Duration, late bool) {
	if o.next != nil {
		o.next.Outcome(sink, c, took, late)
	}
}

func (s *Set) observe(a sinks.Attempt) {
	s.mu.Lock()
	defer s.unlock()
	if c := s.circuits[a.Sink]; c != nil {
		c.observe(a, time.Now())
	}
}
