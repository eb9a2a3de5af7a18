package verify

import (
	"fmt"
	"strings"

	"mxhook/verify/authres"
	"mxhook/verify/why"
)

// conclude puts each method's result behind the title of its section.
func (r *run) conclude(results *Results) {
	if !why.On(r.parent) {
		return
	}
	why.Conclude(r.inSPF, about(results.SPF.Result, results.SPF.Domain))
	why.Conclude(r.inSPFHelo, about(results.SPFHelo.Result, results.SPFHelo.Domain))
	why.Conclude(r.inDKIM, concludeDKIM(results.DKIM))
	why.Conclude(r.inDMARC, about(results.DMARC.Result, results.DMARC.Domain))
	why.Conclude(r.inARC, string(results.ARC.Result))
	why.Conclude(r.inIPRev, about(results.IPRev.Result, results.IPRev.Name))
	why.Conclude(r.inHELO, about(results.HELO.Result, results.HELO.Name))
	verified := "no"
	if results.FromVerified {
		verified = "yes, by " + results.FromVerifiedBy
	}
	why.Conclude(r.inFrom, verified)
	if results.SPF.Result == authres.TempError && results.IPRev.Result == authres.TempError && results.DMARC.Result == authres.TempError {
		why.Say(r.inFrom, "no method got its answers, about names of different owners: the fault is likely here. Try the resolver from this host, and see verify.resolver and /etc/resolv.conf")
	}
}

func about(result authres.Result, name string) string {
	if name == "" {
		return string(result)
	}
	return string(result) + " for " + name
}

func concludeDKIM(signatures []DKIM) string {
	if len(signatures) == 0 {
		return string(authres.None)
	}
	var list []string
	for i, s := range signatures {
		if i == 3 && len(signatures) > 4 {
			return strings.Join(list, ", ") + fmt.Sprintf(" and %d more", len(signatures)-i)
		}
		list = append(list, about(s.Result, s.Domain))
	}
	return strings.Join(list, ", ")
}
