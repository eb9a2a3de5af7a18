package spool

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/netip"
	"strings"
	"unicode"

	"mxhook/inbound"
	"mxhook/inbound/message"
	"mxhook/inbound/status"
	"mxhook/sinks"
	"mxhook/sinks/ledger"
	"mxhook/sinks/trace"
	"mxhook/verify"
	"mxhook/verify/authres"
)

// path is written as an address, or by its parts where no address reads back the same.
type path inbound.Path

type parts struct {
	LocalPart string `json:"local_part"`
	Domain    string `json:"domain"`
}

// MarshalJSON implements json.Marshaler.
func (p path) MarshalJSON() ([]byte, error) {
	address := inbound.Path(p).String()
	if back, err := inbound.ParsePath(address, true); err == nil && back == inbound.Path(p) {
		return json.Marshal(address)
	}
	return json.Marshal(parts(p))
}

// UnmarshalJSON implements json.Unmarshaler.
func (p *path) UnmarshalJSON(b []byte) error {
	var address string
	if json.Unmarshal(b, &address) != nil {
		return json.Unmarshal(b, (*parts)(p))
	}
	back, err := inbound.ParsePath(address, true)
	*p = path(back)
	return err
}

func newRaw(data *inbound.MailData) raw {
	sum := data.SHA256()
	return raw{Size: data.Size(), SHA256: hex.EncodeToString(sum[:])}
}

func newEntry(e Entry) entry {
	out := entry{ID: e.Event.ID, Sink: e.Sink, Route: e.Event.Route, Recipients: newRecipients(e.Event.Recipients)}
	for _, k := range e.Keys {
		out.Units = append(out.Units, hex.EncodeToString(k[:]))
	}
	return out
}

func newRecipients(list []sinks.Recipient) (out []recipient) {
	for _, r := range list {
		out = append(out, recipient{Address: path(r.Path), Canonical: r.Canonical, Captures: r.Captures})
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
	out := facts{
		ReceivedAt: e.ReceivedAt, Hostname: e.Hostname, Identity: hex.EncodeToString(e.Identity[:]),
		Session: newSession(e.Session), Envelope: newEnvelope(e.Mail), Results: newResults(e.Results), Cut: e.Cut,
	}
	if e.Message != nil {
		out.Subject = clean(e.Message.Subject)
	}
	return out
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

func newEnvelope(m inbound.Mail) envelope {
	return envelope{ReversePath: path(m.ReversePath), Protocol: m.Protocol, SMTPUTF8: m.SMTPUTF8,
		Body: m.Body, DeclaredSize: m.DeclaredSize}
}

func newResults(r *verify.Results) *results {
	if r == nil {
		return nil
	}
	out := &results{SPF: spf(r.SPF), SPFHelo: spf(r.SPFHelo), DMARC: dmarc(r.DMARC), ARC: arc(r.ARC), IPRev: iprev(r.IPRev), HELO: helo(r.HELO),
		FromVerified: r.FromVerified, FromVerifiedBy: r.FromVerifiedBy, FromVerifiedReason: r.FromVerifiedReason, Header: r.Header, ReceivedSPF: r.ReceivedSPF}
	for _, d := range r.DKIM {
		out.DKIM = append(out.DKIM, dkim(d))
	}
	return out
}

// newDead is the record of an event that is buried now.
func newDead(e *sinks.Event, sink string, o sinks.Outcome) record {
	r := record{
		Schema: DeadSchema, ID: e.ID, Sink: sink, Route: e.Route, facts: newFacts(e), Raw: newRaw(e.Data),
	}
	if e.Message != nil {
		r.MessageID = clean(e.Message.MessageID)
	}
	r.Envelope.Recipients = newRecipients(e.Recipients)
	r.tell(o)
	return r
}

// tell writes down why.
func (r *record) tell(o sinks.Outcome) {
	r.Condition, r.Reply, r.Detail, r.Attempts = status.ConditionOf(o.Err).Name(), status.ReplyOf(o.Err).String(), o.Detail, o.Attempts
}

// errRecord says that a record is not what was written.
var errRecord = errors.New("the record is damaged")

// event makes the event of a record again. Its Message is parsed from data.
func (r *record) event(data *inbound.MailData) (*sinks.Event, error) {
	e := &sinks.Event{
		ID: r.ID, Route: r.Route, ReceivedAt: r.ReceivedAt, Hostname: r.Hostname,
		Session: r.Session.restore(), Results: r.Results.restore(), Data: data, Cut: r.Cut,
		Mail: inbound.Mail{ReversePath: inbound.Path(r.Envelope.ReversePath), Protocol: r.Envelope.Protocol,
			SMTPUTF8: r.Envelope.SMTPUTF8, Body: r.Envelope.Body, DeclaredSize: r.Envelope.DeclaredSize},
	}
	if n, err := hex.Decode(e.Identity[:], []byte(cut(r.Identity, 2*len(e.Identity)))); err != nil || n != len(e.Identity) && r.Identity != "" {
		return nil, errRecord
	}
	for _, to := range r.Envelope.Recipients {
		e.Recipients = append(e.Recipients, sinks.Recipient{Path: inbound.Path(to.Address), Canonical: to.Canonical, Captures: to.Captures})
	}
	if len(e.Recipients) == 0 || e.ID == "" || e.ReceivedAt.IsZero() { // the last: its facts were lost before it was buried
		return nil, errRecord
	}
	at := int64(0)
	for _, c := range e.Cut {
		if c.Start < at || c.End < c.Start || c.End > data.Size() {
			return nil, errRecord
		}
		at = c.End
	}
	e.Message = message.Parse(data, data.Size(), message.Options{SMTPUTF8: e.Mail.SMTPUTF8, NullReversePath: e.Mail.ReversePath.IsNull()})
	// It was asked at reception what leaves a raw copy; here it marks the message.
	_, err := trace.Cut(data, e.Message, func(body string) bool { return authres.Claims(body, e.Hostname) })
	return e, err
}

func cut(s string, n int) string { return s[:min(n, len(s))] }

func (s session) restore() inbound.Session {
	out := inbound.Session{ID: s.ID, Listener: s.Listener, RemotePort: s.RemotePort, LocalName: s.LocalName, HELO: s.HELO, User: s.User}
	out.RemoteIP, _ = netip.ParseAddr(s.RemoteIP) // "" is that of a unix socket
	if s.TLS != nil {
		t := inbound.TLS(*s.TLS)
		out.TLS = &t
	}
	return out
}

func (r *results) restore() *verify.Results {
	if r == nil {
		return nil
	}
	out := &verify.Results{SPF: verify.SPF(r.SPF), SPFHelo: verify.SPF(r.SPFHelo), DMARC: verify.DMARC(r.DMARC), ARC: verify.ARC(r.ARC),
		IPRev: verify.IPRev(r.IPRev), HELO: verify.HELO(r.HELO),
		FromVerified: r.FromVerified, FromVerifiedBy: r.FromVerifiedBy, FromVerifiedReason: r.FromVerifiedReason, Header: r.Header, ReceivedSPF: r.ReceivedSPF}
	for _, d := range r.DKIM {
		out.DKIM = append(out.DKIM, verify.DKIM(d))
	}
	return out
}

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
