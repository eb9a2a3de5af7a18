package verify_test

import (
	"os"
	"strings"
	"testing"

	"mxhook/verify"
	"mxhook/verify/authres"
	"mxhook/verify/dns"
)

// authheadersZone is the DNS in which authheaders judges its messages.
const authheadersZone = `
_dmarc.example.com TXT "v=DMARC1; p=reject; rua=mailto:dmarc@reports.example,mailto:agg@reports.example; ruf=mailto:dmarc@reports.example"
_dmarc.example.org TXT "v=DMARC1; p=none"
_dmarc.example.net TXT "v=DMARC1; p=none; sp=reject"
_dmarc.example.biz TXT "v=DMARC1; p=none; sp=quarantine; np=reject"
_dmarc.nop.example.org TXT "v=DMARC1; sp=quarantine; np=reject"
_dmarc.bad.example.com TXT "v=DMARC1; p=none; reject"
sub.example.net A 192.0.2.1
sub2.example.biz A 192.0.2.1
`

// verdict is a result and the policy that applies.
type verdict struct {
	result authres.Result
	policy string
}

// TestDMARCOfAuthheaders judges the messages of authheaders, an evaluator of RFC 7489.
// Where the result is another than its own the row says why; a row that gives a reason
// and agrees fails.
func TestDMARCOfAuthheaders(t *testing.T) {
	const folder = "../../shared/corpora/dmarc-authheaders/"
	if _, err := os.Stat(folder); err != nil {
		t.Skip("../shared/corpora/dmarc-authheaders is not here")
	}
	key, err := os.ReadFile(folder + "common/test.txt")
	if err != nil {
		t.Fatal(err)
	}
	z, err := dns.ParseZone(authheadersZone + txt("test._domainkey.example.com", strings.Join(strings.Fields(string(key)), " ")))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, message string // of the set, or like the one of that name that is not in it
		theirs, ours  verdict
		why           string
	}{
		{"test.message_sub", "", verdict{"fail", "reject"}, verdict{"fail", "reject"}, ""},
		{"test.message_np1", "", verdict{"fail", "reject"}, verdict{"fail", "reject"}, ""},
		{"test.message_np2", "", verdict{"fail", "quarantine"}, verdict{"fail", "quarantine"}, ""},
		{"test.message_multi2", "", verdict{"fail", "reject"}, verdict{"permerror", ""}, "two authors: it takes the first one; no domain of several can be the one that is proved"},
		{"test.bad.message", "", verdict{"permerror", "none"}, verdict{"fail", "none"}, "an item without a value is passed over (RFC 9989 4.7: what is malformed behind the version is ignored)"},
		{"test_nop.message", "From: Test User <test@nop.example.org>\r\n\r\nHello.\r\n", verdict{"none", ""}, verdict{"none", ""}, ""},
		{"test.nofrom.message", "From: Test User\r\n\r\nHello.\r\n", verdict{"permerror", "none"}, verdict{"permerror", ""}, "without an author's domain there is no policy to name"},
		{"testcomma.message", "From: \"User, Test\" <test@example.com>\r\n\r\nHello.\r\n", verdict{"fail", "reject"}, verdict{"fail", "reject"}, ""},
	} {
		content := c.message
		if content == "" {
			data, err := os.ReadFile(folder + c.name)
			if err != nil {
				t.Fatal(err)
			}
			content = strings.ReplaceAll(strings.ReplaceAll(string(data), "\r\n", "\n"), "\n", "\r\n")
		}
		m := message(content)
		m.MailFromDomain = "elsewhere.example"
		d := run(t, z, m).DMARC
		if got := (verdict{d.Result, d.Policy}); got != c.ours || (got == c.theirs) != (c.why == "") {
			t.Errorf("%s: %+v (%s), want %+v, theirs %+v: %s", c.name, got, d.Reason, c.ours, c.theirs, c.why)
		}
	}
}

// TestDMARCOfAuthorsEverywhere goes through names that a walk has trouble with.
func TestDMARCOfAuthorsEverywhere(t *testing.T) {
	z := zone(t, `
_dmarc.xn--bcher-kva.example TXT "v=DMARC1; p=reject; rua=mailto:a@xn--bcher-kva.example"
xn--bcher-kva.example TXT "v=spf1 ip4:192.0.2.1 -all"
_dmarc.deep.example TXT "v=DMARC1; p=reject; pct=0"
deep.example TXT "v=spf1 ip4:192.0.2.1 -all"
_dmarc.bank TXT "v=DMARC1; p=reject; sp=quarantine; psd=y"
_dmarc.test.example TXT "v=DMARC1; p=reject; t=y"
`)
	deep := strings.Repeat("a.", 100) + "deep.example"
	long := strings.Repeat("a.", 120) + "deep.example"
	for _, c := range []struct {
		rule, from, mailfrom string
		want                 verify.DMARC
	}{
		{"a U-label author, an A-label sender", "ann@bücher.example", "xn--bcher-kva.example", verify.DMARC{
			Result: "pass", Domain: "xn--bcher-kva.example", PolicyDomain: "xn--bcher-kva.example", OrganizationalDomain: "xn--bcher-kva.example",
			Policy: "reject", Disposition: "none", SPFAligned: true, AggregateReports: []string{"mailto:a@xn--bcher-kva.example"}}},
		{"an A-label author, a U-label sender", "ann@XN--bcher-kva.Example", "bücher.example", verify.DMARC{
			Result: "pass", Domain: "xn--bcher-kva.example", PolicyDomain: "xn--bcher-kva.example", OrganizationalDomain: "xn--bcher-kva.example",
			Policy: "reject", Disposition: "none", SPFAligned: true, AggregateReports: []string{"mailto:a@xn--bcher-kva.example"}}},
		{"102 labels, the walk jumps", "ann@" + deep, "deep.example", verify.DMARC{
			Result: "pass", Domain: deep, PolicyDomain: "deep.example", OrganizationalDomain: "deep.example", Policy: "reject", Disposition: "none", SPFAligned: true}},
		{"a name to which _dmarc can't be added", "ann@" + long, "deep.example", verify.DMARC{
			Result: "pass", Domain: long, PolicyDomain: "deep.example", OrganizationalDomain: "deep.example", Policy: "reject", Disposition: "none", SPFAligned: true}},
		{"below a public suffix that has a policy", "ann@mail.giant.bank", "deep.example", verify.DMARC{
			Result: "fail", Domain: "mail.giant.bank", PolicyDomain: "bank", OrganizationalDomain: "giant.bank", Policy: "quarantine", Disposition: "quarantine",
			Reason: "neither SPF nor DKIM passed for a domain aligned with the author's"}},
		{"a policy that is tested", "ann@test.example", "deep.example", verify.DMARC{
			Result: "fail", Domain: "test.example", PolicyDomain: "test.example", OrganizationalDomain: "test.example", Policy: "quarantine", Disposition: "quarantine",
			Testing: true, Reason: "neither SPF nor DKIM passed for a domain aligned with the author's"}},
	} {
		m := message("From: <" + c.from + ">\r\n\r\nHello.\r\n")
		m.MailFromDomain = c.mailfrom
		got := run(t, z, m).DMARC
		reports := strings.Join(got.AggregateReports, " ")
		if want := strings.Join(c.want.AggregateReports, " "); reports != want {
			t.Errorf("%s: rua %q, want %q", c.rule, reports, want)
		}
		got.AggregateReports, got.FailureReports, c.want.AggregateReports = nil, nil, nil
		if !same(got, c.want) {
			t.Errorf("%s:\n%+v, want\n%+v", c.rule, got, c.want)
		}
	}
}

func same(a, b verify.DMARC) bool {
	a.DNSSEC, b.DNSSEC = false, false
	return a.Result == b.Result && a.Domain == b.Domain && a.PolicyDomain == b.PolicyDomain && a.OrganizationalDomain == b.OrganizationalDomain &&
		a.Policy == b.Policy && a.Disposition == b.Disposition && a.SPFAligned == b.SPFAligned && a.DKIMAligned == b.DKIMAligned &&
		a.Testing == b.Testing && a.Reason == b.Reason
}
