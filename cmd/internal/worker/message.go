// Package worker takes events from a queue and hands them on: decode.go makes a message
// of the queue an event again, worker.go receives, keeps a message hidden while it is
// being delivered, and deletes it or puts it back.
//
// It knows no queue by name: Queue is an interface, as Objects is for what a message only
// points to. It decides nothing about delivery: a Handler does.
package worker

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"mxhook/inbound/status"
	"mxhook/sinks/sqs"
)

// AttributeEvent is the attribute without which a message is none of mxhook.
const AttributeEvent = sqs.AttributeEvent

// Message is one message of a queue.
type Message struct {
	ID         string // the queue's own
	Handle     string // by which it is deleted or put back
	Group      string // of a FIFO queue, whose messages come in order
	Receives   int    // how many times it was received, this one counted
	Body       string
	Attributes map[string]string
}

// Queue is where messages come from. It is safe for concurrent use. Its errors wrap a
// Condition of package status, and their texts may be logged.
type Queue interface {
	// Properties says what the queue does by itself.
	Properties(ctx context.Context) (Properties, error)

	// Receive returns up to n messages, 10 at most, which are hidden from others for
	// hidden. Where there is none it waits for wait. It ends with ctx.
	Receive(ctx context.Context, n int, hidden, wait time.Duration) ([]Message, error)

	// Hide hides a message for d from now on; 0 gives it to whoever asks next.
	Hide(ctx context.Context, m Message, d time.Duration) error

	// Delete removes a message for good.
	Delete(ctx context.Context, m Message) error
}

// Properties of a queue.
type Properties struct {
	Hidden time.Duration // for how long a message is hidden that was received
	// Most is how many times a message is received until it goes to the dead-letter queue; 0:
	// there is none.
	Most int
}

// Objects has what a message only points to. It is safe for concurrent use.
type Objects interface {
	// Open returns the octets of an object, which the caller closes. The error is ErrNoObject,
	// ErrBucket, or wraps a Condition of package status; its text may be logged.
	Open(ctx context.Context, bucket, key string) (io.ReadCloser, error)
}

// Result is what became of a message.
type Result string

// The results. A metric has them as label.
const (
	Accepted  Result = "accepted"  // every required sink has it, now or from an earlier try
	Refused   Result = "refused"   // a sink has refused it for good: a dead event is kept
	Temporary Result = "temporary" // it is put back
	Poison    Result = "poison"    // no try will ever deliver it: it is put back and never deleted
	Returned  Result = "returned"  // put back at once: we are stopping, or one before it in its group waits
)

// Results returns all of them, as a metric has them.
func Results() []string {
	return []string{string(Accepted), string(Refused), string(Temporary), string(Poison), string(Returned)}
}

// Outcome is what became of a message at a Handler.
type Outcome struct {
	Result Result
	Event  string // its id, "" when it isn't known
	Err    error  // why it was not accepted; its text may be logged
	Detail string
	// After is how long it shall wait at least, as a sink has asked.
	After time.Duration
}

// Handler delivers a message. ctx ends when we can't wait any longer.
type Handler func(ctx context.Context, m Message) Outcome

// PoisonError is why a message can never be delivered, and what a person can do.
type PoisonError struct{ Reason, Cure string }

// Error implements error.
func (p *PoisonError) Error() string { return p.Reason }

// Words is what an error says without its condition, which a log has in a key of its own.
func Words(err error) string {
	return strings.TrimPrefix(err.Error(), status.ConditionOf(err).Name()+": ")
}

// fault are the log keys of an error.
func fault(err error) slog.Attr {
	return slog.Group("", "condition", status.ConditionOf(err).Name(), "error", Words(err))
}

func poison(cure, reason string, args ...any) error {
	return &PoisonError{Reason: fmt.Sprintf(reason, args...), Cure: cure}
}

// failed is a temporary outcome of our own making.
func failed(words string) Outcome {
	return Outcome{Result: Temporary, Err: status.LocalError.Wrap("worker", nil), Detail: words}
}
