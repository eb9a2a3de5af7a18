package spool

import (
	"encoding/hex"
	"strings"
	"unicode"

	"mxhook/inbound"
	"mxhook/inbound/status"
	"mxhook/sinks"
	"mxhook/sinks/ledger"
	recording "mxhook/sinks/record"
)

func newEntry(e Entry) entry {
	out := entry{ID: e.Event.ID, Sink: e.Sink, Route: e.Event.Route, Recipients: recording.NewRecipients(e.Event.Recipients)}
	for _, k := range e.Keys {
		out.Units = append(out.Units, hex.EncodeToString(k[:]))
	}
	return out
}

// clean returns what a person may be shown of a sender's words: no control
// characters, at most 200 characters.
func clean(s string) string {
	var b strings.Builder
	n := 0
	for _, c := range s {
		if unicode.IsPrint(c) {
			b.WriteRune(c)
			n++
		}
		if n == 200 {
			break
		}
	}
	return b.String()
}

func newFacts(e *sinks.Event) facts {
	out := facts{Facts: recording.NewFacts(e)}
	if e.Message != nil {
		out.Subject = clean(e.Message.Subject)
	}
	return out
}

// newDead is the record of an event that is buried now.
func newDead(e *sinks.Event, sink string, o sinks.Outcome) record {
	r := record{
		Schema: DeadSchema, ID: e.ID, Sink: sink, Route: e.Route, facts: newFacts(e), Raw: recording.NewRaw(e.Data),
	}
	if e.Message != nil {
		r.MessageID = clean(e.Message.MessageID)
	}
	r.Envelope.Recipients = recording.NewRecipients(e.Recipients)
	r.tell(o)
	return r
}

// tell writes down why.
func (r *record) tell(o sinks.Outcome) {
	r.Condition, r.Reply, r.Detail, r.Attempts = status.ConditionOf(o.Err).Name(), status.ReplyOf(o.Err).String(), o.Detail, o.Attempts
}

// errRecord says that a record is not what was written.
var errRecord = recording.ErrRecord

// event makes the event of a record again. Its Message is parsed from data.
func (r *record) event(data *inbound.MailData) (*sinks.Event, error) {
	e, err := r.Facts.Event(r.ID, r.Route)
	if err != nil {
		return nil, err
	}
	return e, recording.Complete(e, data)
}

func cut(s string, n int) string { return s[:min(n, len(s))] }

// keysOf reads units; a unit that can't be read is left out, which costs at most a
// repeat.
func keysOf(units []string) (keys []ledger.Key) {
	for _, u := range units {
		var k ledger.Key
		if n, err := hex.Decode(k[:], []byte(cut(u, 2*len(k)))); err == nil && n == len(k) {
			keys = append(keys, k)
		}
	}
	return keys
}
