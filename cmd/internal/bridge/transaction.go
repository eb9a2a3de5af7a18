package bridge

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"mxhook/inbound"
	"mxhook/inbound/message"
	"mxhook/inbound/status"
	"mxhook/routing"
	"mxhook/sinks"
	"mxhook/sinks/delivery"
)

// Mail begins a transaction with the configuration of this moment.
func (b *Bridge) Mail(ctx context.Context, s inbound.Session, m inbound.Mail) (inbound.Transaction, error) {
	t, err := b.begin(s, m)
	if err != nil {
		return nil, err
	}
	if err := t.policy.sender(ctx); err != nil {
		t.recordRefused("", err)
		t.log.Info("sender refused", "reverse_path", m.ReversePath.String(), "remote_ip", s.RemoteIP, "reply", status.ReplyOf(err).String())
		t.Close()
		return nil, err
	}
	return t, nil
}

// begin is Mail without a question about the sender.
func (b *Bridge) begin(s inbound.Session, m inbound.Mail) (*transaction, error) {
	p := b.acquire()
	if err := p.usable(); err != nil {
		p.release()
		return nil, err
	}
	return &transaction{
		parts: p, examiner: &p.examiner, policy: p.policyFor(s, m), deliverer: p.deliverer, session: s, mail: m, id: b.newID(), record: record{store: b.recent}, deferrals: b.deferrals, waits: b.waits,
		log: b.log.With("session", s.ID),
	}, nil
}

// transaction is one message on its way: Mail, Rcpt and Data in the order of
// RFC 5321 3.3, each a step of the pipeline.
type transaction struct {
	parts      *parts
	examiner   *examiner
	policy     policy
	deliverer  *delivery.Deliverer
	stored     *stored // nil for a message that comes from a sender
	session    inbound.Session
	mail       inbound.Mail
	id         string
	record     record             // for the page
	recipients []string           // that were accepted, by their one spelling
	decisions  []routing.Decision // of these
	deferrals  *deferrals
	waits      *deferrals // for a verdict; nil for a message that no sender sends again
	log        *slog.Logger
	closeOnce  sync.Once
}

// Close implements inbound.Transaction.
func (t *transaction) Close() {
	t.closeOnce.Do(func() {
		t.recordEnd()
		t.parts.circuits.Leave(t.session.ID)
		t.parts.release()
	})
}

// Rcpt asks the routes for one recipient.
func (t *transaction) Rcpt(ctx context.Context, forwardPath inbound.Path) error {
	d := t.parts.table.Recipient(t.mail.ReversePath, forwardPath)
	if d.Err == nil && !isPostmaster(forwardPath) { // who is refused may ask why
		d.Err = t.policy.peer(ctx)
	}
	if d.Err == nil {
		d = t.accepted(ctx, d)
	}
	if d.Err == nil {
		d.Err = t.reachable(d.Candidates)
	}
	if d.Err != nil {
		t.recordRefused(forwardPath.String(), d.Err)
		t.log.Info("recipient refused", "reverse_path", t.mail.ReversePath.String(), "recipient", forwardPath.String(),
			"remote_ip", t.session.RemoteIP, "reply", status.ReplyOf(d.Err).String(), "reason", reason(d.Err))
		return d.Err
	}
	t.recipients = append(t.recipients, canonical(d.Candidates[0].Path)) // a bare postmaster has got a domain
	t.decisions = append(t.decisions, d)
	return nil
}

// Data is the pipeline: verify and parse, identify, judge and settle the routes, deliver,
// answer.
func (t *transaction) Data(ctx context.Context, data *inbound.MailData) inbound.Answer {
	began := time.Now()
	looking, done := context.WithTimeout(ctx, t.parts.budget/2) // the rest is for the sinks
	m, err := t.examiner.examine(looking, t.session, t.mail, data, t.policy.learned())
	done()
	m.Waiting = began
	if err == nil && inLoop(m.Message, t.parts.hostname) {
		err = status.MailLoop.Wrap("count Received fields", nil)
	}
	if m.Results.Fault != nil {
		t.log.Error("verification failed inside", "transaction", t.id, "error", m.Results.Fault)
	}
	t.recordMessage(&m)
	m.Watch = t.watcher()
	answer := inbound.Answer{Err: err}
	if err == nil {
		id := identify(m, t.id)
		m.Identity, m.Provable = id.Sum(), id.Transaction == ""
		if t.mail.LMTP() {
			m.Each = t.recipients
		}
		var orders []delivery.Order
		if orders, answer.Err = t.settle(m, t.examiner.facts(m)); answer.Err == nil {
			answer = t.deliverer.Deliver(ctx, m, orders)
		}
	}
	t.parts.metrics.TransactionAnswered(answer.Reply().Class())
	took, since := time.Since(began), t.deferrals.note(m, t.recipients, answer, time.Now())
	t.recordAnswer(answer, took, since)
	t.logAnswer(m, answer, took, since)
	return answer
}

// maxReceived is how many hops a message may have behind it (RFC 5321 6.3), and
// maxOwnHops how many times it may have been here.
const (
	maxReceived = 100
	maxOwnHops  = 3
)

// inLoop tells whether the message has come by too often. Our own Received field is
// known by our name and the form of its id.
func inLoop(m *message.Message, hostname string) bool {
	all, own := 0, 0
	for _, f := range m.Header {
		if !strings.EqualFold(f.Name, "Received") {
			continue
		}
		all++
		if body := strings.ToLower(f.Value); strings.Contains(body, " by "+hostname+" ") && strings.Contains(body, " id msg_") {
			own++
		}
	}
	return all > maxReceived || own > maxOwnHops
}

// orders says what each route wants done with what it takes.
func (t *transaction) orders(matches []routing.Match) []delivery.Order {
	var orders []delivery.Order
	for _, g := range groupByRoute(matches) {
		o := delivery.Order{
			Route: g.rule.Name, Recipients: g.recipients,
			Required: t.parts.sinksNamed(g.rule.Deliver),
			Optional: t.parts.sinksNamed(g.rule.Optional), Deduplicate: !g.rule.Repeat,
			Spool: g.rule.Spool, SpillAfter: g.rule.SpillAfter,
		}
		if t.stored != nil {
			o.Deduplicate = o.Deduplicate && !t.stored.again
		}
		orders = append(orders, o)
	}
	return orders
}

// group is a route with the recipients that it takes.
type group struct {
	rule       *routing.Rule
	recipients []sinks.Recipient
}

// canonical returns the one spelling of a mailbox: however its domain is written, it
// is the same recipient.
func canonical(p inbound.Path) string {
	p.Domain = routing.Domain(p.Domain)
	return strings.ToLower(p.String())
}

// groupByRoute collects the recipients of each route, in the order in which they
// came.
func groupByRoute(matches []routing.Match) []*group {
	var groups []*group
	byName := map[string]*group{}
	for _, m := range matches {
		g := byName[m.Rule.Name]
		if g == nil {
			g = &group{rule: m.Rule}
			byName[m.Rule.Name] = g
			groups = append(groups, g)
		}
		g.recipients = append(g.recipients, sinks.Recipient{Path: m.Path, Captures: m.Captures, Canonical: canonical(m.Path)})
	}
	return groups
}

// logAnswer tells what became of a message; since is when it was deferred first, zero
// if that is not known.
func (t *transaction) logAnswer(m delivery.Mail, a inbound.Answer, took time.Duration, since time.Time) {
	event, level := "message accepted", slog.LevelInfo
	switch status.ClassOf(a.Err) {
	case status.Temporary:
		event, level = "message deferred", slog.LevelWarn
	case status.Permanent:
		event, level = "message refused", slog.LevelWarn
	}
	log := t.log
	if !since.IsZero() {
		log = log.With("deferred_since", since.UTC())
	}
	if t.session.User != "" {
		log = log.With("user", t.session.User)
	}
	if a.Recipients != nil { // what each was told; reply is what became of the message as a whole
		replies, reasons := make([]string, len(a.Recipients)), []string{}
		for i, r := range a.Recipients {
			replies[i] = r.Reply().String()
			if why := reason(r.Err); why != "" && !slices.Contains(reasons, why) {
				reasons = append(reasons, why)
			}
		}
		log = log.With("replies", replies, "reasons", reasons)
	}
	log.Log(context.Background(), level, event,
		"transaction", t.id, "reply", a.Reply().String(), "remote_ip", t.session.RemoteIP,
		"reverse_path", t.mail.ReversePath.String(), "recipients", len(t.recipients),
		"message_id", m.Message.MessageID, "size", m.Data.Size(),
		"cause", cause(a.Err), "reason", reason(a.Err), "from_verified", m.Results.FromVerified, "dmarc", m.Results.DMARC.Result, "spf", m.Results.SPF.Result,
		"defects", len(m.Message.Defects), "took", took)
}

// cause names the condition behind a reply; the sinks' own words stand in their lines.
func cause(err error) string {
	if err == nil {
		return ""
	}
	return status.ConditionOf(err).Name()
}
