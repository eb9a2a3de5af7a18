package bridge

import (
	"net/netip"
	"testing"

	"mxhook/cmd/internal/config"
	"mxhook/inbound/status"
	"mxhook/verify"
	"mxhook/verify/authres"
)

// resultsWith returns what a forged message has, changed.
func resultsWith(change func(*verify.Results)) *verify.Results {
	r := &verify.Results{
		SPF: verify.SPF{Result: authres.Pass, Domain: "list.example"}, ARC: verify.ARC{Result: authres.None},
		DMARC: verify.DMARC{Result: authres.Fail, Domain: "news.bank.example", OrganizationalDomain: "bank.example",
			PolicyDomain: "bank.example", Policy: "reject", Disposition: "reject"},
	}
	change(r)
	return r
}

func TestJudgement(t *testing.T) {
	on := config.Reject{DMARC: true, SPF: true}
	direct := policy{reject: on, envelope: verify.Message{MailFromLocal: "ann", MailFromDomain: "list.example", RemoteIP: netip.MustParseAddr("192.0.2.1")}}
	sealers := direct
	sealers.sealers = true
	relayed := policy{reject: on, relayed: true, envelope: verify.Message{MailFromLocal: "ann", MailFromDomain: "list.example"}}
	from := func(y policy, local, domain string) policy {
		y.envelope.MailFromLocal, y.envelope.MailFromDomain = local, domain
		return y
	}
	same := func(*verify.Results) {}
	arcOpen := func(r *verify.Results) { r.ARC.Result = authres.TempError }
	spf := func(result authres.Result) func(*verify.Results) {
		return func(r *verify.Results) { r.SPF.Result = result }
	}
	open := func(policy string) func(*verify.Results) {
		return func(r *verify.Results) {
			r.DMARC.Result, r.DMARC.Disposition, r.DMARC.Policy = authres.TempError, "none", policy
		}
	}
	taken, refused, waits := status.Delivered, status.PolicyDMARC, status.VerdictUnavailable
	for _, c := range []struct {
		name         string
		policy       policy
		change       func(*verify.Results)
		err, without *status.Condition
	}{
		{"nothing is asked for", policy{}, same, taken, taken},
		{"reject", direct, same, refused, taken},
		{"quarantine", direct, func(r *verify.Results) { r.DMARC.Disposition = "quarantine" }, taken, taken},
		{"permerror", direct, func(r *verify.Results) { r.DMARC.Result = authres.PermError }, taken, taken},
		{"a trusted sealer vouches", sealers, func(r *verify.Results) { r.FromVerified = true }, taken, taken},
		{"a trusted sealer might vouch", sealers, arcOpen, waits, refused},
		{"a sealer is open whom nobody trusts", direct, arcOpen, refused, taken},
		{"no policy is known", direct, open(""), waits, taken},
		{"the policy is reject", direct, open("reject"), waits, taken},
		{"the policy could not refuse", direct, open("quarantine"), taken, taken},
		{"SPF fails at last", direct, spf(authres.Fail), status.PolicySPF, taken},
		{"SPF is open, and DMARC refuses", direct, spf(authres.TempError), refused, taken},
		{"SPF is open, and a sealer too", sealers, func(r *verify.Results) { arcOpen(r); spf(authres.TempError)(r) }, waits, refused},
		{"SPF fails behind a relay", relayed, func(r *verify.Results) { spf(authres.Fail)(r); r.DMARC.Result = authres.Pass }, taken, taken},
		{"behind a relay, of somebody else", relayed, same, refused, taken},
		{"behind a relay, of the organization", from(relayed, "ann", "bank.example"), same, taken, taken},
		{"behind a relay, of another part of it", from(relayed, "ann", "a.b.BANK.example."), same, taken, taken},
		{"behind a relay, null", from(relayed, "", ""), same, taken, taken},
		{"behind a relay, rewritten", from(relayed, "srs1+aB=c.example==dE=f=bank.example=ann", "list.example"), same, taken, taken},
		{"behind a relay, a name like a rewritten one", from(relayed, "SRS0x", "list.example"), same, refused, taken},
		{"behind a relay, an address literal", from(relayed, "ann", "[192.0.2.1]"), same, refused, taken},
		{"behind a relay, open and of the organization", from(relayed, "ann", "bank.example"), open(""), taken, taken},
	} {
		j := c.policy.message(resultsWith(c.change))
		if got, without := status.ConditionOf(j.err), status.ConditionOf(j.without); got != c.err || without != c.without {
			t.Errorf("%s: %s, without the verdict %s; want %s, %s", c.name, got.Name(), without.Name(), c.err.Name(), c.without.Name())
		}
	}
}
