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
		},
		ARC: arcResult{
			Result:      resultOf(r.ARC.Result),
			ChainLength: r.ARC.ChainLength,
			Sealers:     list(r.ARC.Sealers),
			Trusted:     r.ARC.Trusted,
			Reason:      r.ARC.Reason,
		},
		IPRev:          iprevResult{Result: resultOf(r.IPRev.Result), Name: r.IPRev.Name},
		FromVerified:   r.FromVerified,
		FromVerifiedBy: r.FromVerifiedBy,
		Header:         r.Header,
	}
	for _, s := range r.DKIM {
		a.DKIM = append(a.DKIM, dkimResult{
			Result:    resultOf(s.Result),
			Domain:    s.Domain,
			Selector:  s.Selector,
			Algorithm: s.Algorithm,
			Aligned:   s.Aligned,
			Reason:    s.Reason,
		})
	}
	return a
}

func spfOf(s verify.SPF) spfResult {
	return spfResult{Result: resultOf(s.Result), Domain: s.Domain, Reason: s.Reason}
}

// resultOf says none for a method that wasn't run.
func resultOf(r authres.Result) string { return or(string(r), string(authres.None)) }
