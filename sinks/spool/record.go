package spool

import (
	"encoding/json"
	"time"

	"mxhook/sinks"
	"mxhook/verify/authres"
)

// The names of the formats.
const (
	WaitingSchema = "mxhook.spool.v1"
	DeadSchema    = "mxhook.dead.v1"
)

// A batch is written as two lines of JSON, each with a seal: head is what is held in
// memory, too, so that a start reads little; facts are the rest.
type head struct {
	Schema      string    `json:"schema"`
	SpooledAt   time.Time `json:"spooled_at"`
	ReversePath string    `json:"reverse_path"`
	MessageID   string    `json:"message_id"`
	Raw         raw       `json:"raw"`
	Events      []entry   `json:"events"`
}

// entry is one event of a batch.
type entry struct {
	ID         string      `json:"id"`
	Sink       string      `json:"sink"`
	Route      string      `json:"route"`
	Recipients []recipient `json:"recipients"`
	Units      []string    `json:"units"` // their keys in the ledger, hexadecimal; null when it doesn't remember them
}

// facts are what all events of a message share, but what can be read from its bytes
// again. The words are those of the native payload where both say the same.
type facts struct {
	ReceivedAt time.Time     `json:"received_at"`
	Hostname   string        `json:"hostname"`
	Identity   string        `json:"identity"` // hexadecimal; "" in records of earlier versions
	Subject    string        `json:"subject"`  // for people, cut
	Session    session       `json:"session"`
	Envelope   envelope      `json:"envelope"`
	Results    *results      `json:"results"` // null when nothing was verified
	Cut        []sinks.Range `json:"cut"`
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
	Raw raw `json:"raw"`
}

type session struct {
	ID         string `json:"id"`
	Listener   string `json:"listener"`
	RemoteIP   string `json:"remote_ip"`
	RemotePort uint16 `json:"remote_port"`
	LocalName  string `json:"local_name"`
	HELO       string `json:"helo"`
	TLS        *tls   `json:"tls"`
	User       string `json:"user"`
}

type tls struct {
	Version    string `json:"version"`
	Cipher     string `json:"cipher"`
	ServerName string `json:"server_name"`
}

type envelope struct {
	ReversePath  path        `json:"reverse_path"`
	Recipients   []recipient `json:"recipients,omitempty"` // of a dead event
	Protocol     string      `json:"protocol"`
	SMTPUTF8     bool        `json:"smtputf8"`
	Body         string      `json:"body"`
	DeclaredSize int64       `json:"declared_size"`
}

type recipient struct {
	Address   path              `json:"address"`
	Canonical string            `json:"canonical"`
	Captures  map[string]string `json:"captures"`
}

type raw struct {
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

// The results are those of package verify with the payload's words.
type (
	results struct {
		SPF                spf    `json:"spf"`
		SPFHelo            spf    `json:"spf_helo"`
		DKIM               []dkim `json:"dkim"`
		DMARC              dmarc  `json:"dmarc"`
		ARC                arc    `json:"arc"`
		IPRev              iprev  `json:"iprev"`
		HELO               helo   `json:"helo"`
		FromVerified       bool   `json:"from_verified"`
		FromVerifiedBy     string `json:"from_verified_by"`
		FromVerifiedReason string `json:"from_verified_reason,omitempty"`
		Header             string `json:"header"`
		ReceivedSPF        string `json:"received_spf"`
	}
	spf struct {
		Result      authres.Result `json:"result"`
		Domain      string         `json:"domain"`
		Reason      string         `json:"reason"`
		Mechanism   string         `json:"mechanism,omitempty"`
		Explanation string         `json:"explanation,omitempty"`
		DNSSEC      bool           `json:"dnssec,omitempty"`
	}
	dkim struct {
		Result     authres.Result `json:"result"`
		Domain     string         `json:"domain"`
		Selector   string         `json:"selector"`
		Algorithm  string         `json:"algorithm"`
		Aligned    bool           `json:"aligned"`
		Reason     string         `json:"reason"`
		Identity   string         `json:"identity,omitempty"`
		KeyBits    int            `json:"key_bits,omitempty"`
		Oversigned []string       `json:"oversigned,omitempty"`
		Unsigned   int64          `json:"unsigned,omitempty"`
		Testing    bool           `json:"testing,omitempty"`
		Signed     time.Time      `json:"signed,omitzero"`
		Expires    time.Time      `json:"expires,omitzero"`
		DNSSEC     bool           `json:"dnssec,omitempty"`
	}
	dmarc struct {
		Result               authres.Result `json:"result"`
		Domain               string         `json:"domain"`
		PolicyDomain         string         `json:"policy_domain"`
		OrganizationalDomain string         `json:"organizational_domain"`
		Policy               string         `json:"policy"`
		Disposition          string         `json:"disposition"`
		SPFAligned           bool           `json:"spf_aligned"`
		DKIMAligned          bool           `json:"dkim_aligned"`
		Reason               string         `json:"reason"`
		AggregateReports     []string       `json:"aggregate_reports,omitempty"`
		FailureReports       []string       `json:"failure_reports,omitempty"`
		Testing              bool           `json:"testing,omitempty"`
		DNSSEC               bool           `json:"dnssec,omitempty"`
	}
	helo struct {
		Result authres.Result `json:"result"`
		Name   string         `json:"name"`
		Reason string         `json:"reason"`
	}
	arc struct {
		Result      authres.Result `json:"result"`
		ChainLength int            `json:"chain_length"`
		Sealers     []string       `json:"sealers"`
		Trusted     bool           `json:"trusted"`
		Reason      string         `json:"reason"`
	}
	iprev struct {
		Result authres.Result `json:"result"`
		Name   string         `json:"name"`
		Reason string         `json:"reason,omitempty"`
	}
)

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
