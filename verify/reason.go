package verify

import (
	"errors"
	"fmt"
	"strings"

	"mxhook/verify/authres"
	"mxhook/verify/dkim"
	"mxhook/verify/why"
)

// explain says why FromVerified is what it is: what proves it, or which of the
// requirements is not met.
func (r *run) explain(results *Results) {
	results.FromVerifiedReason = r.fromReason(results)
	if !why.On(r.inFrom) {
		return
	}
	d, a := results.DMARC, results.ARC
	if r.from != "" {
		why.Say(r.inFrom, "the message has one author, of %s", r.from)
		why.Say(r.inFrom, "DMARC of that domain is %s%s", d.Result, because(d.Reason))
	}
	if d.Result != authres.Pass && r.from != "" {
		why.Say(r.inFrom, "%s", sealed(a))
	}
	verdict := "not verified"
	if results.FromVerified {
		verdict = "verified, by " + results.FromVerifiedBy
	}
	why.Say(r.inFrom, "%s: %s", verdict, results.FromVerifiedReason)
}

// sealed says what ARC has to add where DMARC proves nothing.
func sealed(a ARC) string {
	switch {
	case a.Result == authres.None:
		return "there is no ARC chain in which somebody trusted could vouch for the author instead"
	case a.Trusted:
		return "the ARC chain passes, and its newest sealer is trusted" + because(a.Reason)
	case a.Result == authres.Pass:
		return "the ARC chain passes, but its newest sealer is not trusted (verify.trusted_arc_sealers)"
	}
	return "the ARC chain is " + string(a.Result) + because(a.Reason)
}

func (r *run) fromReason(results *Results) string {
	d := results.DMARC
	switch {
	case results.FromVerifiedBy == "arc":
		return fmt.Sprintf("a trusted sealer says dmarc=pass for %s, in a chain that passes", r.from)
	case results.FromVerified:
		return fmt.Sprintf("DMARC passes for %s by %s", r.from, strings.ToUpper(results.FromVerifiedBy))
	case errors.Is(r.readErr, dkim.ErrHeaderTooLarge):
		return "the header section is too large to look for the author"
	case r.readErr != nil:
		return "the message could not be read"
	case r.from == "":
		return "the message has no author's domain to prove: " + r.noFrom
	case d.Result == authres.None && d.Reason == reasonNoPolicy:
		return r.from + " publishes no DMARC policy" + r.noSealer(results)
	case d.Result == authres.Fail:
		return "DMARC fails for " + r.from + ": " + r.lacks(results) + r.noSealer(results)
	}
	return fmt.Sprintf("DMARC is %s for %s: %s%s", d.Result, r.from, d.Reason, r.noSealer(results))
}

// lacks says of SPF and DKIM why neither makes DMARC pass.
func (r *run) lacks(results *Results) string {
	spf := "SPF is " + string(results.SPF.Result)
	switch reason := r.message.unasked(); {
	case reason != "":
		spf = "SPF was not asked (" + reason + ")"
	case results.SPF.Result == authres.Pass:
		spf = "SPF passes for " + results.SPF.Domain + ", which is not aligned"
	}
	return spf + ", and " + r.lacksDKIM(results.DKIM)
}

func (r *run) lacksDKIM(signatures []DKIM) string {
	if len(signatures) == 0 {
		return "there is no DKIM signature"
	}
	for i, s := range signatures {
		switch passed := s.Result == authres.Pass; {
		case passed && r.dkim[i].Testing:
			return "the DKIM key of " + s.Domain + " is in testing mode"
		case passed:
			return "DKIM passes for " + s.Domain + ", which is not aligned"
		}
	}
	s := signatures[0]
	if s.Domain == "" {
		return "no DKIM signature passes: " + s.Reason
	}
	return fmt.Sprintf("no DKIM signature passes: that of %s is %s, %s", s.Domain, s.Result, s.Reason)
}

// noSealer says why the chain, where there is one, does not help.
func (r *run) noSealer(results *Results) string {
	switch a := results.ARC; {
	case a.Result == authres.None:
		return ""
	case a.Result != authres.Pass:
		return "; the ARC chain does not pass"
	case !a.Trusted:
		return "; nobody trusted seals the ARC chain"
	}
	return "; no trusted sealer says dmarc=pass"
}
