// Package sqs puts events into a queue of Amazon SQS, or of a server that speaks its
// protocol: one SendMessage an event, no batches, so that each answer is one event's.
//
// The body of a message is the payload in the sink's format, which is text; attributes
// carry the event's id, route and format, and the event itself as package record writes
// it, so that a worker can go on where the listener stopped. A payload that the queue
// can't carry goes to an s3 sink (Overflow), S3 first, and the message has a pointer to it in
// the form of AWS's extended client libraries.
//
// A yes counts when the queue's digests of body and attributes are those of what was
// sent. Attempts, credentials and what an answer means are those of package cloud.
//
// A Sink is safe for concurrent use. Sources: SQS API Reference (2012-11-05) and Developer
// Guide, amazon-sqs-java-extended-client-lib.
package sqs

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"

	"mxhook/sinks"
	"mxhook/sinks/cloud"
	"mxhook/sinks/payload"
)

// Config says which queue and what goes there. Cloud.Name, QueueURL, Format and FormatName
// are needed.
type Config struct {
	Cloud    cloud.Config
	QueueURL string // one that ends in .fifo is a FIFO queue

	Format     payload.Format // of text, in characters of XML
	FormatName string
	FanOut     sinks.FanOut // default FanOutMessage; a FIFO queue is FanOutRecipient
	MaxSize    int64        // of a message; 0: what the queue says
	Overflow   Overflow     // nil: what is larger is refused for good
	// Raw returns where the message as received was put when the payload was made; ok is
	// false when it was not. nil: never.
	Raw func(e *sinks.Event) (l Location, ok bool)
}

// Sink sends events to one queue.
type Sink struct {
	config  Config
	fifo    bool
	client  *cloud.Client
	made    atomic.Pointer[sdkClient]
	log     *slog.Logger
	maximum atomic.Int64 // the queue's own; 0 is unknown
	stop    context.CancelFunc
	asking  sync.WaitGroup
}

// New returns a Sink. It opens no connection. The errors say what is wrong with the
// configuration and hold nothing secret.
func New(c Config) (*Sink, error) {
	c.FanOut = cmp.Or(c.FanOut, sinks.FanOutMessage)
	if strings.HasSuffix(c.QueueURL, ".fifo") {
		c.FanOut = sinks.FanOutRecipient
	}
	switch {
	case c.QueueURL == "" || c.Format == nil || c.FormatName == "":
		return nil, fmt.Errorf("sqs %q: a queue's URL, a format and its name are needed", c.Cloud.Name)
	case c.FanOut != sinks.FanOutMessage && c.FanOut != sinks.FanOutRecipient:
		return nil, fmt.Errorf("sqs %q: unknown fan_out %q", c.Cloud.Name, c.FanOut)
	case c.MaxSize < 0 || c.MaxSize > Most:
		return nil, fmt.Errorf("sqs %q: max_size must be 0 to %d", c.Cloud.Name, Most)
	}
	client, err := cloud.New(c.Cloud)
	if err != nil {
		return nil, fmt.Errorf("sqs %q: %w", c.Cloud.Name, err)
	}
	log := c.Cloud.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Sink{config: c, fifo: strings.HasSuffix(c.QueueURL, ".fifo"), client: client, log: log.With("sink", c.Cloud.Name)}, nil
}

// Name returns the sink's name in the configuration.
func (s *Sink) Name() string { return s.config.Cloud.Name }

// FanOut says how many recipients an event may carry.
func (s *Sink) FanOut() sinks.FanOut { return s.config.FanOut }

// Close ends what Start began and closes the connections that wait for use. Deliver must
// have returned.
func (s *Sink) Close() {
	if s.stop != nil {
		s.stop()
	}
	s.asking.Wait()
	s.client.Close()
}
