// Package sinks is the contract between a message and those who take it: an Event
// is what a Sink gets, an Outcome is what it says.
package sinks

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"time"

	"mxhook/inbound"
	"mxhook/inbound/message"
	"mxhook/inbound/status"
	"mxhook/verify"
)

// Sink takes events. It is safe for concurrent use.
type Sink interface {
	// Name returns the sink's name in the configuration: log key and metric label.
	Name() string

	// FanOut says how many recipients an event for this sink may carry.
	FanOut() FanOut

	// Deliver tries to make the sink durably responsible for the event, with as many
	// attempts as the sink's configuration allows. ctx ends with the delivery budget:
	// after it no attempt begins and one that hasn't been sent yet is given up, but
	// one whose request was already written goes on to the sink's own timeout, so
	// that a late yes is known. Deliver returns only when no attempt is running.
	//
	// The event's Data is valid until Deliver returns.
	Deliver(ctx context.Context, e *Event) Outcome
}

// FanOut says how the recipients of one route are put into events.
type FanOut string

// The fan-outs.
const (
	FanOutMessage   FanOut = "message"   // all in one event
	FanOutRecipient FanOut = "recipient" // one event each
	FanOutDomain    FanOut = "domain"    // all of one domain in one event
)

// Group returns what the recipients of one event have in common; those of different
// groups go into different events.
func (f FanOut) Group(r Recipient) string {
	switch f {
	case FanOutRecipient:
		return r.Key()
	case FanOutDomain:
		return r.Domain()
	}
	return ""
}

// Dated is a Sink that puts the date of an event into where it goes, so that it wants to
// know when the first try was, see Event.Began. Implementing it is optional.
type Dated interface{ Dated() bool }

// WantsDate tells whether a sink, or the one that it stands before, is Dated.
func WantsDate(s Sink) bool {
	for {
		if d, ok := s.(Dated); ok {
			return d.Dated()
		}
		outer, ok := s.(interface{ Unwrap() Sink })
		if !ok {
			return false
		}
		s = outer.Unwrap()
	}
}

// Outcome is what became of an event at a sink.
type Outcome struct {
	// Err is nil when the sink has durably accepted the event. Otherwise it wraps a
	// Condition of package status, whose class says whether to try again later.
	Err error
	// Attempts counts the tries that were begun.
	Attempts int
	// Detail is what the last attempt met, in words that may be logged: "HTTP 503".
	Detail string
	// After is how long the sink asks to be left alone (Retry-After); 0: it didn't say.
	After time.Duration
}

// Class returns the class of the outcome.
func (o Outcome) Class() status.Class { return status.ClassOf(o.Err) }

// Event is one message for some recipients of one route at one sink.
type Event struct {
	ID         string            // "msg_" and 26 characters, see EventID
	Identity   [sha256.Size]byte // the message's, Identity.Sum
	Route      string
	ReceivedAt time.Time // UTC
	// FirstTried is when the message was received in the first try of which this one is
	// a resend; zero where none is known.
	FirstTried time.Time
	Hostname   string // our name: authserv-id and "by" of Received
	Session    inbound.Session
	Mail       inbound.Mail
	Recipients []Recipient // at least one
	Message    *message.Message
	Results    *verify.Results
	Data       *inbound.MailData
	// Cut are the ranges of Data that a raw copy leaves out, in order: fields that
	// our trace fields replace, and forged ones.
	Cut []Range
}

// Likeness tells one message from another however often it is sent, for those who
// count messages and not transactions: the identity where the message has a Message-ID,
// its bytes where it has none, since the identity is the transaction's own then.
func (e *Event) Likeness() [sha256.Size]byte {
	if e.Message != nil && e.Message.MessageID == "" && e.Data != nil {
		return e.Data.SHA256()
	}
	return e.Identity
}

// Began returns when the message was received, in the first try where that is known, so
// that a resend after midnight has the same date; UTC.
func (e *Event) Began() time.Time {
	if e.FirstTried.IsZero() {
		return e.ReceivedAt.UTC()
	}
	return e.FirstTried.UTC()
}

// Edition names these bytes of the event: its ID, a dot and the first 16 hexadecimal digits
// of their SHA-256. The same message may come again with the same ID and other bytes, of
// another way here; what a payload or a queue's message only points to is kept under the
// edition, so that no try takes away what another one has promised.
func (e *Event) Edition() string {
	sum := e.Data.SHA256()
	return e.ID + "." + hex.EncodeToString(sum[:8])
}

// Range is a half-open range of octets.
type Range struct{ Start, End int64 }

// Recipient is a forward-path with what the route's pattern captured of it.
type Recipient struct {
	Path     inbound.Path
	Captures map[string]string // nil when the pattern has none
	// Canonical is one spelling for all of the same mailbox: lower case, the domain as
	// A-labels without a final dot. Empty stands for the lower-case Path.
	Canonical string
}

// Key returns what tells one recipient from another.
func (r Recipient) Key() string {
	if r.Canonical != "" {
		return r.Canonical
	}
	return strings.ToLower(r.Path.String())
}

// Domain returns the domain, in lower-case A-labels where Canonical has them; "" where the
// forward-path has none.
func (r Recipient) Domain() string {
	key := r.Key()
	return key[strings.LastIndexByte(key, '@')+1:]
}

// NoSink begins the name that stands in the place of a sink's for recipients whom their
// route refused after the data. No sink in a configuration is named so.
const NoSink = "~"
