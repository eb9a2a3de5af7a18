package bridge

import (
	"errors"
	"fmt"
	"strings"

	"mxhook/inbound/status"
	"mxhook/verify"
	"mxhook/verify/authres"
	"mxhook/verify/dns"
)

// judgement is what the verdicts make of a message: nil takes it.
type judgement struct {
	err error
	// without is what holds in place of a temporary err when its time is over: the
	// decision without the verdict that is missing.
	without error
}

// message judges a message by its verdicts, after the data. What refuses it for good
// comes before what is still open.
func (y *policy) message(r *verify.Results) judgement {
	dmarc := y.dmarc(r)
	if y.judgesSPF() {
		if err := refusedBySPF(r.SPF.Result, r.SPF.Domain, r.SPF.Reason); err != nil {
			return judgement{err: err} // it was open at RCPT
		}
		if r.SPF.Result == authres.TempError && status.ClassOf(dmarc.err) != status.Permanent {
			return judgement{err: open("spf", r.SPF.Domain, r.SPF.Reason), without: dmarc.without}
		}
	}
	return dmarc
}

func open(method, domain, reason string) error {
	return status.VerdictUnavailable.Wrap("verdict", fmt.Errorf("%s=temperror for %q: %s", method, domain, reason))
}

// dmarc judges by the author's policy (RFC 9989 5.4). The word of a trusted sealer
// overrides a fail: that is the local policy which RFC 9989 and RFC 8617 7.2.1 leave to
// us, and the operator has named whom to trust. While that sealer can't be asked, nor
// can the fail refuse.
func (y *policy) dmarc(r *verify.Results) (j judgement) {
	d := r.DMARC
	if !y.reject.DMARC || r.FromVerified || y.spfMissing(r) {
		return j
	}
	switch {
	case d.Result == authres.Fail && d.Disposition == "reject":
		j.err = status.PolicyDMARC.Wrap("verdict", fmt.Errorf("dmarc=fail p=reject for %q, policy of %q: %s", d.Domain, d.PolicyDomain, d.Reason))
		if y.sealers && r.ARC.Result == authres.TempError {
			j = judgement{err: open("arc", d.Domain, r.ARC.Reason), without: j.err}
		}
	case d.Result == authres.TempError && (d.Policy == "reject" || d.Policy == ""): // "": the policy is what is open
		j.err = open("dmarc", d.Domain, d.Reason)
	}
	return j
}

// spfMissing tells whether DMARC might have passed by SPF, had it been asked: behind a
// relay of ours it is not. It might where the reverse-path's domain is one of the
// author's organization, and where nobody knows what the reverse-path was: it is null,
// so that SPF would have asked for the name that the sender gave to the relay, or a
// forwarder has rewritten it (SRS). Any other reverse-path is not aligned with the
// author, whatever SPF would have said.
func (y *policy) spfMissing(r *verify.Results) bool {
	if !y.relayed {
		return false
	}
	local, domain := strings.ToUpper(y.envelope.MailFromLocal), y.envelope.MailFromDomain
	if domain == "" || isRewritten(local) {
		return true
	}
	name, ok := dns.Domain(domain)
	organization := r.DMARC.OrganizationalDomain
	return ok && (isWithin(name, organization) || isWithin(organization, name))
}

// isRewritten tells whether a local part, in upper case, is one of the Sender Rewriting
// Scheme: SRS0=HASH=TT=DOMAIN=LOCAL or SRS1, with =, + or - after the name.
func isRewritten(local string) bool {
	rest, ok := strings.CutPrefix(local, "SRS")
	return ok && len(rest) > 1 && (rest[0] == '0' || rest[0] == '1') && strings.IndexByte("=+-", rest[1]) >= 0
}

func isWithin(domain, parent string) bool {
	return parent != "" && (domain == parent || strings.HasSuffix(domain, "."+parent))
}

// reason says, for the log, which verdict refused or deferred and of whose domain; "" for
// all other errors.
func reason(err error) string {
	var e *status.Error
	if !errors.As(err, &e) || e.Err == nil {
		return ""
	}
	switch e.Condition {
	case status.PolicyDMARC, status.PolicySPF, status.VerdictUnavailable:
		return e.Err.Error()
	}
	return ""
}

// judge says what the verdicts make of each recipient, in the order of t.recipients;
// nil when all are taken. One who waits for a verdict is decided without it when his
// hour is over.
//
// Postmaster is judged by nothing, so that who is refused may ask why (RFC 5321 4.5.1);
// but where a message has one reply, others are not taken for his sake.
func (t *transaction) judge(r *verify.Results, h *hour) []error {
	j := t.policy.message(r)
	if j.err == nil {
		return nil
	}
	waits := status.ClassOf(j.err) == status.Temporary
	each := make([]error, len(t.recipients))
	for i, recipient := range t.recipients {
		switch {
		case strings.HasPrefix(recipient, "postmaster@"):
		case waits && h.over(recipient):
			each[i] = j.without
		default:
			each[i] = j.err
		}
	}
	return each
}

// most returns the one reply for all: a temporary one, or else a refusal, or else nil.
func most(each []error) (worst error) {
	for _, err := range each {
		if status.ClassOf(err) == status.Temporary {
			return err
		}
		if worst == nil {
			worst = err
		}
	}
	return worst
}
