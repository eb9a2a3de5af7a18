package bridge

import (
	"context"
	"time"

	"mxhook/inbound"
	"mxhook/verify"
	"mxhook/verify/authres"
	"mxhook/verify/dns"
	"mxhook/verify/spf"
)

// evaluateSPF evaluates the envelope, and joins what a provider has seen of it. m has
// the client's address where it is known.
func evaluateSPF(ctx context.Context, v *verify.Verifier, m verify.Message, p *inbound.Provider) spf.Evaluation {
	e := v.EvaluateSPF(ctx, m)
	if p == nil {
		return e
	}
	return joinSPF(e, p.SPF, m.MailFromDomain)
}

// joinSPF gives the stronger one of two words about the envelope: a provider has seen
// the connection, at the time when the message came, so that its pass and its fail
// count, and a pass of ours needs its own. Nothing is known of what it made of a null
// reverse-path (domain ""), whose pass is not taken.
func joinSPF(e spf.Evaluation, verdict inbound.Verdict, domain string) spf.Evaluation {
	name, ok := dns.Domain(domain)
	told := spf.Evaluation{Domain: e.Domain, Reason: "as the provider has seen it"}
	switch {
	case verdict == inbound.VerdictPass && e.Result != authres.Pass && ok:
		told.Result, told.Domain = authres.Pass, name
	case verdict == inbound.VerdictFail && e.Result != authres.Fail:
		told.Result = authres.Fail
	case verdict == inbound.VerdictGray && e.Result == authres.Pass:
		told.Result, told.Reason = authres.Neutral, "the provider has seen neither pass nor fail"
	default:
		return e
	}
	return told
}

// waited is how long ago a provider took the message from its sender; 0 when the
// sender's session is with us.
func waited(m inbound.Mail, now time.Time) time.Duration {
	if m.Provider == nil || m.Provider.ReceivedAt.IsZero() {
		return 0
	}
	return max(0, now.Sub(m.Provider.ReceivedAt))
}

// receivedAt is when the message came: a provider knows it, at each try the same.
func receivedAt(m inbound.Mail) time.Time {
	if m.Provider != nil && !m.Provider.ReceivedAt.IsZero() {
		return m.Provider.ReceivedAt.UTC()
	}
	return time.Now().UTC()
}

// Store returns what holds messages' bytes, for those who bring messages without a
// listener.
func (b *Bridge) Store() *inbound.Store { return b.store }
