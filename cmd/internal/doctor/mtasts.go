package doctor

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"mxhook/verify/dns"
)

// whyMTASTS is why a domain has MTA-STS.
const whyMTASTS = "without MTA-STS or DANE somebody between a sender and us can have the mail sent in clear, or to themselves"

// mtaSTS checks the record, the policy and whether our hosts keep it.
func (d *doctor) mtaSTS(ctx context.Context, f *findings, name string, hosts []exchanger) {
	texts, err := d.Resolver.LookupTXT(ctx, "_mta-sts."+name)
	if err != nil && !dns.IsNotFound(err) {
		f.unknown("mta_sts", err, whyMTASTS)
		return
	}
	records := slices.DeleteFunc(texts, func(s string) bool { return !strings.HasPrefix(s, "v=STSv1") })
	switch {
	case len(texts) == 0:
		f.add(Info, "mta_sts", "no MTA-STS policy is published", whyMTASTS, d.firstPolicy(name, hosts))
		return
	case len(records) == 0:
		f.add(Error, "mta_sts", fmt.Sprintf("the TXT record of _mta-sts.%s is no MTA-STS record: %s", name, quoted(texts[0])),
			"senders see no policy", "publish in its place: "+d.idToPublish(name))
		return
	case len(records) > 1:
		f.add(Error, "mta_sts", fmt.Sprintf("_mta-sts.%s has %d MTA-STS records", name, len(records)),
			"with more than one senders see no policy (RFC 8461 3.1)", "remove all but one")
		return
	}
	id, why := stsRecord(records[0])
	if why != "" {
		f.add(Error, "mta_sts", fmt.Sprintf("the record %s is malformed: %s", quoted(records[0]), why), "senders see no policy", "publish in its place: "+d.idToPublish(name))
		return
	}
	p, ok := d.fetchedPolicy(ctx, f, name, hosts)
	if ok {
		d.keepsPolicy(f, name, id, p, hosts)
	}
}

// fetchedPolicy fetches and reads the policy of a domain.
func (d *doctor) fetchedPolicy(ctx context.Context, f *findings, name string, hosts []exchanger) (policy, bool) {
	body, problem := d.fetch(ctx, f, name)
	if problem != nil {
		if problem.unknown {
			f.unknown("mta_sts", problem, "the record promises a policy")
			return policy{}, false
		}
		f.add(Error, "mta_sts", "the policy can't be used: "+problem.found, "the record promises a policy; senders that can't fetch it go without one, or by an old one until its max_age is over",
			d.policyCure(name, problem, hosts))
		return policy{}, false
	}
	p, err := parsePolicy(body)
	if err != nil {
		f.add(Error, "mta_sts", fmt.Sprintf("the policy is malformed: %v", err), "senders see no policy", d.changedPolicy(name, p, hosts))
		return policy{}, false
	}
	return p, true
}

// policyCure says what mends the way to a policy. The file is a part of it only where
// there is none: one that can't be seen may well be right, and be more than ours.
func (d *doctor) policyCure(name string, p *problem, hosts []exchanger) string {
	fix := p.fix
	if p.noHost {
		fix += ": " + hostToPublish(name)
	}
	if p.noFile {
		fix += "; if there is none yet, " + d.fileToServe(name, d.newPolicy(hosts))
	}
	return fix
}

// keepsPolicy tells whether the hosts of the MX records, and our certificates, are what
// the policy promises.
func (d *doctor) keepsPolicy(f *findings, name, id string, p policy, hosts []exchanger) {
	severity, then := Error, "senders that heed the policy don't deliver"
	if p.mode == "testing" {
		severity, then = Warning, "with mode: enforce senders would not deliver"
	}
	var missed []string
	ours, judged := false, false
	for _, h := range hosts {
		if h.aside {
			continue
		}
		judged = true
		if !p.takes(h.host) {
			missed = append(missed, h.host)
		} else {
			ours = ours || h.ours || !d.public
		}
	}
	fit := "; the MX records fit"
	if !judged {
		fit = "" // an error tells what is wrong with them
	}
	flaw, cure := d.tlsFlaw()
	switch {
	case p.mode == "none":
		f.add(Info, "mta_sts", "the policy is switched off (mode: none)", "", "")
	case len(missed) > 0 && !ours:
		f.add(severity, "mta_sts", fmt.Sprintf("the policy names %s and not %s, the host of the MX record", list(p.mx, quoted), list(missed, text)), then,
			"add the host to the policy: "+d.changedPolicy(name, p, hosts))
	case len(missed) > 0:
		f.add(Warning, "mta_sts", fmt.Sprintf("the policy does not name %s, a host of an MX record", list(missed, text)), "senders that heed the policy pass that host over",
			"remove its MX record, or add it to the policy: "+d.changedPolicy(name, p, hosts))
	case judged && flaw != "":
		f.add(severity, "mta_sts", "the policy wants "+flaw, then, cure)
	case p.maxAge < soonAge:
		f.add(Warning, "mta_sts", fmt.Sprintf("mode %s, id %s, max_age %d", p.mode, id, p.maxAge), "senders forget a policy after max_age seconds, and between two looks there is none",
			"max_age: 604800 is usual, once mode is enforce")
	case p.mode == "testing":
		f.add(Info, "mta_sts", fmt.Sprintf("mode testing, id %s, max_age %d%s", id, p.maxAge, fit), "mode: testing only has failures reported (TLS-RPT); mode: enforce protects", "")
	default:
		f.ok("mta_sts", "mode %s, id %s, max_age %d%s", p.mode, id, p.maxAge, fit)
	}
}

// tlsRPT checks where a domain wants reports of failed TLS (RFC 8460 3).
func (d *doctor) tlsRPT(ctx context.Context, f *findings, name string) {
	const why = "with it the large senders report each day where TLS to your server failed"
	fix := fmt.Sprintf("publish: _smtp._tls.%[1]s. 3600 IN TXT \"v=TLSRPTv1; rua=mailto:tls-reports@%[1]s\"", name)
	texts, err := d.Resolver.LookupTXT(ctx, "_smtp._tls."+name)
	if err != nil && !dns.IsNotFound(err) {
		f.unknown("tls_rpt", err, why)
		return
	}
	records := slices.DeleteFunc(texts, func(s string) bool { return !strings.HasPrefix(s, "v=TLSRPTv1") })
	switch {
	case len(texts) == 0:
		f.add(Info, "tls_rpt", "no address for TLS reports is published", why, fix)
	case len(records) == 0:
		f.add(Error, "tls_rpt", fmt.Sprintf("the TXT record of _smtp._tls.%s is no TLS-RPT record: %s", name, quoted(texts[0])), "nobody sends reports", fix)
	case len(records) > 1:
		f.add(Error, "tls_rpt", fmt.Sprintf("_smtp._tls.%s has %d TLS-RPT records", name, len(records)), "with more than one nobody sends reports", "remove all but one")
	default:
		rua, why := reportAddresses(records[0])
		if why != "" {
			f.add(Error, "tls_rpt", fmt.Sprintf("the record %s is malformed: %s", quoted(records[0]), why), "nobody sends reports", fix)
			return
		}
		f.ok("tls_rpt", "reports go to %s", list(rua, quoted))
	}
}

// reportAddresses reads a TLS-RPT record; why says what is wrong with it.
func reportAddresses(text string) (rua []string, why string) {
	for i, field := range strings.Split(text, ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(field), "=")
		switch {
		case i == 0 && strings.TrimSpace(field) != "v=TLSRPTv1":
			return nil, "it must begin with v=TLSRPTv1;"
		case name == "rua":
			for uri := range strings.SplitSeq(value, ",") {
				uri = strings.TrimSpace(uri)
				if !strings.HasPrefix(uri, "mailto:") && !strings.HasPrefix(uri, "https://") || strings.HasPrefix(uri, "mailto:") && !strings.Contains(uri, "@") {
					return nil, "rua must be a list of mailto:ADDRESS or https:// URIs"
				}
				rua = append(rua, uri)
			}
		}
	}
	if len(rua) == 0 {
		return nil, "rua is missing"
	}
	return rua, ""
}

// dated is what a server said of the time.
type dated struct {
	host string
	ours time.Time // when its answer came
	date time.Time
}
