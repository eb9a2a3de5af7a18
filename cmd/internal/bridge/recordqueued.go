package bridge

import (
	"errors"
	"strings"
	"time"

	"mxhook/cmd/internal/config"
	"mxhook/cmd/internal/recent"
	"mxhook/cmd/internal/worker"
	"mxhook/sinks"
)

// recordQueued remembers one try of a message of a queue. e is what could be read of its
// event: nil where nothing could, without Message where only its attributes could.
func (b *Bridge) recordQueued(src config.Source, m worker.Message, e *sinks.Event) *recent.Entry {
	if b.recent == nil {
		return nil
	}
	var x recent.Message
	if e != nil {
		x = envelopeRecorded("", e.Session, e.Mail)
		then := "delivered to " + strings.Join(src.Deliver, ", ")
		if len(src.Optional) > 0 {
			then += ", optionally to " + strings.Join(src.Optional, ", ")
		}
		taken := recent.Taken{Route: recent.Clean(e.Route, 64), Why: "so says the message of the queue", Then: then}
		for _, r := range e.Recipients[:min(len(e.Recipients), recent.MaxRecipients)] {
			x.Recipients = append(x.Recipients, recent.Recipient{Address: recent.Clean(r.Path.String(), 320), Routes: []recent.Taken{taken}})
		}
		x.MoreRcpt = len(e.Recipients) - len(x.Recipients)
		if e.Results != nil {
			x.Verdicts = verdictsOf(e.Results)
		}
		if e.Message != nil && e.Data != nil {
			messageRecorded(&x, e.Message, e.Data.Size())
		}
	}
	// The session and the rest are what another process wrote, as the queue gave it.
	for _, s := range []*string{&x.Session, &x.Listener, &x.Protocol, &x.TLS} {
		*s = recent.Clean(*s, 100)
	}
	x.ID, x.Received, x.Source, x.Queued, x.Receives = b.newID(), true, src.Name, recent.Clean(m.ID, 100), m.Receives
	return b.recent.Add(x)
}

// settleQueued tells the page what became of the try.
func settleQueued(entry *recent.Entry, o worker.Outcome, began time.Time) {
	became, words := recent.Waiting, o.Detail
	switch o.Result {
	case worker.Accepted:
		became = recent.Delivered
	case worker.Refused:
		became = recent.Refused // and dead, where its dead event stands
	case worker.Poison:
		became = recent.Poison
		if p := (*worker.PoisonError)(nil); errors.As(o.Err, &p) {
			words = p.Reason + "; " + p.Cure
		}
	}
	entry.Settled(became, o.Err, words, time.Since(began))
}
