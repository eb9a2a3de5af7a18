package routing

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestFaults(t *testing.T) {
	app := []string{"app"}
	catchAll := Rule{Name: "rest", Recipient: []string{"@in.example"}, Deliver: app}
	to := func(recipient ...string) Rule { return Rule{Name: "x", Recipient: recipient, Deliver: app} }
	other := func(recipient ...string) Rule { return Rule{Name: "y", Recipient: recipient, Deliver: app} }
	from := func(r Rule, sender ...string) Rule { r.Sender = sender; return r }
	in := func(r Rule, domains ...string) Rule { r.Domains = domains; return r }
	goesOn := func(r Rule) Rule { r.Continue = true; return r }
	rejects := func(recipient ...string) Rule { return Rule{Name: "x", Recipient: recipient, Reject: rejectReply} }
	for _, c := range []struct {
		name  string
		rules []Rule
		want  []string // the beginning of each fault: rule, key, index and a part of the text
	}{
		{"nothing is wrong", []Rule{to("a@in.example"), catchAll}, nil},
		{"no recipient", []Rule{to()}, []string{"0 recipient -1 recipient is missing"}},
		{"empty pattern", []Rule{to("")}, []string{"0 recipient 0 it is empty"}},
		{"pattern without a literal domain", []Rule{to("x@*.example"), catchAll}, []string{"0 recipient 0 names no literal domain"}},
		{"pattern without a domain", []Rule{to("bob"), catchAll}, []string{"0 recipient 0 names no literal domain"}},
		{"pattern without a domain has domains", []Rule{in(to("bob"), "in.example"), catchAll}, nil},
		{"expression without a literal domain", []Rule{to(`/x@in.example/`), catchAll}, []string{"0 recipient 0 names no literal domain"}},
		{"expression of which one alternative has no literal domain", []Rule{to(`/a@in\.example|b@.*/`), catchAll}, []string{"0 recipient 0 names no literal domain"}},
		{"expression without an @", []Rule{in(to(`/support-[0-9]+/`), "in.example")}, []string{"0 recipient 0 has no @"}},
		{"expression with an error", []Rule{to(`/(a@in\.example/`)}, []string{"0 recipient 0 missing closing )"}},
		{"expression that could leave its brackets", []Rule{to(`/a)|(b@in\.example/`)}, []string{"0 recipient 0 unexpected )"}},
		{"expression that is too large", []Rule{to(`/(((a{30}){30}){30})@in\.example/`)}, []string{"0 recipient 0 "}},
		{"expression with a back reference", []Rule{to(`/(a)\1@in\.example/`)}, []string{"0 recipient 0 invalid escape"}},
		{"expression with a U-label", []Rule{to(`/a@bücher\.example/`)}, []string{"0 recipient 0 A-label form of a domain, \"xn--bcher-kva.example\""}},
		{"duplicate group", []Rule{to(`/(?P<a>x)(?P<a>y)@in\.example/`)}, []string{"0 recipient 0 {a} stands twice"}},
		{"duplicate capture", []Rule{to("{a}-{a}@in.example")}, []string{"0 recipient 0 {a} stands twice"}},
		{"duplicate capture in the domain", []Rule{in(to("{a}@{a}.in.example"), "b.in.example")}, []string{"0 recipient 0 {a} stands twice"}},
		{"capture without a name", []Rule{to("{}@in.example")}, []string{"0 recipient 0 is not a capture"}},
		{"capture with a bad name", []Rule{to("{1a}@in.example"), to("{a b}@in.example")}, []string{"0 recipient 0 is not a capture", "1 name -1 twice", "1 recipient 0 is not a capture"}},
		{"capture that isn't closed", []Rule{to("a{b@in.example")}, []string{"0 recipient 0 brace is not closed"}},
		{"capture that isn't opened", []Rule{to("ab}@in.example")}, []string{"0 recipient 0 was not opened"}},
		{"pattern that is too long", []Rule{to(strings.Repeat("a", maxPattern) + "@in.example")}, []string{"0 recipient 0 longer than"}},
		{"pattern in angle brackets", []Rule{to("<a@in.example>")}, []string{"0 recipient 0 without angle brackets"}},
		{"pattern in quotes", []Rule{to(`"a b"@in.example`)}, []string{"0 recipient 0 without quotes"}},
		{"pattern with a control character", []Rule{to("a\x00@in.example")}, []string{"0 recipient 0 control character"}},
		{"pattern that isn't UTF-8", []Rule{to("a\xff@in.example")}, []string{"0 recipient 0 not valid UTF-8"}},
		{"nothing after the @", []Rule{to("a@")}, []string{"0 recipient 0 nothing follows"}},
		{"domain with a blank", []Rule{to("a@in example")}, []string{"0 recipient 0 holds ' '"}},
		{"domain with an empty label", []Rule{to("a@in..example")}, []string{"0 recipient 0 empty label"}},
		{"wildcard label beyond ASCII", []Rule{in(to("a@bü*.example"), "bücher.example")}, []string{"0 recipient 0 A-labels"}},
		{"pattern among domains", []Rule{in(to("bob"), "*.example")}, []string{"0 domains 0 written out"}},
		{"domain twice", []Rule{in(to("*"), "in.example", "IN.example.")}, []string{"0 domains 1 warning twice"}},
		{"domains that limit nothing", []Rule{in(to("@in.example"), "in.example")}, []string{"0 domains -1 warning limits nothing"}},
		{"sender with a capture", []Rule{from(to("@in.example"), "{x}@a.example")}, []string{"0 sender 0 captures are taken from the recipient"}},
		{"sender without a domain", []Rule{from(to("@in.example"), "bob")}, []string{"0 sender 0 names no domain"}},
		{"name twice", []Rule{to("a@in.example"), to("b@in.example")}, []string{"1 name -1 stands twice"}},
		{"reject and deliver", []Rule{{Name: "x", Recipient: []string{"a@in.example"}, Reject: rejectReply, Deliver: app}}, []string{"0 reject -1 contradicts"}},
		{"discard and deliver", []Rule{{Name: "x", Recipient: []string{"a@in.example"}, Discard: true, Optional: app}}, []string{"0 discard -1 contradicts"}},
		{"discard and reject", []Rule{{Name: "x", Recipient: []string{"a@in.example"}, Discard: true, Reject: rejectReply}}, []string{"0 discard -1 contradict"}},
		{"reject and continue", []Rule{goesOn(rejects("a@in.example"))}, []string{"0 continue -1 contradicts"}},
		{"optional sinks alone", []Rule{{Name: "x", Recipient: []string{"a@in.example"}, Optional: app}}, []string{"0 optional -1 alone"}},
		{"neither deliver nor reject nor discard", []Rule{{Name: "x", Recipient: []string{"a@in.example"}}}, []string{"0  -1 does nothing"}},
		{"alternatives with other captures, and a sink needs them", []Rule{{Name: "x", Recipient: []string{"{a}-{b}@in.example", "{b}+{a}@in.example", "{a}@in.example"}, Deliver: app, NeedsCaptures: true}},
			[]string{"0 recipient 2 captures {a}, but the first alternative captures {a} {b}"}},

		{"whole domain before an address in it", []Rule{catchAll, to("a@in.example")}, []string{`1 recipient -1 it is never reached: route "rest"`}},
		{"whole domain before a pattern in it", []Rule{catchAll, to("a{b}@in.example")}, []string{"1 recipient -1 never reached"}},
		{"whole domain before an expression in it", []Rule{catchAll, to(`/a.*@in\.example/`)}, []string{"1 recipient -1 never reached"}},
		{"whole domain before another way to write it", []Rule{catchAll, in(to("*"), "IN.example")}, []string{"1 recipient -1 never reached"}},
		{"every domain before any", []Rule{{Name: "all", Recipient: []string{"*"}, AnyDomain: true, Deliver: app}, to("a@in.example")}, []string{"1 recipient -1 never reached"}},
		{"same address in another case", []Rule{to("a@in.example"), {Name: "y", Recipient: []string{"A@IN.example"}, Deliver: app}, catchAll}, []string{"1 recipient -1 never reached"}},
		{"same pattern with other names", []Rule{to("{a}-{b}@in.example"), {Name: "y", Recipient: []string{"{c}-{d}@in.example"}, Deliver: app}, catchAll}, []string{"1 recipient -1 never reached"}},
		{"address that a former pattern matches", []Rule{to("a*@in.example"), {Name: "y", Recipient: []string{"abc@in.example"}, Deliver: app}, catchAll}, []string{"1 recipient -1 never reached"}},
		{"alternatives that two former routes take", []Rule{to("a@in.example"), {Name: "y", Recipient: []string{"b@in.example"}, Deliver: app}, {Name: "z", Recipient: []string{"b@in.example", "a@in.example"}, Deliver: app}, catchAll}, []string{`2 recipient -1 route "y"`}},
		{"sender does not make a taken route reachable", []Rule{catchAll, from(to("a@in.example"), "@x.example")}, []string{"1 recipient -1 never reached"}},
		{"same sender", []Rule{from(to("a@in.example"), "@x.example"), from(Rule{Name: "y", Recipient: []string{"a@in.example"}, Deliver: app}, "@X.example"), catchAll}, []string{"1 recipient -1 never reached"}},
		{"former reject takes too", []Rule{rejects("a*@in.example"), {Name: "y", Recipient: []string{"ab@in.example"}, Deliver: app}, catchAll}, []string{"1 recipient -1 never reached"}},
		{"pattern that a wider one holds", []Rule{to("s*@in.example"), other("sup+{t}@in.example"), catchAll}, []string{"1 recipient -1 never reached"}},
		{"capture that a wider one holds", []Rule{to("support+{t}@in.example"), other("Support+vip-{t}@in.example"), catchAll}, []string{"1 recipient -1 never reached"}},
		{"text in the middle that a wider pattern holds", []Rule{to("*+*@in.example"), other("sales+{t}@in.example"), catchAll}, []string{"1 recipient -1 never reached"}},
		{"expression that a wider one holds", []Rule{to(`/.*@in\.example/`), other(`/s.*@in\.example/`)}, []string{"1 recipient -1 never reached"}},
		{"pattern that an expression holds", []Rule{to(`/s(?P<x>.+)@in\.example/`), other("su*@in.example"), catchAll}, []string{"1 recipient -1 never reached"}},
		{"expression that a pattern holds", []Rule{to("s*@in.example"), other(`/su.*@in\.example/`), catchAll}, []string{"1 recipient -1 never reached"}},
		{"pattern that a wider one of wild domains holds", []Rule{in(to("s*@{t}.example"), "in.example", "two.example"), in(other("su*@*n.example", "su*@two.*"), "in.example", "two.example"), catchAll, {Name: "z", Recipient: []string{"@two.example"}, Deliver: app}}, []string{"1 recipient -1 never reached"}},
		{"wider pattern with a wider sender", []Rule{from(to("s*@in.example"), "*@*.x.example", "@y.example"), from(other("sup*@in.example"), "bob@a.x.example", "b*@y.example"), catchAll}, []string{"1 recipient -1 never reached"}},

		{"pattern that fits none of its domains", []Rule{in(to("x@{t}.a.example"), "a.example", "b.example"), {Name: "y", Recipient: []string{"@a.example", "@b.example"}, Deliver: app}},
			[]string{"0 recipient 0 matches in none of the route's domains; list a domain that fits it"}},
		{"expression that fits none of its domains", []Rule{in(to(`/.*@sub-in.example/`, `/.*@in.example/`), "in.example")}, []string{"0 recipient 0 matches in none of the route's domains"}},

		{"reachable: narrower pattern first", []Rule{to("sup+{t}@in.example"), other("s*@in.example"), catchAll}, nil},
		{"reachable: capture does not take an @, * does", []Rule{to("s{x}@in.example"), other("s{x}*@in.example"), catchAll}, nil},
		{"reachable: expression that minds case", []Rule{to(`/(?-i:s.*)@in\.example/`), other("su*@in.example"), catchAll}, nil},
		{"reachable: wider pattern with a narrower sender", []Rule{from(to("s*@in.example"), "b*@y.example"), from(other("sup*@in.example"), "*@y.example"), catchAll}, nil},
		{"reachable: a sender's @ in its local part is not that of the domain", []Rule{from(to("s*@in.example"), "x@*"), from(other("sup*@in.example"), "x@y@z.example"), catchAll}, nil},
		{"reachable: wider pattern of another domain", []Rule{in(to("s*@a*"), "in.example", "a.example"), other("su*@in.example"), catchAll, {Name: "z", Recipient: []string{"@a.example"}, Deliver: app}}, nil},
		{"reachable: two former routes take it together", []Rule{to("s@in.example"), other("s{x}@in.example"), {Name: "z", Recipient: []string{"s*@in.example"}, Deliver: app}, catchAll}, nil},
		{"reachable: postmaster of a domain that only domains name", []Rule{catchAll, in(to("a@in.example"), "two.example")}, []string{"1 domains -1 warning limits nothing"}},
		{"reachable: former route continues", []Rule{goesOn(catchAll), to("a@in.example")}, nil},
		{"reachable: former route has a sender", []Rule{from(catchAll, "@x.example"), to("a@in.example")}, nil},
		{"reachable: former route has another sender", []Rule{from(catchAll, "@x.example"), from(to("a@in.example"), "@x.example", "@y.example")}, nil},
		{"reachable: one alternative is left", []Rule{to("a@in.example"), {Name: "y", Recipient: []string{"a@in.example", "b@in.example"}, Deliver: app}}, nil},
		{"reachable: one domain is left", []Rule{catchAll, in(to("bob"), "in.example", "two.example"), {Name: "z", Recipient: []string{"@two.example"}, Deliver: app}}, nil},
		{"reachable: postmaster of a domain that is rejected", []Rule{rejects("@in.example"), {Name: "y", Recipient: []string{"postmaster@in.example"}, Deliver: app}}, nil},
		{"reachable: former expression minds case", []Rule{to(`/(?-i:bob)@in\.example/`), {Name: "y", Recipient: []string{"bob@in.example"}, Deliver: app}, catchAll}, nil},
		{"reachable: a capture is not empty", []Rule{to("a{x}@in.example"), {Name: "y", Recipient: []string{"a@in.example"}, Deliver: app}, catchAll}, nil},
		{"reject that a former continue makes idle", []Rule{goesOn(catchAll), rejects("a@in.example")}, []string{`1 reject -1 warning refuses nobody: route "rest"`}},
		{"reject that a former continue leaves something", []Rule{goesOn(to("a@in.example")), {Name: "y", Recipient: []string{"a@in.example", "b@in.example"}, Reject: rejectReply}, catchAll}, nil},
		{"discard after a continue", []Rule{goesOn(catchAll), {Name: "y", Recipient: []string{"a@in.example"}, Discard: true}}, nil},

		{"postmaster has nobody", []Rule{rejects("a@in.example")}, []string{"0 recipient -1 nothing takes postmaster@in.example"}},
		{"postmaster of a domain that only domains name", []Rule{in(to("a@in.example", "a@two.example"), "two.example", "three.example")},
			[]string{"0 domains -1 warning names its own domain; a domain that it alone names is served, but no recipient of the route is in it"}},
		{"postmaster of a domain that only domains name, and none delivers there", []Rule{catchAll, in(rejects("a@two.example"), "three.example"), {Name: "z", Recipient: []string{"@two.example"}, Deliver: app}},
			[]string{"1 domains -1 warning limits nothing", "1 recipient -1 nothing takes postmaster@three.example"}},
		{"postmaster only where captures are needed", []Rule{{Name: "x", Recipient: []string{"a+{b}@in.example"}, Deliver: app, NeedsCaptures: true}}, []string{"0 recipient -1 nothing takes postmaster@in.example"}},
		{"postmaster is taken by a pattern with captures", []Rule{{Name: "x", Recipient: []string{"{b}@in.example"}, Deliver: app, NeedsCaptures: true}}, nil},
		{"postmaster is taken for one sender only", []Rule{from(Rule{Name: "x", Recipient: []string{"{b}@in.example"}, Deliver: app, NeedsCaptures: true}, "@x.example")}, []string{"0 recipient -1 nothing takes postmaster"}},
		{"postmaster is rejected for one sender", []Rule{from(rejects("postmaster@in.example"), "@x.example"), {Name: "y", Recipient: []string{"{b}@in.example"}, Deliver: app, NeedsCaptures: true}}, []string{"0 recipient -1 nothing takes postmaster"}},
		{"postmaster is discarded", []Rule{{Name: "x", Recipient: []string{"@in.example"}, Discard: true}}, nil},
		{"every fault at once", []Rule{to("a@"), {Name: "y", Recipient: []string{"b@in.example", "{@in.example"}, Sender: []string{"x"}}},
			[]string{"0 recipient 0 nothing follows", "1  -1 does nothing", "1 recipient 1 brace is not closed", "1 sender 0 names no domain"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			table, faults := Compile(c.rules, Options{Hostname: "mx.in.example"})
			var got []string
			failed := false
			for _, f := range faults {
				w := ""
				if f.Warning {
					w = "warning "
				}
				failed = failed || !f.Warning
				got = append(got, fmt.Sprintf("%d %s %d %s%s", f.Rule, f.Key, f.Index, w, f.Text))
			}
			if (table == nil) != failed {
				t.Errorf("table %v with faults %q", table, got)
			}
			same := len(got) == len(c.want)
			for i := 0; same && i < len(got); i++ {
				place := strings.Join(strings.SplitN(c.want[i], " ", 4)[:3], " ")
				same = strings.HasPrefix(got[i], place) && strings.Contains(got[i], strings.TrimPrefix(c.want[i], place+" "))
				if strings.Contains(c.want[i], " warning ") {
					text := strings.SplitN(c.want[i], " warning ", 2)[1]
					same = strings.HasPrefix(got[i], place+" warning ") && strings.Contains(got[i], text)
				}
			}
			if !same {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(c.want, "\n"))
			}
		})
	}
}

func TestDomainsAreInOrderOfTheRules(t *testing.T) {
	table := mustCompile(t, "", Rule{Recipient: []string{"@Two.example", "a@one.example"}},
		Rule{Recipient: []string{"bob"}, Domains: []string{"bücher.example", "two.example."}}, Rule{Recipient: []string{"@one.example"}})
	want := []string{"two.example", "one.example", "xn--bcher-kva.example"}
	if got := table.Domains(); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestCaptures(t *testing.T) {
	for pattern, want := range map[string]string{
		"a+{x}-{y}@in.example": "x y", "{u}@{t}.example": "u t", `/(?P<id>\d+)(z)@in\.example/`: "id", "@in.example": "",
	} {
		if got, err := Captures(pattern); err != nil || strings.Join(got, " ") != want {
			t.Errorf("%s: got %q, %v; want %s", pattern, got, err, want)
		}
	}
	if _, err := Captures("{x@in.example"); err == nil {
		t.Error("a broken pattern has captures")
	}
}

func TestExplain(t *testing.T) {
	table := mustCompile(t, "mx.in.example",
		Rule{Name: "other", Recipient: []string{"@other.example"}},
		Rule{Name: "customer", Recipient: []string{"support+{ticket}@in.example"}, Sender: []string{"*@customer.example"}},
		Rule{Name: "copy", Recipient: []string{"@in.example"}, Deliver: []string{"archive"}, Continue: true},
		Rule{Name: "tickets", Recipient: []string{"bob@in.example", "support+{ticket}@in.example"}},
		Rule{Name: "old", Recipient: []string{"old@in.example"}, Reject: rejectReply},
		Rule{Name: "rest", Recipient: []string{"*@in.example"}, Deliver: []string{"app"}, Optional: []string{"jobs"}})
	for _, c := range []struct{ name, from, rcpt, want string }{
		{"a ticket", "ann@x.example", "support+42@in.example", `other: domain in.example is not one of its domains
customer: recipient "support+{ticket}@in.example" matches, but sender <ann@x.example> does not match "*@customer.example"
+copy: recipient "@in.example" matches: delivered to archive; the search goes on
+tickets: recipient "support+{ticket}@in.example" matches, {ticket} is "42": delivered to app
old: not asked: route "tickets" ended the search
rest: not asked: route "tickets" ended the search
`},
		{"an old address that was copied", "", "old@in.example", `other: domain in.example is not one of its domains
customer: local part "old" does not match "support+{ticket}@in.example"
+copy: recipient "@in.example" matches: delivered to archive; the search goes on
tickets: local part "old" does not match "bob@in.example" or "support+{ticket}@in.example"
old: recipient "old@in.example" matches: it ends the search; its reject has no effect, since the recipient already has a taker
rest: not asked: route "old" ended the search
`},
		{"a dot segment", "", "support+..@in.example", `other: domain in.example is not one of its domains
customer: recipient "support+{ticket}@in.example" matches, but sender <> does not match "*@customer.example"
copy: recipient "@in.example" matches: delivered to archive; the search goes on
tickets: recipient "support+{ticket}@in.example" matches, {ticket} is "..": refused, since {ticket} is a dot segment or holds control characters
old: not asked: route "tickets" ended the search
rest: not asked: route "tickets" ended the search
`},
		{"a domain that is not served", "", "x@relay.example", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			var b strings.Builder
			for _, s := range table.Explain(path(t, c.from), path(t, c.rcpt)) {
				if s.Candidate {
					b.WriteByte('+')
				}
				b.WriteString(s.Rule.Name + ": " + s.Text + "\n")
			}
			if b.String() != c.want {
				t.Errorf("got\n%swant\n%s", b.String(), c.want)
			}
		})
	}
	t.Run("a postmaster whom the first route rejects", func(t *testing.T) {
		table := mustCompile(t, "", Rule{Name: "no", Recipient: []string{"postmaster@in.example"}, Reject: rejectReply}, Rule{Name: "bob", Recipient: []string{"bob@in.example"}})
		steps := table.Explain(path(t, ""), path(t, "postmaster@in.example"))
		if len(steps) != 3 || !steps[2].Candidate || !strings.HasSuffix(steps[0].Text, "its reject has no effect, since postmaster is always accepted") {
			t.Errorf("got %+v", steps)
		}
	})
	t.Run("a postmaster of a domain that only domains name", func(t *testing.T) {
		table := mustCompile(t, "", Rule{Name: "bob", Recipient: []string{"bob@in.example"}, Domains: []string{"x.example"}})
		steps := table.Explain(path(t, ""), path(t, "postmaster@x.example"))
		if len(steps) != 2 || !steps[1].Candidate || steps[0].Text != `x.example is one of its domains, but not that of "bob@in.example"` {
			t.Errorf("got %+v", steps)
		}
	})
	t.Run("a postmaster whom nobody matches", func(t *testing.T) {
		table := mustCompile(t, "", Rule{Name: "bob", Recipient: []string{"bob@in.example"}})
		steps := table.Explain(path(t, ""), path(t, "postmaster"))
		if len(steps) != 2 || steps[0].Candidate || !steps[1].Candidate || steps[1].Rule.Name != "bob" {
			t.Errorf("got %+v", steps)
		}
	})
}
