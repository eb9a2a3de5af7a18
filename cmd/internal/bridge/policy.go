package bridge

import (
	"context"
	"net/netip"
	"strings"

	"mxhook/cmd/internal/config"
	"mxhook/inbound"
	"mxhook/inbound/status"
	"mxhook/verify"
)

// policy is what refuses by facts about the peer and the sender's domain, where the
// configuration asks for it (verify.reject). The zero policy refuses nothing. One
// transaction has it; it is used by one goroutine at a time.
type policy struct {
	verifier *verify.Verifier
	reject   config.Reject
	remoteIP netip.Addr // zero: it is nothing to judge by
	asked    bool
	refusal  error // of the peer, once it was asked for
}

// policyFor makes the policy of a transaction. The address of a relay of ours, or of a
// user, says nothing of the sender.
func (p *parts) policyFor(s inbound.Session, m inbound.Mail) policy {
	y := policy{verifier: p.verifier, reject: p.reject}
	if !p.relayed(s, m) && s.User == "" {
		y.remoteIP = s.RemoteIP
	}
	return y
}

// sender refuses a reverse-path at a domain that takes no mail (RFC 7505 4.2), since no
// reply could ever reach it. The null reverse-path is taken, and so is a domain about
// which nothing can be learned now.
func (y *policy) sender(ctx context.Context, m inbound.Mail) error {
	if !y.reject.NullMX || m.ReversePath.IsNull() || !y.verifier.HasNullMX(ctx, m.ReversePath.Domain) {
		return nil
	}
	return status.NullMX.Wrap("sender", nil)
}

// peer refuses a peer whose address has no name (RFC 7372 3.3). It is asked for once in
// a transaction; a question that stays open refuses nobody.
func (y *policy) peer(ctx context.Context) error {
	if !y.reject.NoPTR || !y.remoteIP.IsValid() {
		return nil
	}
	if !y.asked && y.verifier.LacksPTR(ctx, y.remoteIP) {
		y.refusal = status.NoPTR.Wrap("peer", nil)
	}
	y.asked = true
	return y.refusal
}

// isPostmaster tells whether a path is one that is accepted in any case (RFC 5321
// 4.5.1), provided that its domain is served.
func isPostmaster(p inbound.Path) bool { return strings.EqualFold(p.LocalPart, "postmaster") }
