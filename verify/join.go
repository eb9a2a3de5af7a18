package verify

import (
	"errors"

	"mxhook/verify/authres"
	"mxhook/verify/dkim"
	"mxhook/verify/dmarc"
	"mxhook/verify/spf"
	"mxhook/verify/why"
)

// join makes the results of what the methods found.
func (r *run) join(results *Results) {
	results.SPF, results.SPFHelo = identity(r.spf), identity(r.helo)
	results.IPRev, results.HELO = r.iprev, r.name
	results.DKIM = []DKIM{}
	for _, s := range r.dkim {
		results.DKIM = append(results.DKIM, DKIM{
			Result: s.Result, Domain: s.Domain, Selector: s.Selector, Algorithm: s.Algorithm, Reason: s.Reason,
			Identity: s.Identity, KeyBits: s.KeyBits, Oversigned: s.Oversigned, Unsigned: s.Unsigned,
			Testing: s.Testing, Signed: s.Signed, Expires: s.Expires, DNSSEC: s.DNSSEC,
		})
	}
	results.DMARC = r.evaluateDMARC(results)
	if results.DMARC.Result == authres.Pass {
		results.FromVerified = true
		results.FromVerifiedBy = "spf"
		if results.DMARC.DKIMAligned {
			results.FromVerifiedBy = "dkim"
		}
	}
}

// identity is what SPF says of one identity.
func identity(e spf.Evaluation) SPF {
	return SPF{Result: e.Result, Domain: e.Domain, Reason: e.Reason, Mechanism: e.Term, Explanation: e.Explanation, DNSSEC: e.DNSSEC}
}

// evaluateDMARC joins the author's policy with what SPF and DKIM authenticated, and
// marks the signatures that passed and are aligned.
func (r *run) evaluateDMARC(results *Results) DMARC {
	d := DMARC{Domain: r.from, OrganizationalDomain: r.from, Disposition: dmarc.None}
	switch {
	case errors.Is(r.readErr, dkim.ErrHeaderTooLarge):
		d.Result, d.Reason = authres.PermError, "the header section is too large"
	case r.readErr != nil:
		d.Result, d.Reason = authres.TempError, "the message could not be read"
	case r.from == "":
		d.Result, d.Reason = authres.PermError, r.noFrom
	case r.policyErr != nil || r.policy == nil:
		d.Result, d.Reason = authres.TempError, "a name server does not answer"
	default:
		r.applyPolicy(results, &d)
	}
	why.Say(r.inDMARC, "result: %s%s", d.Result, because(d.Reason))
	if d.Result == authres.Fail {
		why.Say(r.inDMARC, "the owner of the policy asks for: %s. Who sends as %s must sign with its domain, or send from a domain of it that SPF passes for", d.Disposition, d.Domain)
	}
	return d
}

func (r *run) applyPolicy(results *Results, d *DMARC) {
	p := r.policy
	d.OrganizationalDomain, d.PolicyDomain, d.Policy, d.Reason = p.Organizational, p.Domain, p.Applied, p.Reason
	if p.Record != nil {
		d.AggregateReports, d.FailureReports, d.Testing = p.Record.Aggregate, p.Record.Failure, p.Record.Testing
		d.DNSSEC = r.vouched
	}
	// Open is what may pass and be aligned when its question is asked again.
	open := false
	weigh := func(result authres.Result, aligned bool, err error) bool {
		open = open || err != nil || aligned && result == authres.TempError
		return err == nil && aligned && result == authres.Pass
	}
	// What neither passed nor may pass can't authenticate anything, but could use up the
	// message's questions.
	if result := results.SPF.Result; result == authres.Pass || result == authres.TempError {
		why.Say(r.inDMARC, "SPF (MAIL FROM) is %s for %s:", result, results.SPF.Domain)
		aligned, err := p.SPFAligned(why.Within(r.inDMARC), r.resolver, results.SPF.Domain)
		d.SPFAligned = weigh(result, aligned, err)
	} else {
		why.Say(r.inDMARC, "SPF (MAIL FROM) is %s%s: it authenticates nothing", result, because(results.SPF.Reason))
	}
	for i := range results.DKIM {
		s := &results.DKIM[i]
		switch {
		case r.dkim[i].Testing:
			// It counts for no more than no signature (RFC 6376 3.6.1).
			why.Say(r.inDMARC, "the signature of %s is not looked at: its key is in testing mode", s.Domain)
		case s.Result == authres.Pass || s.Result == authres.TempError:
			why.Say(r.inDMARC, "the signature of %s is %s:", s.Domain, s.Result)
			aligned, err := p.DKIMAligned(why.Within(r.inDMARC), r.resolver, s.Domain)
			s.Aligned = weigh(s.Result, aligned, err)
			d.DKIMAligned = d.DKIMAligned || s.Aligned
		default:
			why.Say(r.inDMARC, "the signature of %s is %s%s: it authenticates nothing", s.Domain, s.Result, because(s.Reason))
		}
	}
	d.Result, d.Disposition = p.Evaluate(d.SPFAligned || d.DKIMAligned, open)
	switch {
	case d.Reason != "":
	case d.Result == authres.None:
		d.Reason = reasonNoPolicy
	case d.Result == authres.Fail && r.message.unasked() != "":
		d.Reason = "DKIM did not pass for a domain aligned with the author's, and SPF was not asked: " + r.message.unasked()
	case d.Result == authres.Fail:
		d.Reason = "neither SPF nor DKIM passed for a domain aligned with the author's"
	case d.Result == authres.TempError:
		d.Reason = "a name server does not answer"
	}
}

const reasonNoPolicy = "no policy is published"

func because(reason string) string {
	if reason == "" {
		return ""
	}
	return " (" + reason + ")"
}
