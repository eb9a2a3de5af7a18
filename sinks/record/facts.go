package record

import (
	"encoding/hex"
	"net/netip"
	"time"

	"mxhook/inbound"
	"mxhook/sinks"
)

// Session is inbound.Session.
type Session struct {
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

// Envelope is inbound.Mail, with the recipients of an event where the record is that of
// one.
type Envelope struct {
	ReversePath  Path        `json:"reverse_path"`
	Recipients   []Recipient `json:"recipients,omitempty"`
	Protocol     string      `json:"protocol"`
	SMTPUTF8     bool        `json:"smtputf8"`
	Body         string      `json:"body"`
	DeclaredSize int64       `json:"declared_size"`
	Provider     *provider   `json:"provider,omitempty"`
}

// provider is inbound.Provider.
type provider struct {
	Name       string          `json:"name"`
	MessageID  string          `json:"message_id"`
	ReceivedAt time.Time       `json:"received_at,omitzero"`
	SPF        inbound.Verdict `json:"spf"`
	DKIM       inbound.Verdict `json:"dkim"`
	DMARC      inbound.Verdict `json:"dmarc"`
	Spam       inbound.Verdict `json:"spam"`
	Virus      inbound.Verdict `json:"virus"`
}

// Recipient is sinks.Recipient.
type Recipient struct {
	Address   Path              `json:"address"`
	Canonical string            `json:"canonical"`
	Captures  map[string]string `json:"captures"`
}

// NewRecipients returns the records of recipients.
func NewRecipients(list []sinks.Recipient) (out []Recipient) {
	for _, r := range list {
		out = append(out, Recipient{Address: Path(r.Path), Canonical: r.Canonical, Captures: r.Captures})
	}
	return out
}

// NewFacts returns the facts of an event. The recipients are not of them.
func NewFacts(e *sinks.Event) Facts {
	return Facts{
		ReceivedAt: e.ReceivedAt, FirstTried: e.FirstTried, Hostname: e.Hostname, Identity: hex.EncodeToString(e.Identity[:]),
		Session: newSession(e.Session), Envelope: newEnvelope(e.Mail), Results: newResults(e.Results), Cut: e.Cut,
	}
}

func newSession(s inbound.Session) Session {
	out := Session{ID: s.ID, Listener: s.Listener, RemotePort: s.RemotePort, LocalName: s.LocalName, HELO: s.HELO, User: s.User}
	if s.RemoteIP.IsValid() {
		out.RemoteIP = s.RemoteIP.String()
	}
	if s.TLS != nil {
		t := tls(*s.TLS)
		out.TLS = &t
	}
	return out
}

func (s Session) restore() inbound.Session {
	out := inbound.Session{ID: s.ID, Listener: s.Listener, RemotePort: s.RemotePort, LocalName: s.LocalName, HELO: s.HELO, User: s.User}
	out.RemoteIP, _ = netip.ParseAddr(s.RemoteIP) // "" is that of a unix socket
	if s.TLS != nil {
		t := inbound.TLS(*s.TLS)
		out.TLS = &t
	}
	return out
}

func newEnvelope(m inbound.Mail) Envelope {
	return Envelope{ReversePath: Path(m.ReversePath), Protocol: m.Protocol, SMTPUTF8: m.SMTPUTF8,
		Body: m.Body, DeclaredSize: m.DeclaredSize, Provider: (*provider)(m.Provider)}
}

// Event makes the event of a record again, without Message and Data; its recipients are
// the envelope's. The error is ErrRecord.
func (f Facts) Event(id, route string) (*sinks.Event, error) {
	e := &sinks.Event{
		ID: id, Route: route, ReceivedAt: f.ReceivedAt, FirstTried: f.FirstTried, Hostname: f.Hostname,
		Session: f.Session.restore(), Results: f.Results.restore(), Cut: f.Cut,
		Mail: inbound.Mail{ReversePath: inbound.Path(f.Envelope.ReversePath), Protocol: f.Envelope.Protocol,
			SMTPUTF8: f.Envelope.SMTPUTF8, Body: f.Envelope.Body, DeclaredSize: f.Envelope.DeclaredSize,
			Provider: (*inbound.Provider)(f.Envelope.Provider)},
	}
	identity, err := hex.DecodeString(f.Identity)
	if err != nil || len(identity) != len(e.Identity) && f.Identity != "" {
		return nil, ErrRecord
	}
	copy(e.Identity[:], identity)
	for _, to := range f.Envelope.Recipients {
		e.Recipients = append(e.Recipients, sinks.Recipient{Path: inbound.Path(to.Address), Canonical: to.Canonical, Captures: to.Captures})
	}
	if len(e.Recipients) == 0 || e.ID == "" || e.ReceivedAt.IsZero() { // the last: its facts were lost before it was buried
		return nil, ErrRecord
	}
	at := int64(0)
	for _, c := range e.Cut {
		if c.Start < at || c.End < c.Start {
			return nil, ErrRecord
		}
		at = c.End
	}
	return e, nil
}
