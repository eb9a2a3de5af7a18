package payload

import (
	"mxhook/verify"
	"mxhook/verify/authres"
)

func authenticationOf(r *verify.Results) authentication {
	a := authentication{
		SPF:     spfOf(r.SPF),
		SPFHelo: spfOf(r.SPFHelo),
		DKIM:    make([]dkimResult, 0, len(r.DKIM)),
		DMARC: dmarcResult{
			Result:               resultOf(r.DMARC.Result),
			Domain:               r.DMARC.Domain,
			PolicyDomain:         r.DMARC.PolicyDomain,
			OrganizationalDomain: r.DMARC.OrganizationalDomain,
			Policy:               r.DMARC.Policy,
			Disposition:          or(r.DMARC.Disposition, "none"),
			SPFAligned:           r.DMARC.SPFAligned,
			DKIMAligned:          r.DMARC.DKIMAligned,
			Reason:               r.DMARC.Reason,
			AggregateReports:     list(r.DMARC.AggregateReports),
			FailureReports:       list(r.DMARC.FailureReports),
			Testing:              r.DMARC.Testing,
			DNSSEC:               r.DMARC.DNSSEC,
		},
		ARC: arcResult{
			Result:      resultOf(r.ARC.Result),
			ChainLength: r.ARC.ChainLength,
			Sealers:     list(r.ARC.Sealers),
			Trusted:     r.ARC.Trusted,
			Reason:      r.ARC.Reason,
		},
		IPRev:              iprevResult{Result: resultOf(r.IPRev.Result), Name: r.IPRev.Name, Reason: r.IPRev.Reason},
		HELO:               heloResult{Result: resultOf(r.HELO.Result), Name: r.HELO.Name, Reason: r.HELO.Reason},
		FromVerified:       r.FromVerified,
		FromVerifiedBy:     r.FromVerifiedBy,
		FromVerifiedReason: r.FromVerifiedReason,
		Header:             r.Header,
	}
	for _, s := range r.DKIM {
		a.DKIM = append(a.DKIM, dkimResult{
			Result:     resultOf(s.Result),
			Domain:     s.Domain,
			Selector:   s.Selector,
			Algorithm:  s.Algorithm,
			Aligned:    s.Aligned,
			Reason:     s.Reason,
			Identity:   s.Identity,
			KeyBits:    s.KeyBits,
			Oversigned: list(s.Oversigned),
			Unsigned:   s.Unsigned,
			Testing:    s.Testing,
			SignedAt:   dateOf(s.Signed),
			ExpiresAt:  dateOf(s.Expires),
			DNSSEC:     s.DNSSEC,
		})
	}
	return a
}

func spfOf(s verify.SPF) spfResult {
	return spfResult{
		Result: resultOf(s.Result), Domain: s.Domain, Reason: s.Reason,
		Mechanism: s.Mechanism, Explanation: s.Explanation, DNSSEC: s.DNSSEC,
	}
}

// resultOf says none for a method that wasn't run.
func resultOf(r authres.Result) string { return or(string(r), string(authres.None)) }
