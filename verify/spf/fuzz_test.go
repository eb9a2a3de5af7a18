package spf_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"unicode"

	"mxhook/verify/authres"
	"mxhook/verify/spf"
)

func FuzzRecord(f *testing.F) {
	for _, s := range randomScenarios(4, 20, true) {
		for _, kinds := range s.zone.Names {
			for _, texts := range kinds["TXT"] {
				f.Add(texts.([]any)[0].(string))
			}
		}
	}
	f.Fuzz(func(t *testing.T, record string) {
		if len(record) > 4<<10 {
			return
		}
		record = "v=spf1 " + record
		if problem := spf.Problem(record); (problem == "") != grammatical(record) {
			t.Fatalf("%q: %q, the grammar says %t", record, problem, grammatical(record))
		}
	})
}

func FuzzExpand(f *testing.F) {
	f.Add("%{ir}.%{v}.%{l1r-}.lp._spf.%{d2}", "strong-bad", "mail.example")
	f.Add("%{S}%{L9r+-}%{H}%%%_%-.x.example", "a@b\\\" c\x00é", "[192.0.2.1]")
	f.Add("%{p}.%{h200R.-+,/_=}%{o}", "", "x")
	f.Fuzz(func(t *testing.T, spec, local, helo string) {
		name, ok := spf.Expand(spec, "2001:db8::1", local, helo)
		if !ok {
			return
		}
		if len(name) > 253 || name == "" || strings.Contains("."+name+".", "..") || strings.ContainsFunc(name, unicode.IsControl) {
			t.Fatalf("%q", name)
		}
		if !strings.Contains(spec, "%") && name != strings.TrimSuffix(spec, ".") && len(spec) <= 254 {
			t.Fatalf("%q became %q", spec, name)
		}
		if again, _ := spf.Expand(spec, "2001:db8::1", local, helo); again != name {
			t.Fatalf("%q, then %q", name, again)
		}
	})
}

// FuzzCheck evaluates a zone that a stranger wrote: one policy names another, an
// explanation, hosts and the client's names.
func FuzzCheck(f *testing.F) {
	f.Add("a mx:b.example/24//64 ptr ip4:1.2.3.4/8 ip6:::1 exists:%{ir}.%{l1r+-}.a.example include:y.z", "redirect=_spf.%{h} exp=e.%{o}", "%{c} is not of %{d}", "ann", "a.example")
	f.Add("%{", "-all", "", "a@b", "x.y")
	f.Add("include:y.z -all exp=e.x.y", "ptr:y.z ~mx", "%{P} \x00 %{S}", "é", "bücher.example")
	f.Add("redirect=y.z", "include:x.y include:x.y a:%%%_%-.b ?all", "%{t}%{r}", "", "x.y")
	f.Fuzz(func(t *testing.T, first, second, explanation, local, domain string) {
		quote := func(s string) string {
			var b strings.Builder
			for i := range min(len(s), 2000) {
				if i%200 == 0 {
					b.WriteString(`" "`)
				}
				fmt.Fprintf(&b, `\%03d`, s[i])
			}
			return `"` + b.String() + `"`
		}
		z := zone(t, "x.y TXT "+quote("v=spf1 "+first)+"\ny.z TXT "+quote("v=spf1 "+second)+"\ne.x.y TXT "+quote(explanation)+`
x.y A 203.0.113.1
y.z MX 1 h.y.z.
h.y.z A 192.0.2.1
1.2.0.192.in-addr.arpa PTR h.y.z.
1.2.0.192.in-addr.arpa PTR x\032y.z.
`)
		z.Timeout("slow.y.z")
		for _, d := range []string{"x.y", "y.z", domain} {
			r := &counter{Zone: z}
			c := from(client, domain)
			c.Receiver = "mx.in.example"
			e := spf.Check(context.Background(), r, c, local, d)
			switch e.Result {
			case authres.None, authres.Neutral, authres.Pass, authres.Fail, authres.SoftFail, authres.TempError, authres.PermError:
			default:
				t.Fatalf("result %q", e.Result)
			}
			if r.n > spf.MaxQuestions {
				t.Fatalf("%d questions", r.n)
			}
			if e.Explanation != "" && (e.Result != authres.Fail || len(e.Explanation) > 200) || !printable(e.Explanation) {
				t.Fatalf("%s with explanation %q", e.Result, e.Explanation)
			}
			if len(e.Term) > 255 || !printable(e.Term) || strings.Contains(e.Term, " ") {
				t.Fatalf("term %q", e.Term)
			}
			if again := spf.Check(context.Background(), z, c, local, d); again != e {
				t.Fatalf("%+v, then %+v", e, again)
			}
			if got := spf.Received(e, spf.Trace{Receiver: "mx", IP: client, HELO: domain, Sender: local + "@" + d}); strings.ContainsFunc(got, unicode.IsControl) {
				t.Fatalf("control character in %q", got)
			}
		}
	})
}

func printable(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r < ' ' || r > '~' }) < 0
}
