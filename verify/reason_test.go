package verify_test

import (
	"context"
	"regexp"
	"strings"
	"testing"

	"mxhook/verify"
	"mxhook/verify/why"
)

func TestFromVerifiedHasItsReason(t *testing.T) {
	for want, c := range map[string]struct {
		change   func(*verify.Message)
		content  string
		servfail string
	}{
		"DMARC passes for sender.example by DKIM": {content: signed(t)},
		"DMARC passes for sender.example by SPF":  {content: plain},
		"DMARC fails for sender.example: SPF passes for bulk.example, which is not aligned, and there is no DKIM signature": {
			content: plain, change: func(m *verify.Message) { m.MailFromDomain = "bulk.example" }},
		"DMARC fails for sender.example: SPF is none, and no DKIM signature passes: that of sender.example is fail, the body was changed": {
			content: signed(t) + "more\r\n", change: func(m *verify.Message) { m.MailFromDomain = "nowhere.example" }},
		"DMARC fails for bank.example: SPF passes for sender.example, which is not aligned, and DKIM passes for sender.example, which is not aligned": {
			content: sign(t, strings.Replace(plain, "ann@sender.example", "ann@bank.example", 1), relaxed("sender.example", "ed", edKey()))},
		"DMARC fails for sender.example: SPF was not asked (behind a relay), and there is no DKIM signature": {
			content: plain, change: func(m *verify.Message) { m.BehindRelay = true }},
		"free.example publishes no DMARC policy":                                {content: strings.Replace(plain, "@sender.example>\r\nTo", "@free.example>\r\nTo", 1)},
		"the message has no author's domain to prove: more than one From field": {content: "From: a@b.example\r\n" + plain},
		"the message has no author's domain to prove: no From field":            {content: "To: a@b.example\r\n\r\n"},
		"DMARC is temperror for sender.example: a name server does not answer":  {content: plain, servfail: "_dmarc.sender.example"},
		"DMARC is none for odd.example: the record has no usable policy":        {content: strings.Replace(plain, "@sender.example>\r\nTo", "@odd.example>\r\nTo", 1)},
		"DMARC fails for sender.example: SPF is none, and there is no DKIM signature; nobody trusted seals the ARC chain": {
			content: sealed("list.example").Seal(plain), change: func(m *verify.Message) { m.MailFromDomain = "nowhere.example" }},
		"DMARC fails for sender.example: SPF is none, and there is no DKIM signature; the ARC chain does not pass": {
			content: sealed("list.example").Seal(plain) + "x", change: func(m *verify.Message) { m.MailFromDomain = "nowhere.example" }},
	} {
		z := zone(t, sealers(t)+`
bulk.example TXT "v=spf1 ip4:192.0.2.1 -all"
_dmarc.bank.example TXT "v=DMARC1; p=reject"
_dmarc.odd.example TXT "v=DMARC1; p=x"
`)
		if c.servfail != "" {
			z.ServFail(c.servfail)
		}
		m := message(c.content)
		if c.change != nil {
			c.change(&m)
		}
		r := run(t, z, m)
		if r.FromVerifiedReason != want || r.FromVerified != strings.HasPrefix(want, "DMARC passes") {
			t.Errorf("%v, %q\nwant %q", r.FromVerified, r.FromVerifiedReason, want)
		}
	}
}

// sectionsOf runs a verification with somebody who listens.
func sectionsOf(t *testing.T, extra string, m verify.Message) string {
	t.Helper()
	notes := why.New()
	verify.New(verify.Config{Resolver: zone(t, extra), AuthservID: "mx.in.example"}).Verify(why.With(context.Background(), notes), m)
	var b strings.Builder
	if _, err := notes.WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestTheReasoningHasASectionForEachMethodInOrder(t *testing.T) {
	m := message(sealed("list.example").Seal(signed(t)) + "changed\r\n")
	m.HELO = "other.example"
	text := sectionsOf(t, sealers(t)+"other.example A 192.0.2.77\n", m)
	titles := regexp.MustCompile(`(?m)^\S.*$`).FindAllString(text, -1)
	const want = "SPF (MAIL FROM): pass for sender.example|SPF (HELO): none for other.example|DKIM: fail for sender.example|" +
		"DMARC: pass for sender.example|ARC: fail|iprev: pass for mail.sender.example|EHLO name: fail for other.example|From verified: yes, by spf"
	if got := strings.Join(titles, "|"); got != want {
		t.Errorf("sections %s, want %s", got, want)
	}
	for _, step := range []string{
		"tree walk from sender.example", "the policy is reject: p of sender.example", "SPF (MAIL FROM) is pass for sender.example",
		"the signature of sender.example is fail (the body was changed): it authenticates nothing", "result: pass",
		"is fail: ARC-Message-Signature i=1: the body was changed", "mail.sender.example leads back to 192.0.2.1: pass",
		"other.example, client 192.0.2.1: the name leads to other addresses: fail", "verified, by spf: DMARC passes for sender.example by SPF",
	} {
		if !strings.Contains(text, step) {
			t.Errorf("no step %q in\n%s", step, text)
		}
	}
}

func TestTheReasoningOfAMessageWithoutAnAuthorAndBehindARelay(t *testing.T) {
	m := message("From: a@b.example\r\n" + plain)
	m.BehindRelay = true
	text := sectionsOf(t, "", m)
	for _, step := range []string{
		"no author's domain: more than one From field", "result: permerror", "not checked: behind a relay",
		"not verified: the message has no author's domain to prove: more than one From field",
	} {
		if !strings.Contains(text, step) {
			t.Errorf("no step %q in\n%s", step, text)
		}
	}
}

func TestSignaturesOfOneDomainAreToldApart(t *testing.T) {
	one := sign(t, plain, relaxed("sender.example", "ed", edKey()))
	header := run(t, zone(t, ""), message(sign(t, one, relaxed("sender.example", "rsa", rsaKey())))).Header
	values := regexp.MustCompile(`header\.b="?([A-Za-z0-9+/]+)`).FindAllStringSubmatch(header, -1)
	if len(values) != 2 || values[0][1] == values[1][1] || len(values[0][1]) < 8 {
		t.Errorf("%q in %s", values, header)
	}
}
