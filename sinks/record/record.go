// Package record writes an event down without its message, and makes it an event
// again: for the spool's files, and for a queue whose messages carry the bytes beside.
//
// Marshal and Unmarshal are the record of one event. Facts, Recipient and Raw are its
// parts, for a file that holds several. Complete gives an event its message back.
//
// Nothing that is read is believed: what a record of ours can't hold is ErrRecord.
// Functions are pure, but for Complete, which reads the message's bytes, and safe for
// concurrent use.
package record

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"mxhook/inbound"
	"mxhook/sinks"
)

// Schema is the name of the format.
const Schema = "mxhook.event.v1"

// ErrRecord says that a record is not what was written.
var ErrRecord = errors.New("the record is damaged")

// Facts are what all events of a message share, but what can be read from its bytes
// again. The words are those of the native payload where both say the same.
type Facts struct {
	ReceivedAt time.Time     `json:"received_at"`
	FirstTried time.Time     `json:"first_tried,omitzero"` // of the first of several events; others differ by a try at most
	Hostname   string        `json:"hostname"`
	Identity   string        `json:"identity"` // hexadecimal; "" in records of earlier versions
	Session    Session       `json:"session"`
	Envelope   Envelope      `json:"envelope"`
	Results    *Results      `json:"results"` // null when nothing was verified
	Cut        []sinks.Range `json:"cut"`
}

// Raw tells one message's bytes from another's.
type Raw struct {
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"` // hexadecimal
}

type event struct {
	Schema string `json:"schema"`
	ID     string `json:"id"`
	Route  string `json:"route"`
	Facts
	Raw *Raw `json:"raw,omitempty"`
}

// NewRaw returns what tells data from others.
func NewRaw(data *inbound.MailData) Raw {
	sum := data.SHA256()
	return Raw{Size: data.Size(), SHA256: hex.EncodeToString(sum[:])}
}

// Is tells whether data are the bytes.
func (r Raw) Is(data *inbound.MailData) bool { return r == NewRaw(data) }

// Marshal returns the record of an event: compact JSON in ASCII. Message is left out,
// and of Data all but size and digest. Text that is no UTF-8 gets U+FFFD.
func Marshal(e *sinks.Event) ([]byte, error) {
	r := event{Schema: Schema, ID: e.ID, Route: e.Route, Facts: NewFacts(e)}
	r.Envelope.Recipients = NewRecipients(e.Recipients)
	if e.Data != nil {
		raw := NewRaw(e.Data)
		r.Raw = &raw
	}
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(r); err != nil {
		return nil, err
	}
	return ascii(bytes.TrimSuffix(b.Bytes(), []byte{'\n'})), nil
}

// ascii writes what is beyond ASCII, which JSON has in strings alone, as \u escapes.
func ascii(b []byte) []byte {
	const digits = "0123456789abcdef"
	out := make([]byte, 0, len(b))
	unit := func(u rune) {
		out = append(out, '\\', 'u', digits[u>>12&15], digits[u>>8&15], digits[u>>4&15], digits[u&15])
	}
	for len(b) > 0 {
		if b[0] < utf8.RuneSelf && b[0] != 0x7f {
			out, b = append(out, b[0]), b[1:]
			continue
		}
		r, n := utf8.DecodeRune(b)
		b = b[n:]
		if r <= 0xffff {
			unit(r)
			continue
		}
		high, low := utf16.EncodeRune(r)
		unit(high)
		unit(low)
	}
	return out
}

// Unmarshal gives the event of a record back, without Message and Data. The error is
// ErrRecord.
func Unmarshal(b []byte) (*sinks.Event, error) {
	e, _, err := Read(b)
	return e, err
}

// Read is Unmarshal, and says which bytes are the event's; nil when the record doesn't.
func Read(b []byte) (*sinks.Event, *Raw, error) {
	var r event
	if json.Unmarshal(b, &r) != nil || r.Schema != Schema {
		return nil, nil, ErrRecord
	}
	if !isAddress(r.Session.RemoteIP) || r.Raw != nil && (r.Raw.Size < 0 || !isDigest(r.Raw.SHA256)) {
		return nil, nil, ErrRecord
	}
	e, err := r.Facts.Event(r.ID, r.Route)
	if err == nil {
		err = check(e)
	}
	if err != nil {
		return nil, nil, err
	}
	return e, r.Raw, nil
}
