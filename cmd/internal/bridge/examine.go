package bridge

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"mxhook/cmd/internal/config"
	"mxhook/inbound"
	"mxhook/inbound/message"
	"mxhook/inbound/status"
	"mxhook/routing"
	"mxhook/sinks"
	"mxhook/sinks/delivery"
	"mxhook/sinks/trace"
	"mxhook/verify"
	"mxhook/verify/authres"
	"mxhook/verify/dns"
	"mxhook/verify/spf"
	"mxhook/verify/why"
)

// examiner turns a message's bytes into what all its events share.
type examiner struct {
	hostname string
	verifier *verify.Verifier // nil: nothing is verified
	relays   []netip.Prefix   // trusted ones
	sealers  bool             // there are trusted ARC sealers
	verified func(r *verify.Results, took time.Duration)
}

// learned is what was learned before there was a message.
type learned struct {
	spf   *spf.Evaluation // of the envelope; nil: not evaluated
	spent time.Duration   // of the time for questions
}

// examine verifies and parses at the same time: both only read. The error is one of
// reading the message back from its file.
func (x *examiner) examine(ctx context.Context, s inbound.Session, mail inbound.Mail, data *inbound.MailData, before learned) (delivery.Mail, error) {
	m := delivery.Mail{
		Session: s, Mail: mail, Data: data,
		Hostname: x.hostname, ReceivedAt: receivedAt(mail),
	}
	var wg sync.WaitGroup
	wg.Go(func() { m.Results = x.verify(ctx, s, mail, data, before) })
	wg.Go(func() {
		m.Message = message.Parse(data, data.Size(), message.Options{SMTPUTF8: mail.SMTPUTF8, NullReversePath: mail.ReversePath.IsNull()})
	})
	wg.Wait()
	doubt(ctx, m.Results, m.Message)
	var err error
	m.Cut, err = trace.Cut(data, m.Message, func(body string) bool { return authres.Claims(body, x.hostname) })
	return m, err
}

// doubt takes from_verified back where the parser shows another author than the one who
// was verified: then nobody can tell of whom the verdict is.
func doubt(ctx context.Context, r *verify.Results, m *message.Message) {
	if !r.FromVerified {
		return
	}
	if len(m.From) == 1 {
		address := m.From[0].Address
		if domain, ok := dns.Domain(address[strings.LastIndexByte(address, '@')+1:]); ok && domain == r.DMARC.Domain {
			return
		}
	}
	r.FromVerified, r.FromVerifiedBy = false, ""
	r.FromVerifiedReason = "the message can be read in more than one way, and its author with it"
	shown := why.Section(ctx, "From verified, as the message is shown")
	why.Conclude(shown, "no")
	why.Say(shown, "the author who was verified is of %s; the parser shows %d, and not that one alone: %s. The message's defects tell what is wrong with it", r.DMARC.Domain, len(m.From), r.FromVerifiedReason)
}

func (x *examiner) verify(ctx context.Context, s inbound.Session, mail inbound.Mail, data *inbound.MailData, before learned) *verify.Results {
	if x.verifier == nil {
		return unverified(x.hostname)
	}
	began := time.Now()
	m := verify.Message{
		RemoteIP: s.RemoteIP, HELO: s.HELO,
		MailFromLocal: mail.ReversePath.LocalPart, MailFromDomain: mail.ReversePath.Domain,
		BehindRelay: x.relayed(s, mail), Authenticated: s.User != "",
		SPF: before.spf, Spent: before.spent,
		Content: data, Size: data.Size(),
	}
	if mail.Provider != nil && m.SPF == nil {
		e := evaluateSPF(ctx, x.verifier, m, mail.Provider)
		m.SPF, m.Spent = &e, m.Spent+time.Since(began)
	}
	r := x.verifier.Verify(ctx, m)
	if x.verified != nil {
		x.verified(r, time.Since(began))
	}
	return r
}

// relayed tells whether the peer is a relay of ours, whose address says nothing of the
// sender, or a provider that didn't tell the sender's: SPF and iprev would be invented.
func (x *examiner) relayed(s inbound.Session, mail inbound.Mail) bool {
	return mail.LMTP() || mail.Provider != nil && !s.RemoteIP.IsValid() || slices.ContainsFunc(x.relays, func(n netip.Prefix) bool { return n.Contains(s.RemoteIP) })
}

// unverified says of every method that it was not asked.
func unverified(hostname string) *verify.Results {
	const reason = "not verified"
	return &verify.Results{
		SPF: verify.SPF{Result: authres.None, Reason: reason}, SPFHelo: verify.SPF{Result: authres.None, Reason: reason},
		DMARC:  verify.DMARC{Result: authres.None, Disposition: "none", Reason: reason},
		ARC:    verify.ARC{Result: authres.None, Reason: reason},
		IPRev:  verify.IPRev{Result: authres.None},
		Header: hostname + "; none",
	}
}

// Inspection is a message with an envelope, to be looked at and not delivered.
type Inspection struct {
	Session    inbound.Session
	Mail       inbound.Mail
	Recipients []inbound.Path
	Data       *inbound.MailData
	Verify     bool // do the look-ups of verification
	// Sink wants the events of that sink alone, as its fan_out has them; "" is all.
	Sink string
	// Unrouted, unless nil, takes every recipient as it is, in place of the routes.
	Unrouted *routing.Rule
	// Refused is told of each recipient that no route takes, at RCPT or after the data.
	Refused func(forwardPath inbound.Path, reply string)
}

// Inspect returns the events that a message would make: one for each route that
// takes a recipient and doesn't discard it. Nothing is delivered.
func Inspect(ctx context.Context, c *config.Config, o Options, in Inspection) ([]*sinks.Event, error) {
	table, faults := routing.Compile(c.Routes, routing.Options{Hostname: c.Hostname})
	if table == nil {
		return nil, errors.New(faults[0].String())
	}
	x := examiner{hostname: c.Hostname, relays: c.Verify.TrustedRelays, sealers: len(c.Verify.TrustedARCSealers) > 0}
	if in.Verify {
		x.verifier = newVerifier(c, o)
	}
	m, err := x.examine(ctx, in.Session, in.Mail, in.Data, learned{})
	if err != nil {
		return nil, err
	}
	m.Identity = identify(m, "inspect").Sum()
	matches := in.route(table, x.facts(m))
	if len(matches) == 0 {
		return nil, errors.New("no recipient is left")
	}
	var events []*sinks.Event
	for _, g := range groupByRoute(matches) {
		if g.rule.Discard {
			continue
		}
		for _, recipients := range in.events(c, g.rule, g.recipients) {
			events = append(events, m.Event(g.rule.Name, recipients))
		}
	}
	if in.Sink != "" && len(events) == 0 {
		return nil, fmt.Errorf("no recipient of this message goes to sink %q", in.Sink)
	}
	return events, nil
}

// route asks the table for each recipient, and decides by the message who takes it.
// Without verification a route whose conditions need a verdict is not guessed at: the
// recipient is told as deferred.
func (in *Inspection) route(table *routing.Table, facts routing.Facts) (matches []routing.Match) {
	for _, path := range in.Recipients {
		if in.Unrouted != nil {
			matches = append(matches, routing.Match{Rule: in.Unrouted, Path: path})
			continue
		}
		s := table.Recipient(in.Mail.ReversePath, path).Settle(facts)
		if s.Err != nil {
			in.Refused(path, status.ReplyOf(s.Err).String())
		}
		matches = append(matches, s.Matches...)
	}
	return matches
}
