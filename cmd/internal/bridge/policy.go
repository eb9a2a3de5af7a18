package bridge

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"mxhook/cmd/internal/config"
	"mxhook/inbound"
	"mxhook/inbound/status"
	"mxhook/verify"
	"mxhook/verify/authres"
	"mxhook/verify/spf"
)

// policy is what refuses by facts about the peer, the sender's domain and the author's,
// where the configuration asks for it (verify.reject). The zero policy refuses nothing.
// One transaction has it; it is used by one goroutine at a time.
type policy struct {
	verifier *verify.Verifier
	reject   config.Reject
	sealers  bool           // some are trusted, so that ARC may stand in for DMARC
	relayed  bool           // a relay of ours stands between the sender and us
	envelope verify.Message // whose RemoteIP is zero where it is nothing to judge by
	asking   budget
	asked    bool  // for the peer's name
	nameless error // the refusal of a peer without one
	spf      *spf.Evaluation
	provider *inbound.Provider
}

// policyFor makes the policy of a transaction. The address of a relay of ours, or of a
// user, says nothing of the sender; and what a user of ours writes as the author is not
// ours to refuse.
func (p *parts) policyFor(s inbound.Session, m inbound.Mail) policy {
	y := policy{verifier: p.verifier, reject: p.reject, sealers: p.sealers, relayed: p.relayed(s, m), provider: m.Provider, asking: budget{left: p.lookups / 2}}
	if s.User != "" {
		y.reject.DMARC = false
	}
	y.envelope = verify.Message{HELO: s.HELO, MailFromLocal: m.ReversePath.LocalPart, MailFromDomain: m.ReversePath.Domain}
	if !y.relayed && s.User == "" {
		y.envelope.RemoteIP = s.RemoteIP
	}
	return y
}

// budget is the time for questions before the data, of all of them together: half of
// verify.timeout, so that one sick name leaves the other half to those after the data,
// and all of a message's questions cost verify.timeout at most.
type budget struct{ left, spent time.Duration }

// take gives a context for one question; done ends it.
func (b *budget) take(ctx context.Context) (_ context.Context, done func()) {
	ctx, cancel := context.WithTimeout(ctx, b.left)
	began := time.Now()
	return ctx, func() {
		cancel()
		took := time.Since(began)
		b.left, b.spent = b.left-took, b.spent+took
	}
}

// sender refuses a reverse-path at a domain that takes no mail (RFC 7505 4.2), since no
// reply could ever reach it. The null reverse-path is taken, and so is a domain about
// which nothing can be learned now.
func (y *policy) sender(ctx context.Context) error {
	if !y.reject.NullMX || y.envelope.MailFromDomain == "" {
		return nil
	}
	ctx, done := y.asking.take(ctx)
	defer done()
	if !y.verifier.HasNullMX(ctx, y.envelope.MailFromDomain) {
		return nil
	}
	return status.NullMX.Wrap("sender", nil)
}

// peer refuses, at RCPT, a peer that may not use the sender's domain or has no name.
func (y *policy) peer(ctx context.Context) error {
	if err := y.authorized(ctx); err != nil {
		return err
	}
	return y.named(ctx)
}

// named refuses a peer whose address has no name (RFC 7372 3.3). It is asked for once
// in a transaction; a question that stays open refuses nobody.
func (y *policy) named(ctx context.Context) error {
	if !y.reject.NoPTR || !y.remoteIP().IsValid() {
		return nil
	}
	if !y.asked {
		ctx, done := y.asking.take(ctx)
		defer done()
		y.asked = true
		if y.verifier.LacksPTR(ctx, y.remoteIP()) {
			y.nameless = status.NoPTR.Wrap("peer", nil)
		}
	}
	return y.nameless
}

// authorized refuses a peer that SPF forbids to use the envelope's domain (RFC 7208
// 8.4, RFC 7372 3.2). It is evaluated once in a transaction. A temperror refuses nobody
// here: the envelope alone can't be known again at the next try, the message can.
func (y *policy) authorized(ctx context.Context) error {
	if !y.judgesSPF() {
		return nil
	}
	if y.spf == nil {
		ctx, done := y.asking.take(ctx)
		defer done()
		e := evaluateSPF(ctx, y.verifier, y.envelope, y.provider)
		y.spf = &e
	}
	return refusedBySPF(y.spf.Result, y.spf.Domain, y.spf.Reason)
}

func (y *policy) judgesSPF() bool { return y.reject.SPF && y.remoteIP().IsValid() }

func (y *policy) remoteIP() netip.Addr { return y.envelope.RemoteIP }

func refusedBySPF(r authres.Result, domain, reason string) error {
	if r != authres.Fail {
		return nil
	}
	return status.PolicySPF.Wrap("verdict", fmt.Errorf("spf=fail for %q: %s", domain, reason))
}

// learned is what was learned before the data: what need not be evaluated again. A
// temperror is: its question may be answered now.
func (y *policy) learned() learned {
	k := learned{spent: y.asking.spent}
	if y.spf != nil && y.spf.Result != authres.TempError {
		k.spf = y.spf
	}
	return k
}

// isPostmaster tells whether a path is one that is accepted in any case (RFC 5321
// 4.5.1), provided that its domain is served.
func isPostmaster(p inbound.Path) bool { return strings.EqualFold(p.LocalPart, "postmaster") }
