package circuit

import (
	"context"
	"crypto/sha256"
	"fmt"
	"sync"
	"testing"
	"time"

	"mxhook/inbound"
	"mxhook/inbound/status"
	"mxhook/sinks"
)

// bed is a Set with one guarded sink, and what was told.
type bed struct {
	*Set
	sink  sinks.Sink
	inner *fake
	told  []State
}

// fake is a sink whose attempts are what a test makes of them.
type fake struct {
	mu      sync.Mutex
	deliver func(ctx context.Context, e *sinks.Event) sinks.Outcome
	closed  bool
}

func (f *fake) Name() string         { return "app" }
func (f *fake) FanOut() sinks.FanOut { return sinks.FanOutRecipient }
func (f *fake) Close()               { f.closed = true }
func (f *fake) set(d func(context.Context, *sinks.Event) sinks.Outcome) {
	f.mu.Lock()
	f.deliver = d
	f.mu.Unlock()
}
func (f *fake) Deliver(ctx context.Context, e *sinks.Event) sinks.Outcome {
	f.mu.Lock()
	d := f.deliver
	f.mu.Unlock()
	return d(ctx, e)
}

func newBed(c Config) *bed {
	b := &bed{inner: &fake{}}
	b.Set = New(Options{Changed: func(_ string, s State) { b.told = append(b.told, s) }})
	b.Configure("app", c)
	b.sink = b.Guard(b.inner)
	b.answer(sinks.Well)
	return b
}

func usual() *bed { return newBed(Config{Failures: 5, Open: 5 * time.Second}) }

func message(n int) [sha256.Size]byte { return sha256.Sum256(fmt.Append(nil, n)) }

func event(n int, session string) *sinks.Event {
	return &sinks.Event{Identity: message(n), Session: inbound.Session{ID: session}}
}

// attempt tells of an attempt for message n that just began.
func (b *bed) attempt(n int, h sinks.Health) { b.tell(n, h, conditions[h], 0) }

var conditions = map[sinks.Health]*status.Condition{
	sinks.Well: status.Delivered, sinks.Unreachable: status.SinkTimeout, sinks.Failing: status.SinkFailed, "": status.LocalError,
}

func (b *bed) tell(n int, h sinks.Health, c *status.Condition, took time.Duration) {
	b.Observe(nil).Attempt(sinks.Attempt{Sink: "app", Message: message(n), Health: h, Condition: c, Took: took})
}

// outcome is what a sink says that met h.
func (b *bed) outcome(e *sinks.Event, h sinks.Health, c *status.Condition, took time.Duration) sinks.Outcome {
	b.Observe(nil).Attempt(sinks.Attempt{Sink: "app", Message: e.Identity, Health: h, Condition: c, Took: took})
	if c == status.Delivered {
		return sinks.Outcome{Attempts: 1}
	}
	return sinks.Outcome{Err: c.Wrap("sink app", nil), Attempts: 1, Detail: string(h)}
}

// answer lets the sink meet h at once.
func (b *bed) answer(h sinks.Health) {
	b.inner.set(func(_ context.Context, e *sinks.Event) sinks.Outcome { return b.outcome(e, h, conditions[h], 0) })
}

// open opens the circuit.
func (b *bed) open(t *testing.T, h sinks.Health) {
	t.Helper()
	for n := range 20 {
		if b.State("app") == Closed {
			b.attempt(n, h)
		}
	}
	b.want(t, Open)
}

func (b *bed) want(t *testing.T, s State) {
	t.Helper()
	if got := b.State("app"); got != s {
		t.Fatalf("the circuit is %v, want %v", got, s)
	}
}

func (b *bed) ask(t *testing.T, session string, want bool) {
	t.Helper()
	if got := b.Ask("app", session); got != want {
		t.Fatalf("%s asks: %v, want %v", session, got, want)
	}
}

// deliver sends message n and compares the condition.
func (b *bed) deliver(t *testing.T, n int, session string, want *status.Condition) sinks.Outcome {
	t.Helper()
	o := b.sink.Deliver(context.Background(), event(n, session))
	if got := status.ConditionOf(o.Err); got != want {
		t.Fatalf("message %d of %s: %s, want %s", n, session, got.Name(), want.Name())
	}
	return o
}
