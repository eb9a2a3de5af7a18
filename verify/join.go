package verify

import (
	"errors"
	"fmt"
	"strings"

	"mxhook/verify/authres"
	"mxhook/verify/dkim"
	"mxhook/verify/dmarc"
)

// join makes the results of what the methods found.
func (r *run) join(results *Results) {
	results.SPF = SPF{Result: r.spf.Result, Domain: r.spf.Domain, Reason: r.spf.Reason}
	results.SPFHelo = SPF{Result: r.helo.Result, Domain: r.helo.Domain, Reason: r.helo.Reason}
	results.IPRev, results.HELO = r.iprev, r.name
	results.DKIM = []DKIM{}
	for _, s := range r.dkim {
		results.DKIM = append(results.DKIM, DKIM{
			Result: s.Result, Domain: s.Domain, Selector: s.Selector, Algorithm: s.Algorithm, Reason: s.Reason,
			Identity: s.Identity, KeyBits: s.KeyBits, Oversigned: s.Oversigned, Unsigned: s.Unsigned,
			Testing: s.Testing, Signed: s.Signed, Expires: s.Expires,
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

// evaluateDMARC joins the author's policy with what SPF and DKIM authenticated, and
// marks the signatures that passed and are aligned.
func (r *run) evaluateDMARC(results *Results) DMARC {
	d := DMARC{Domain: r.from, OrganizationalDomain: r.from, Disposition: dmarc.None}
	switch {
	case errors.Is(r.readErr, dkim.ErrHeaderTooLarge):
		d.Result, d.Reason = authres.PermError, "the header section is too large"
		return d
	case r.readErr != nil:
		d.Result, d.Reason = authres.TempError, "the message could not be read"
		return d
	case r.from == "":
		d.Result, d.Reason = authres.PermError, r.noFrom
		return d
	case r.policyErr != nil || r.policy == nil:
		d.Result, d.Reason = authres.TempError, "a name server does not answer"
		return d
	}
	p := r.policy
	d.OrganizationalDomain, d.PolicyDomain, d.Policy, d.Reason = p.Organizational, p.Domain, p.Applied, p.Reason
	// Open is what may pass and be aligned when its question is asked again.
	open := false
	weigh := func(result authres.Result, aligned bool, err error) bool {
		if err != nil {
			open = open || result == authres.Pass || result == authres.TempError
			return false
		}
		open = open || aligned && result == authres.TempError
		return aligned && result == authres.Pass
	}
	if results.SPF.Result == authres.Pass || results.SPF.Result == authres.TempError {
		aligned, err := p.SPFAligned(r.inDMARC, r.resolver, results.SPF.Domain)
		d.SPFAligned = weigh(results.SPF.Result, aligned, err)
	}
	// Those that were not verified can't authenticate anything, but could use up the
	// message's questions.
	for i := range results.DKIM[:min(len(results.DKIM), dkim.MaxVerified)] {
		s := &results.DKIM[i]
		if r.dkim[i].Testing {
			continue // it counts for no more than no signature (RFC 6376 3.6.1)
		}
		aligned, err := p.DKIMAligned(r.inDMARC, r.resolver, s.Domain)
		s.Aligned = weigh(s.Result, aligned, err)
		d.DKIMAligned = d.DKIMAligned || s.Aligned
	}
	d.Result, d.Disposition = p.Evaluate(d.SPFAligned || d.DKIMAligned, open)
	switch {
	case d.Reason != "":
	case d.Result == authres.None:
		d.Reason = "no policy is published"
	case d.Result == authres.Fail && r.message.unasked() != "":
		d.Reason = "DKIM did not pass for a domain aligned with the author's, and SPF was not asked: " + r.message.unasked()
	case d.Result == authres.Fail:
		d.Reason = "neither SPF nor DKIM passed for a domain aligned with the author's"
	case d.Result == authres.TempError:
		d.Reason = "a name server does not answer"
	}
	return d
}

// maxStatements is how many signatures the Authentication-Results field tells.
const maxStatements = dkim.MaxVerified

// statements says the results in the words of RFC 8601.
func (r *run) statements(results *Results) []authres.Statement {
	property := func(t, name, value string) authres.Property {
		return authres.Property{Type: t, Name: name, Value: value}
	}
	mailfrom := property("smtp", "mailfrom", r.sender())
	if mailfrom.Value == "" {
		mailfrom = property("smtp", "helo", results.SPF.Domain)
	}
	list := []authres.Statement{{
		Method: authres.MethodSPF, Result: results.SPF.Result, Reason: results.SPF.Reason,
		Properties: []authres.Property{mailfrom},
	}}
	if r.sender() != "" {
		list = append(list, authres.Statement{
			Method: authres.MethodSPF, Result: results.SPFHelo.Result, Reason: results.SPFHelo.Reason,
			Properties: []authres.Property{property("smtp", "helo", results.SPFHelo.Domain)},
		})
	}
	for _, s := range results.DKIM[:min(len(results.DKIM), maxStatements)] {
		list = append(list, authres.Statement{
			Method: authres.MethodDKIM, Result: s.Result, Reason: s.Reason,
			Properties: []authres.Property{
				property("header", "d", s.Domain), property("header", "s", s.Selector), property("header", "a", s.Algorithm),
			},
		})
	}
	if len(results.DKIM) == 0 {
		list = append(list, authres.Statement{Method: authres.MethodDKIM, Result: authres.None})
	}
	d := results.DMARC
	dmarcComment := ""
	if d.Policy != "" {
		dmarcComment = fmt.Sprintf("p=%s dis=%s", d.Policy, d.Disposition)
	}
	list = append(list, authres.Statement{
		Method: authres.MethodDMARC, Result: d.Result, Comment: dmarcComment, Reason: d.Reason,
		Properties: []authres.Property{property("header", "from", d.Domain)},
	})
	address := ""
	if r.message.RemoteIP.IsValid() && r.message.unasked() == "" {
		address = r.message.RemoteIP.String()
	}
	return append(list,
		r.arcStatement(results.ARC, address),
		authres.Statement{
			Method: authres.MethodIPRev, Result: results.IPRev.Result,
			Properties: []authres.Property{property("policy", "iprev", address)},
		})
}

// localPart writes a local part with the quotes that it needs (RFC 5321 4.1.2).
func localPart(local string) string {
	if local != "" && !strings.Contains("."+local+".", "..") && !strings.ContainsAny(local, " \t()<>[]:;@\\,\"") {
		return local
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(local) + `"`
}
