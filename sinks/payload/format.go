package payload

import (
	"context"
	"time"

	"mxhook/sinks"
)

// Format makes of events what one kind of receiver reads. It is safe for concurrent
// use.
type Format interface {
	// Encode makes what all attempts to deliver e share, until ctx ends. The error says
	// what e lacks or what the format can't carry, or is one of reading e's Data; it holds
	// nothing of the message.
	Encode(ctx context.Context, e *sinks.Event) (Encoded, error)
}

// Encoded is an event in a format. It lives as long as the event's Data, and belongs to
// one goroutine.
type Encoded interface {
	// Request returns what one attempt sends. Two requests have the same Body where
	// nothing of it depends on the attempt. The error is one of reading the event's Data.
	Request(a Attempt) (Request, error)
}

// Attempt is what a request may depend on.
type Attempt struct {
	Time time.Time
	// URL is where it goes, with its user and captures, as the configuration has it.
	URL string
}

// Request is the content of an HTTP request.
type Request struct {
	Body *Body
	// Header are the fields of the format beside Content-Type: signatures, credentials.
	Header map[string]string
}

// Fixed is the Encoded of a payload that is the same at each attempt.
func Fixed(b *Body) Encoded { return fixed{b} }

type fixed struct{ body *Body }

func (f fixed) Request(Attempt) (Request, error) { return Request{Body: f.body}, nil }

// FormatFunc is a Format whose payload is the same at each attempt.
type FormatFunc func(ctx context.Context, e *sinks.Event) (*Body, error)

// Encode implements Format.
func (f FormatFunc) Encode(ctx context.Context, e *sinks.Event) (Encoded, error) {
	b, err := f(ctx, e)
	if err != nil {
		return nil, err
	}
	return Fixed(b), nil
}

// NativeFormat is the Format of Native.
func NativeFormat(inc Include) Format {
	return FormatFunc(func(ctx context.Context, e *sinks.Event) (*Body, error) { return Native(ctx, e, inc) })
}

// RawFormat is the Format of Raw.
func RawFormat() Format {
	return FormatFunc(func(_ context.Context, e *sinks.Event) (*Body, error) { return Raw(e) })
}
