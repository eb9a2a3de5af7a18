package bridge

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"mxhook/cmd/internal/metrics"
	"mxhook/cmd/internal/recent"
	"mxhook/inbound"
	"mxhook/inbound/message"
	"mxhook/inbound/status"
	"mxhook/routing"
	"mxhook/sinks"
	"mxhook/sinks/delivery"
	"mxhook/sinks/spool"
	"mxhook/verify"
)

// record is what the page is told of a transaction. The zero record tells nobody.
type record struct {
	store    *recent.Store
	entry    *recent.Entry
	refused  []recent.Recipient // at RCPT; one without an address is the sender
	first    error              // of these
	more     int
	received bool
}

// observers are told each attempt of a sink.
type observers struct {
	*metrics.Metrics
	recent *recent.Store
}

// Attempt implements sinks.Observer.
func (o observers) Attempt(a sinks.Attempt) {
	o.Metrics.Attempt(a)
	o.recent.Attempt(a)
}

// observer returns who is told what sinks do.
func (b *Bridge) observer() sinks.Observer { return observers{b.metrics, b.recent} }

// spoolChanged tells the page what became of an event in the spool.
func (b *Bridge) spoolChanged(c spool.Change) {
	b.recent.Spooled(c.Event, c.Sink, recent.State(c.State), c.Outcome, c.Next)
}

// recordRefused notes a refusal before the data.
func (t *transaction) recordRefused(recipient string, err error) {
	r := &t.record
	if r.store == nil {
		return
	}
	if r.first == nil || status.ClassOf(err) == status.Permanent && status.ClassOf(r.first) != status.Permanent {
		r.first = err
	}
	if len(r.refused) == recent.MaxRecipients {
		r.more++
		return
	}
	r.refused = append(r.refused, recent.Recipient{Address: recent.Clean(recipient, 320), Reply: recent.Clean(status.ReplyOf(err).String(), 500)})
}

// recordEnd remembers a transaction that ends without a message because of a refusal.
func (t *transaction) recordEnd() {
	r := &t.record
	if r.received || r.first == nil {
		return
	}
	m := t.recorded()
	m.Recipients, m.MoreRcpt = r.refused, r.more
	if r.refused[0].Address == "" {
		m.Recipients = nil
	}
	r.store.Add(m).Answered(r.first, status.ReplyOf(r.first), reason(r.first), 0, time.Time{})
}

// recorded returns what is known of the transaction without a message.
func (t *transaction) recorded() recent.Message { return envelopeRecorded(t.id, t.session, t.mail) }

// envelopeRecorded returns what the page keeps of an envelope and the session that it came in.
func envelopeRecorded(id string, s inbound.Session, mail inbound.Mail) recent.Message {
	m := recent.Message{ID: id, Session: s.ID, Listener: s.Listener, HELO: recent.Clean(s.HELO, 255),
		User: recent.Clean(s.User, 100), Protocol: mail.Protocol, ReversePath: recent.Clean(mail.ReversePath.String(), 320)}
	if s.RemoteIP.IsValid() {
		m.RemoteIP = s.RemoteIP.String()
	}
	if s.TLS != nil {
		m.TLS = s.TLS.Version
	}
	return m
}

// messageRecorded adds what the page keeps of a message.
func messageRecorded(x *recent.Message, m *message.Message, size int64) {
	x.Size, x.Class, x.Defects = size, string(m.Class), len(m.Defects)
	x.MessageID, x.Subject = recent.Clean(m.MessageID, 300), recent.Clean(m.Subject, 300)
	if len(m.From) > 0 {
		from := m.From[0]
		x.From = recent.Clean(strings.TrimSpace(from.Name+" <"+from.Address+">"), 320)
	}
}

// recordMessage remembers a message that has come.
func (t *transaction) recordMessage(m *delivery.Mail) {
	r := &t.record
	if r.store == nil {
		return
	}
	x := t.recorded()
	x.Received = true
	messageRecorded(&x, m.Message, m.Data.Size())
	x.Verdicts = verdictsOf(m.Results)
	x.Recipients, x.MoreRcpt = t.recipientsRecorded(), r.more
	r.received = true
	r.entry = r.store.Add(x)
}

// watcher returns who is told what becomes of the message's events, nil when nobody is.
func (t *transaction) watcher() delivery.Watcher {
	switch {
	case t.stored != nil:
		return watchers{t.stored, t.record.entry}
	case t.record.entry != nil:
		return t.record.entry
	}
	return nil
}

// watchers tells each of them.
type watchers [2]delivery.Watcher

// Began implements delivery.Watcher.
func (w watchers) Began(e *sinks.Event, sink string, optional, spooled bool) {
	for _, one := range w {
		one.Began(e, sink, optional, spooled)
	}
}

// Ended implements delivery.Watcher.
func (w watchers) Ended(e *sinks.Event, sink string, o sinks.Outcome, spooled, late bool) {
	for _, one := range w {
		one.Ended(e, sink, o, spooled, late)
	}
}

// Buried implements delivery.Watcher.
func (w watchers) Buried(e *sinks.Event, sink string) {
	for _, one := range w {
		one.Buried(e, sink)
	}
}

// Known implements delivery.Watcher.
func (w watchers) Known(sink string, units int) {
	for _, one := range w {
		one.Known(sink, units)
	}
}

// recipientsRecorded returns those who were accepted, and then those who were refused.
func (t *transaction) recipientsRecorded() []recent.Recipient {
	list := make([]recent.Recipient, 0, len(t.recipients)+len(t.record.refused))
	for _, d := range t.decisions {
		list = append(list, recent.Recipient{Address: recent.Clean(d.Candidates[0].Path.String(), 320)})
	}
	return append(list, t.record.refused...)
}

// recordRoutes tells what the routes made of each recipient.
func (t *transaction) recordRoutes(settled []routing.Settlement, facts routing.Facts) {
	if t.record.entry == nil {
		return
	}
	list := t.recipientsRecorded()
	for i, s := range settled[:min(len(settled), recent.MaxRecipients)] {
		r := &list[i]
		for _, m := range s.Matches {
			r.Routes = append(r.Routes, recent.Taken{Route: m.Rule.Name, Why: whyTaken(m), Then: then(m.Rule)})
		}
		if s.Err != nil {
			r.Reply = recent.Clean(status.ReplyOf(s.Err).String(), 500)
		}
		r.Passed = passed(t.decisions[i], s, facts)
	}
	t.record.entry.Routed(list, t.record.more)
}

// recordAnswer tells the reply, and those of the recipients that have their own.
func (t *transaction) recordAnswer(a inbound.Answer, took time.Duration, since time.Time) {
	for i, own := range a.Recipients {
		t.record.entry.Replied(i, own.Reply())
	}
	t.record.entry.Answered(a.Err, a.Reply(), reason(a.Err), took, since)
}

// whyTaken says why a route took a recipient.
func whyTaken(m routing.Match) string {
	if m.LastResort() {
		return "postmaster is always accepted, and this is the first route that can take it"
	}
	why := "its pattern " + strings.Join(m.Rule.Recipient, ", ") + " matches"
	if n := len(m.Rule.Recipient); n > 3 {
		why = "one of its " + strconv.Itoa(n) + " patterns matches"
	}
	for _, name := range slices.Sorted(maps.Keys(m.Captures)) {
		why += ", " + name + "=" + strconv.QuoteToGraphic(m.Captures[name])
	}
	if m.Conditional() {
		why += "; " + m.Conditions()
	}
	return recent.Clean(why, 500)
}

// then says what a route does with what it takes.
func then(r *routing.Rule) string {
	if r.Discard {
		return "accepted and discarded"
	}
	s := "delivered to " + strings.Join(r.Deliver, ", ")
	if r.Spool {
		s = "spooled for " + strings.Join(r.Deliver, ", ")
	}
	if len(r.Optional) > 0 {
		s += ", optionally to " + strings.Join(r.Optional, ", ")
	}
	return s
}

// passed says why candidates did not take the recipient.
func passed(d routing.Decision, s routing.Settlement, facts routing.Facts) (list []string) {
	if !d.Conditional() {
		return nil
	}
	for _, m := range d.Candidates {
		if slices.ContainsFunc(s.Matches, func(took routing.Match) bool { return took.Rule == m.Rule }) {
			continue
		}
		for _, f := range m.Findings(facts) {
			if f.Truth != routing.Yes && len(list) < recent.MaxRecipients {
				list = append(list, recent.Clean("route "+m.Rule.Name+" wants that "+f.Text+": "+f.Found, 300))
			}
		}
	}
	return list
}

// verdictsOf returns what the page tells of the results.
func verdictsOf(r *verify.Results) *recent.Verdicts {
	of := func(result, domain, reason string) recent.Verdict {
		return recent.Verdict{Result: result, Domain: recent.Clean(domain, 255), Reason: recent.Clean(reason, 300)}
	}
	v := &recent.Verdicts{FromVerified: r.FromVerified, By: r.FromVerifiedBy, Reason: recent.Clean(r.FromVerifiedReason, 400),
		SPF: of(string(r.SPF.Result), r.SPF.Domain, r.SPF.Reason), DMARC: of(string(r.DMARC.Result), r.DMARC.Domain, r.DMARC.Reason),
		ARC: of(string(r.ARC.Result), strings.Join(r.ARC.Sealers, ", "), r.ARC.Reason), IPRev: of(string(r.IPRev.Result), r.IPRev.Name, r.IPRev.Reason)}
	v.SPF.Aligned, v.ARC.Aligned, v.DMARC.Policy = r.DMARC.SPFAligned, r.ARC.Trusted, r.DMARC.Policy
	for _, d := range r.DKIM[:recent.BoundSignatures(len(r.DKIM))] {
		one := of(string(d.Result), d.Domain, d.Reason)
		one.Aligned = d.Aligned
		v.DKIM = append(v.DKIM, one)
	}
	return v
}
