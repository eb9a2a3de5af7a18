package spf_test

import (
	"strings"
	"testing"

	"mxhook/verify/spf"
	"mxhook/verify/why"
)

// steps are what an evaluation says, without the questions, which package dns tells.
func steps(t *testing.T, zoneText, domain string) string {
	t.Helper()
	notes := why.New()
	ctx := why.Section(why.With(t.Context(), notes), "SPF")
	spf.Check(ctx, zone(t, zoneText), from(client, "mail.example"), "ann", domain)
	var b strings.Builder
	if _, err := notes.WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	var kept []string
	for _, line := range strings.Split(b.String(), "\n") {
		if !strings.HasPrefix(strings.TrimSpace(line), "DNS ") {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "\n")
}

func TestTheReasoningOfAFail(t *testing.T) {
	got := steps(t, `
a.example TXT "v=spf1 a:none.example include:b.example -all exp=e.example"
b.example TXT "v=spf1 ip4:203.0.113.0/24 mx ~all"
b.example MX 1 h.example.
h.example A 203.0.113.1
e.example TXT "No %{i}"
`, "a.example")
	want := `SPF
  may 192.0.2.1 send mail from "ann@a.example"?
  a:none.example asks for none.example (look-up 1 of 10)
  nothing is there: void look-up 1, of which 2 are allowed (RFC 7208 4.6.4)
  a:none.example does not match
  include:b.example asks for b.example (look-up 2 of 10)
    ip4:203.0.113.0/24 does not hold 192.0.2.1
    mx asks for b.example (look-up 3 of 10)
    mx does not match
    ~all matches: softfail
  b.example says softfail, so that include does not match: only a pass would (RFC 7208 5.2)
  -all matches: fail
  its explanation, in the words of a.example: "No 192.0.2.1"
  fail: matched all (look-ups: 3 of 10, void ones: 1 of 2, questions: 6 of 30)
  a.example does not name 192.0.2.1 among its servers. If that is a server of theirs, the owner of a.example must add it to the record; ` +
		`if somebody forwarded the mail, SPF can't pass there unless the forwarder writes a reverse-path of its own, and DKIM has to tell the author
`
	if got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
}

func TestTheReasoningNamesTheCauseAndWhoMendsIt(t *testing.T) {
	for _, c := range []struct{ rule, zone, domain, says string }{
		{"a malformed term is shown", `a.example TXT "v=spf1 ip4:192.0.2.1 ip:192.0.2.2 -all"`, "a.example", `at "ip:192.0.2.2"`},
		{"who owns it is named", `a.example TXT "v=spf1 include:b.example -all"` + "\n" + `b.example TXT "v=spf1 moo"`, "a.example", "the owner of b.example can mend it"},
		{"two records", "a.example TXT \"v=spf1 -all\"\na.example TXT \"v=spf1 +all\"", "a.example", "more than one record that begins with v=spf1"},
		{"no record", "", "a.example", "a.example publishes no policy"},
		{"other texts", `a.example TXT "v=spf10"`, "a.example", "none that begins with v=spf1"},
		{"no domain", "", "localhost", `"localhost" is no domain name of two labels or more`},
		{"a redirect", "a.example TXT \"v=spf1 redirect=_spf.%{d}\"\n_spf.a.example TXT \"v=spf1 ?all\"", "a.example", "its redirect=_spf.%{d} asks for the policy of _spf.a.example instead (look-up 1 of 10)"},
		{"a name of the client", "a.example TXT \"v=spf1 ptr -all\"\n1.2.0.192.in-addr.arpa PTR m.a.example.\nm.a.example A 192.0.2.9", "a.example", "m.a.example, a name of 192.0.2.1, does not lead back to it and counts for nothing"},
		{"a macro's expansion", `a.example TXT "v=spf1 exists:%{l}.%{ir}.x.example -all"`, "a.example", "exists:%{l}.%{ir}.x.example asks for ann.1.2.0.192.x.example"},
		{"too many look-ups", `a.example TXT "v=spf1 include:a.example -all"`, "a.example", "permerror: more than 10 look-ups"},
	} {
		if got := steps(t, c.zone, c.domain); !strings.Contains(got, c.says) {
			t.Errorf("%s: want %q in\n%s", c.rule, c.says, got)
		}
	}
}
