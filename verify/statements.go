package verify

import (
	"fmt"
	"strings"

	"mxhook/verify/authres"
	"mxhook/verify/dkim"
	"mxhook/verify/dns"
)

// maxStatements is how many signatures the Authentication-Results field tells.
const maxStatements = dkim.MaxVerified

func property(ptype, name, value string) authres.Property {
	return authres.Property{Type: ptype, Name: name, Value: value}
}

// statements says the results in the words of RFC 8601.
func (r *run) statements(results *Results) []authres.Statement {
	mailfrom := property("smtp", "mailfrom", r.shownSender())
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
	list = append(list, r.signatureStatements(results.DKIM)...)
	list = append(list, r.dmarcStatement(results.DMARC))
	address := ""
	if r.message.RemoteIP.IsValid() && r.message.unasked() == "" {
		address = r.message.RemoteIP.String()
	}
	iprev := authres.Statement{
		Method: authres.MethodIPRev, Result: results.IPRev.Result, Comment: results.IPRev.Name, Reason: results.IPRev.Reason,
		Properties: []authres.Property{property("policy", "iprev", address)},
	}
	if iprev.Result == authres.Pass {
		iprev.Reason = "" // the name says it
	}
	return append(list, r.arcStatement(results.ARC, address), iprev)
}

// signatureStatements are those of DKIM: the first ones of the message.
func (r *run) signatureStatements(signatures []DKIM) []authres.Statement {
	if len(signatures) == 0 {
		return []authres.Statement{{Method: authres.MethodDKIM, Result: authres.None}}
	}
	signatures = signatures[:min(len(signatures), maxStatements)]
	var values []string
	for i := range signatures {
		values = append(values, r.dkim[i].Value)
	}
	values = prefixes(values)
	var list []authres.Statement
	for i, s := range signatures {
		size := ""
		if s.KeyBits > 0 {
			size = fmt.Sprintf("%d-bit key", s.KeyBits)
		}
		list = append(list, authres.Statement{
			Method: authres.MethodDKIM, Result: s.Result, Comment: size, Reason: s.Reason,
			Properties: []authres.Property{
				property("header", "d", s.Domain), property("header", "i", s.Identity), property("header", "s", s.Selector),
				property("header", "a", s.Algorithm), property("header", "b", values[i]),
			},
		})
	}
	return list
}

// prefixes shortens the values of signatures to what tells them apart, eight characters
// at least (RFC 6008 3 and 4).
func prefixes(values []string) []string {
	short := make([]string, len(values))
	for n := 8; ; n += 4 {
		same, longer := false, false
		for i, v := range values {
			short[i] = v[:min(len(v), n)]
			longer = longer || len(v) > n
			for j := range i {
				same = same || short[i] == short[j] && values[i] != values[j]
			}
		}
		if !same || !longer {
			return short
		}
	}
}

// dmarcStatement has in its comment what the record asks for and what came of it, as
// large providers write it.
func (r *run) dmarcStatement(d DMARC) authres.Statement {
	s := authres.Statement{
		Method: authres.MethodDMARC, Result: d.Result, Reason: d.Reason,
		Properties: []authres.Property{property("header", "from", d.Domain), property("policy", "dmarc", d.Policy)},
	}
	if r.policy == nil || r.policy.Record == nil || d.PolicyDomain == "" {
		return s
	}
	record := r.policy.Record
	words := []string{"p=" + record.Policy}
	if record.Subdomain != record.Policy {
		words = append(words, "sp="+record.Subdomain)
	}
	if record.NonExistent != record.Subdomain {
		words = append(words, "np="+record.NonExistent)
	}
	if record.Testing {
		words = append(words, "t=y")
	}
	s.Comment = strings.Join(append(words, "dis="+d.Disposition), " ")
	return s
}

// sender is the reverse-path as it is shown; "" for the null one.
func (r *run) sender() string {
	if r.message.MailFromDomain == "" {
		return ""
	}
	return localPart(r.message.MailFromLocal) + "@" + r.message.MailFromDomain
}

// shownSender is the sender in Authentication-Results, with the domain in A-labels. A
// local part that wants quotes, or is not ASCII, is left out, as RFC 8601 2.7.2 allows:
// many a reader knows neither.
func (r *run) shownSender() string {
	domain, local := r.message.MailFromDomain, r.message.MailFromLocal
	if name, ok := dns.Domain(domain); ok {
		domain = name
	}
	if domain != "" && plainLocal(local) && isASCII(local) {
		return local + "@" + domain
	}
	return domain
}

// localPart writes a local part with the quotes that it needs (RFC 5321 4.1.2).
func localPart(local string) string {
	if plainLocal(local) {
		return local
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(local) + `"`
}

func plainLocal(local string) bool {
	return local != "" && !strings.Contains("."+local+".", "..") && !strings.ContainsAny(local, " \t()<>[]:;@\\,\"")
}
