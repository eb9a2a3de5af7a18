// Package payload makes what is written to a sink: the native JSON "mxhook.v1" and
// the raw message. It decides nothing about delivery and it does no network.
//
// A payload is a Body: its length is known before the first read, it is generated
// while it is read, and it yields the same bytes each time, so that it can be
// signed, digested and sent again without being held. Small parts are encoded
// once; attachments, the raw message and long texts are encoded when they are
// read. Another format is another function that returns a *Body.
//
// Native and Raw return an error only for an Event that is incomplete, for an Include
// that can't be served and for a Store that failed, never for what a message holds. Reading a
// Body fails when its source does: a file that can't be read, MailData that was
// released, an attachment that yields other than its Size octets. A Body is safe
// for concurrent use; each reader from Open belongs to one goroutine.
//
// Sources: RFC 8259 (JSON), RFC 4648 4 (base64), RFC 3339 (times).
package payload

import (
	"errors"
	"fmt"
	"slices"

	"mxhook/sinks"
)

// Include says which of the large parts the native payload carries. The zero value
// has attachments inline, no raw message and no html.
type Include struct {
	// Attachments is "inline" (content as base64), "metadata" (content null) or Stored
	// (content null, and url says where it is); "" is "inline".
	Attachments string
	// Raw is "none", "inline" (the message as received, as base64) or Stored; "" is "none".
	Raw string
	// AttachmentStore and RawStore keep what is Stored, and are nil otherwise.
	AttachmentStore, RawStore Store
	// HTML carries the html text. Without it html is "", and text is what it is
	// with it, also where it was made of the html.
	HTML bool
}

// Stored is the value of Include that has a Store keep the content.
const Stored = "store"

// check refuses what no payload can carry.
func (inc Include) check() error {
	switch {
	case inc.Attachments == Stored && inc.AttachmentStore != nil, slices.Contains([]string{"", "inline", "metadata"}, inc.Attachments):
	default:
		return fmt.Errorf("payload: attachments %q: unknown, or without a store", inc.Attachments)
	}
	switch {
	case inc.Raw == Stored && inc.RawStore != nil, slices.Contains([]string{"", "none", "inline"}, inc.Raw):
	default:
		return fmt.Errorf("payload: raw %q: unknown, or without a store", inc.Raw)
	}
	return nil
}

// ForOne refuses an event that a format made for one recipient can't carry.
func ForOne(e *sinks.Event) error {
	if err := complete(e); err != nil {
		return err
	}
	if len(e.Recipients) != 1 {
		return errors.New("payload: the event has not one recipient")
	}
	return nil
}

// ForAll refuses an event without a recipient.
func ForAll(e *sinks.Event) error {
	if err := complete(e); err != nil {
		return err
	}
	if len(e.Recipients) == 0 {
		return errors.New("payload: the event has no recipient")
	}
	return nil
}

// complete refuses an event that lacks what every payload is made of.
func complete(e *sinks.Event) error {
	if e == nil || e.Message == nil || e.Data == nil {
		return errors.New("payload: the event has no message")
	}
	return nil
}
