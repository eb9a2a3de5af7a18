package spool

import (
	"encoding/hex"
	"time"

	"mxhook/inbound"
	"mxhook/inbound/status"
	"mxhook/sinks"
	"mxhook/verify"
	"mxhook/verify/authres"
)

// record is the JSON beside the bytes: all of an event but what can be read from
// the bytes again. Its words are those of the native payload where both say the
// same.
type record struct {
	Schema     string        `json:"schema"`
	ID         string        `json:"id"`
	Sink       string        `json:"sink"`
	Route      string        `json:"route"`
	ReceivedAt time.Time     `json:"received_at"`
	BuriedAt   time.Time     `json:"buried_at"`
	Condition  string        `json:"condition"`
	Reply      string        `json:"reply"` // what the sender would have been told
	Detail     string        `json:"detail"`
	Attempts   int           `json:"attempts"`
	Hostname   string        `json:"hostname"`
	Session    session       `json:"session"`
	Envelope   envelope      `json:"envelope"`
	Results    *results      `json:"results"` // null when nothing was verified
	Cut        []sinks.Range `json:"cut"`
	Raw        raw           `json:"raw"`
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
	ReversePath  string      `json:"reverse_path"`
	Recipients   []recipient `json:"recipients"`
	Protocol     string      `json:"protocol"`
	SMTPUTF8     bool        `json:"smtputf8"`
	Body         string      `json:"body"`
	DeclaredSize int64       `json:"declared_size"`
}

type recipient struct {
	Address  string            `json:"address"`
	Captures map[string]string `json:"captures"`
}

type raw struct {
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

// The results are those of package verify with the payload's words.
type (
	results struct {
		SPF            spf    `json:"spf"`
		SPFHelo        spf    `json:"spf_helo"`
		DKIM           []dkim `json:"dkim"`
		DMARC          dmarc  `json:"dmarc"`
		ARC            arc    `json:"arc"`
		IPRev          iprev  `json:"iprev"`
		FromVerified   bool   `json:"from_verified"`
		FromVerifiedBy string `json:"from_verified_by"`
		Header         string `json:"header"`
		ReceivedSPF    string `json:"received_spf"`
	}
	spf struct {
		Result authres.Result `json:"result"`
		Domain string         `json:"domain"`
		Reason string         `json:"reason"`
	}
	dkim struct {
		Result    authres.Result `json:"result"`
		Domain    string         `json:"domain"`
		Selector  string         `json:"selector"`
		Algorithm string         `json:"algorithm"`
		Aligned   bool           `json:"aligned"`
		Reason    string         `json:"reason"`
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
	}
)

func newRecord(e *sinks.Event, sink string, o sinks.Outcome) record {
	sum := e.Data.SHA256()
	return record{
		Schema: DeadSchema, ID: e.ID, Sink: sink, Route: e.Route, ReceivedAt: e.ReceivedAt, BuriedAt: time.Now().UTC(),
		Condition: status.ConditionOf(o.Err).Name(), Reply: status.ReplyOf(o.Err).String(), Detail: o.Detail,
		Attempts: o.Attempts, Hostname: e.Hostname, Session: newSession(e.Session), Envelope: newEnvelope(e),
		Results: newResults(e.Results), Cut: e.Cut, Raw: raw{Size: e.Data.Size(), SHA256: hex.EncodeToString(sum[:])},
	}
}

func newSession(s inbound.Session) session {
	out := session{ID: s.ID, Listener: s.Listener, RemotePort: s.RemotePort, LocalName: s.LocalName, HELO: s.HELO, User: s.User}
	if s.RemoteIP.IsValid() {
		out.RemoteIP = s.RemoteIP.String()
	}
	if s.TLS != nil {
		t := tls(*s.TLS)
		out.TLS = &t
	}
	return out
}

func newEnvelope(e *sinks.Event) envelope {
	out := envelope{ReversePath: e.Mail.ReversePath.String(), Protocol: e.Mail.Protocol, SMTPUTF8: e.Mail.SMTPUTF8,
		Body: e.Mail.Body, DeclaredSize: e.Mail.DeclaredSize}
	for _, r := range e.Recipients {
		out.Recipients = append(out.Recipients, recipient{Address: r.Path.String(), Captures: r.Captures})
	}
	return out
}

func newResults(r *verify.Results) *results {
	if r == nil {
		return nil
	}
	out := &results{SPF: spf(r.SPF), SPFHelo: spf(r.SPFHelo), DMARC: dmarc(r.DMARC), ARC: arc(r.ARC), IPRev: iprev(r.IPRev),
		FromVerified: r.FromVerified, FromVerifiedBy: r.FromVerifiedBy, Header: r.Header, ReceivedSPF: r.ReceivedSPF}
	for _, d := range r.DKIM {
		out.DKIM = append(out.DKIM, dkim(d))
	}
	return out
}
