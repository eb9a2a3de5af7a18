package spool

import (
	"encoding/json"
	"time"

	recording "mxhook/sinks/record"
)

// The names of the formats.
const (
	WaitingSchema = "mxhook.spool.v1"
	DeadSchema    = "mxhook.dead.v1"
)

// A batch is written as two lines of JSON, each with a seal: head is what is held in
// memory, too, so that a start reads little; facts are the rest.
type head struct {
	Schema      string        `json:"schema"`
	SpooledAt   time.Time     `json:"spooled_at"`
	ReversePath string        `json:"reverse_path"`
	MessageID   string        `json:"message_id"`
	Raw         recording.Raw `json:"raw"`
	Events      []entry       `json:"events"`
}

// entry is one event of a batch.
type entry struct {
	ID         string                `json:"id"`
	Sink       string                `json:"sink"`
	Route      string                `json:"route"`
	Recipients []recording.Recipient `json:"recipients"`
	Units      []string              `json:"units"` // their keys in the ledger, hexadecimal; null when it doesn't remember them
}

// facts are what all events of a message share, but what can be read from its bytes
// again.
type facts struct {
	Subject string `json:"subject"` // for people, cut
	recording.Facts
}

// record is an event with its facts: what stands beside the bytes of a dead one, and
// what is shown of both kinds.
type record struct {
	Schema    string    `json:"schema"`
	ID        string    `json:"id"`
	Sink      string    `json:"sink"`
	Route     string    `json:"route"`
	SpooledAt time.Time `json:"spooled_at,omitzero"` // of one that waited
	BuriedAt  time.Time `json:"buried_at,omitzero"`
	Condition string    `json:"condition"`
	Reply     string    `json:"reply"` // what the sender would have been told
	Detail    string    `json:"detail"`
	Attempts  int       `json:"attempts"`
	Units     []string  `json:"units"`
	MessageID string    `json:"message_id"`
	facts
	Raw recording.Raw `json:"raw"`
}

// encode returns v as one sealed line.
func encode(v any) ([]byte, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	return append(seal(b, sealLine), '\n'), nil
}

// decode reads a line into v; false when it is not whole.
func decode(line []byte, v any) bool {
	return sealed(line, sealLine) && json.Unmarshal(line, v) == nil
}

// encodeDead returns the text of a dead event's record.
func encodeDead(r record) ([]byte, error) {
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return nil, err
	}
	return seal(b, sealText), nil
}
