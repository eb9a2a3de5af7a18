package routing

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"mxhook/inbound"
	"mxhook/inbound/status"
)

func mustCompile(t testing.TB, hostname string, rules ...Rule) *Table {
	t.Helper()
	for i := range rules {
		if rules[i].Name == "" {
			rules[i].Name = string(rune('a' + i))
		}
		if rules[i].Reject == nil && !rules[i].Discard && rules[i].Deliver == nil {
			rules[i].Deliver = []string{"app"}
		}
	}
	table, faults := Compile(rules, Options{Hostname: hostname})
	if table == nil {
		t.Fatalf("faults: %v", faults)
	}
	return table
}

func path(t testing.TB, s string) inbound.Path {
	t.Helper()
	p, err := inbound.ParsePath(s, true)
	if err != nil {
		t.Fatalf("%q: %v", s, err)
	}
	return p
}

var rejectReply = &status.Reply{Code: 550, Enhanced: [3]int{5, 1, 6}, Text: "the mailbox has moved"}

// describe puts a decision in one line: the matching rules with their captures, or
// the reply.
func describe(d Decision) string {
	if d.Err != nil {
		return status.ReplyOf(d.Err).String()
	}
	var all []string
	for _, m := range d.Candidates {
		s := m.Rule.Name
		for _, k := range slices.Sorted(maps.Keys(m.Captures)) {
			s += " " + k + "=" + m.Captures[k]
		}
		all = append(all, s)
	}
	return strings.Join(all, ", ")
}

func TestRecipient(t *testing.T) {
	one := func(recipient ...string) []Rule {
		return []Rule{{Recipient: recipient}, {Recipient: []string{"postmaster@in.example"}}}
	}
	only := func(recipient ...string) []Rule { return []Rule{{Recipient: recipient}} }
	const unknown, relay = "550 5.1.1 no such recipient", "550 5.7.1 relaying denied"
	const badPath = "501 5.1.3 bad recipient address syntax"
	for _, c := range []struct {
		name  string
		rules []Rule
		from  string
		rcpt  string
		want  string
	}{
		{"literal address", one("bob@in.example"), "", "bob@in.example", "a"},
		{"local part without regard to case", one("Bob@in.example"), "", "bOB@in.example", "a"},
		{"domain without regard to case", one("bob@In.Example"), "", "bob@iN.eXAMPLE", "a"},
		{"trailing dot of the domain is ignored", one("bob@in.example"), "", "bob@in.example.", "a"},
		{"trailing dot of the pattern is ignored", one("bob@in.example."), "", "bob@in.example", "a"},
		{"other local part of a served domain", one("bob@in.example"), "", "ann@in.example", unknown},
		{"domain that no route serves", one("bob@in.example"), "", "bob@other.example", relay},
		{"subdomain is another domain", only("@in.example"), "", "bob@sub.in.example", relay},
		{"whole domain", only("@in.example"), "", "any+thing@in.example", "a"},
		{"* takes any text", only("*@in.example"), "", "x@in.example", "a"},
		{"* takes an empty text", one("a*b@in.example"), "", "ab@in.example", "a"},
		{"* takes an @ in a quoted local part", one("a*b@in.example"), "", `"a@b"@in.example`, "a"},
		{"capture", one("support+{ticket}@in.example"), "", "support+42@in.example", "a ticket=42"},
		{"capture keeps the sender's spelling", one("support+{ticket}@in.example"), "", "SUPPORT+aBc@in.example", "a ticket=aBc"},
		{"capture takes as few characters as possible", one("{a}-{b}@in.example"), "", "x-y-z@in.example", "a a=x b=y-z"},
		{"* leaves a capture as little as possible", one("*-{id}@in.example"), "", "x-y-z@in.example", "a id=z"},
		{"capture is never empty", one("support+{ticket}@in.example"), "", "support+@in.example", unknown},
		{"capture holds no @", one("x{a}@in.example"), "", `"xy@z"@in.example`, unknown},
		{"capture of a quoted local part is its meaning", one("x+{a}@in.example"), "", `"x+a b"@in.example`, "a a=a b"},
		{"capture may hold a slash", one("x+{a}@in.example"), "", "x+a/b@in.example", "a a=a/b"},
		{"capture that is a dot", one("x+{a}@in.example"), "", "x+.@in.example", badPath},
		{"capture that is two dots", one("x+{a}@in.example"), "", "x+..@in.example", badPath},
		{"capture that only holds dots", one("x+{a}@in.example"), "", "x+...@in.example", "a a=..."},
		{"capture with a C1 control", one("x+{a}@in.example"), "", "x+a\u0085@in.example", badPath},
		{"dots of a pattern are dots", one("a.b@in.example"), "", "axb@in.example", unknown},
		{"signs of regular expressions are literal in a pattern", one("a+(b|c)?{x}@in.example"), "", `"a+(b|c)?d"@in.example`, "a x=d"},
		{"alternatives", one("bob@in.example", "ann@in.example"), "", "ann@in.example", "a"},
		{"alternatives of several domains", one("bob@in.example", "@postmaster.in.example"), "", "x@postmaster.in.example", "a"},
		{"first alternative that matches captures", only("{a}-x@in.example", "{b}@in.example"), "", "q-x@in.example", "a a=q"},
		{"U-label pattern, A-label recipient", []Rule{{Recipient: []string{"@bücher.example"}}}, "", "x@XN--bcher-kva.example", "a"},
		{"A-label pattern, U-label recipient", []Rule{{Recipient: []string{"@xn--bcher-kva.example"}}}, "", "x@BÜCHER.example", "a"},
		{"invalid IDNA compares as bytes in lower case", []Rule{{Recipient: []string{"@xn--a.example"}}}, "", "x@XN--A.example", "a"},
		{"local part beyond ASCII without regard to case", one("jürgen@in.example"), "", "JÜRGEN@in.example", "a"},
		{"expression is anchored at both ends", one(`/bob@in\.example/`), "", "xbob@in.example", unknown},
		{"expression is without case", one(`/bob@in\.example/`), "", "BOB@IN.example", "a"},
		{"expression's groups are captures", one(`/t-(?P<id>\d+)(-(?<opt>x))?@in\.example/`), "", "T-12@in.example", "a id=12 opt="},
		{"expression sees the A-label domain", []Rule{{Recipient: []string{`/.*@xn--.*/`}, Domains: []string{"bücher.example"}}}, "", "x@bücher.example", "a"},
		{"expression with domains does not serve others", []Rule{{Recipient: []string{`/.*@.*/`}, Domains: []string{"in.example"}}}, "", "x@other.example", relay},
		{"expression can't be left by its own bars", []Rule{{Recipient: []string{`/x|y@in\.example/`}, Domains: []string{"in.example"}}, {Recipient: []string{"@in.example"}}}, "", "xy@in.example", "b"},
		{"expression's alternatives name their domains", one(`/x@in\.example|y@two\.example/`, "postmaster@two.example"), "", "y@two.example", "a"},
		{"pattern without a domain holds in domains", []Rule{{Recipient: []string{"bob"}, Domains: []string{"one.example", "two.example"}}, {Recipient: []string{"postmaster"}, Domains: []string{"one.example", "two.example"}}}, "", "bob@two.example", "a"},
		{"wildcard domain holds in domains", []Rule{{Recipient: []string{"*@*.in.example"}, Domains: []string{"a.in.example", "b.example"}}, {Recipient: []string{"postmaster@b.example"}}}, "", "x@a.in.example", "a"},
		{"wildcard domain that does not match", []Rule{{Recipient: []string{"*@*.in.example"}, Domains: []string{"a.in.example", "b.example"}}, {Recipient: []string{"postmaster@b.example"}}}, "", "x@b.example", unknown},
		{"capture of a domain keeps its spelling", []Rule{{Recipient: []string{"{user}@{tenant}.in.example"}, Domains: []string{"acme.in.example"}}}, "", "Bob@ACME.In.Example", "a tenant=ACME user=Bob"},
		{"capture of a whole U-label keeps it", []Rule{{Recipient: []string{"*@{tenant}.in.example"}, Domains: []string{"bücher.in.example"}}}, "", "x@Bücher.in.example", "a tenant=Bücher"},
		{"capture of a part of a U-label is of the A-label", []Rule{{Recipient: []string{"*@xn--{rest}.in.example", "*"}, Domains: []string{"bücher.in.example"}}}, "", "x@bücher.in.example", "a rest=bcher-kva"},
		{"first rule wins", []Rule{{Recipient: []string{"bob@in.example"}}, {Recipient: []string{"@in.example"}}}, "", "bob@in.example", "a"},
		{"general rule before a literal one of another sender", []Rule{{Recipient: []string{"@in.example"}, Sender: []string{"@x.example"}}, {Recipient: []string{"bob@in.example"}}, {Recipient: []string{"@in.example"}}}, "a@x.example", "bob@in.example", "a"},
		{"continue adds and goes on", []Rule{{Recipient: []string{"@in.example"}, Continue: true}, {Recipient: []string{"{x}@in.example"}, Continue: true}, {Recipient: []string{"bob@in.example"}}}, "", "bob@in.example", "a, b x=bob, c"},
		{"reject has its own reply", []Rule{{Recipient: []string{"old@in.example"}, Reject: rejectReply}, {Recipient: []string{"@in.example"}}}, "", "old@in.example", "550 5.1.6 the mailbox has moved"},
		{"reject after a match with continue refuses nothing", []Rule{{Recipient: []string{"@in.example"}, Continue: true}, {Recipient: []string{"old@in.example"}, Reject: rejectReply}, {Recipient: []string{"*@in.example"}}}, "", "old@in.example", "a"},
		{"discard is a match", []Rule{{Recipient: []string{"hole@in.example"}, Discard: true}, {Recipient: []string{"@in.example"}}}, "", "hole@in.example", "a"},
		{"sender matches", []Rule{{Recipient: []string{"@in.example"}, Sender: []string{"*@customer.example"}}, {Recipient: []string{"@in.example"}}}, "Ann@Customer.example", "x@in.example", "a"},
		{"sender does not match", []Rule{{Recipient: []string{"@in.example"}, Sender: []string{"*@customer.example"}}, {Recipient: []string{"@in.example"}}}, "ann@other.example", "x@in.example", "b"},
		{"sender pattern does not take the null reverse-path", []Rule{{Recipient: []string{"@in.example"}, Sender: []string{"*@*"}}, {Recipient: []string{"@in.example"}}}, "", "x@in.example", "b"},
		{"sender of a lone * takes the null reverse-path", []Rule{{Recipient: []string{"bob@in.example"}, Sender: []string{"*"}}, {Recipient: []string{"@in.example"}}}, "", "bob@in.example", "a"},
		{"sender <> is the null reverse-path", []Rule{{Recipient: []string{"@in.example"}, Sender: []string{"<>"}}, {Recipient: []string{"@in.example"}}}, "", "x@in.example", "a"},
		{"sender <> takes no other", []Rule{{Recipient: []string{"@in.example"}, Sender: []string{"<>"}}, {Recipient: []string{"@in.example"}}}, "a@x.example", "x@in.example", "b"},
		{"sender of any subdomain", []Rule{{Recipient: []string{"@in.example"}, Sender: []string{"@*.customer.example"}}, {Recipient: []string{"@in.example"}}}, "a@b.c.customer.example", "x@in.example", "a"},
		{"sender as an expression", []Rule{{Recipient: []string{"@in.example"}, Sender: []string{`/.*@(a|b)\.example/`}}, {Recipient: []string{"@in.example"}}}, "x@B.example", "x@in.example", "a"},
		{"recipient taken only for another sender", []Rule{{Recipient: []string{"bob@in.example"}, Sender: []string{"@x.example"}}, {Recipient: []string{"postmaster@in.example"}}}, "a@y.example", "bob@in.example", unknown},
		{"postmaster goes to the route that matches it", []Rule{{Recipient: []string{"bob@in.example"}}, {Recipient: []string{"{x}@in.example"}, NeedsCaptures: true}}, "", "Postmaster@in.example", "b x=Postmaster"},
		{"postmaster that no route matches goes to the first that delivers without captures", []Rule{{Recipient: []string{"hole@in.example"}, Discard: true}, {Recipient: []string{"a+{x}@in.example"}, NeedsCaptures: true}, {Recipient: []string{"bob@in.example"}}}, "", "POSTMASTER@IN.example", "c"},
		{"postmaster is not rejected", []Rule{{Recipient: []string{"postmaster@in.example"}, Reject: rejectReply}, {Recipient: []string{"bob@in.example"}}}, "", "postmaster@in.example", "b"},
		{"postmaster may be discarded", []Rule{{Recipient: []string{"postmaster@in.example"}, Discard: true}, {Recipient: []string{"bob@in.example"}}}, "", "postmaster@in.example", "a"},
		{"postmaster of a domain that only domains name goes to its first route that delivers", []Rule{{Recipient: []string{"bob@in.example"}, Domains: []string{"x.example"}}}, "", "postmaster@x.example", "a"},
		{"other recipient of a domain that only domains name", []Rule{{Recipient: []string{"bob@in.example"}, Domains: []string{"x.example"}}}, "", "bob@x.example", unknown},
		{"postmaster after a rejected domain", []Rule{{Recipient: []string{"@in.example"}, Reject: rejectReply}, {Recipient: []string{"postmaster@in.example"}}}, "", "postmaster@in.example", "b"},
		{"postmaster of a domain that is not served", only("@in.example"), "", "postmaster@other.example", relay},
		{"any domain", []Rule{{Recipient: []string{"*"}, AnyDomain: true}}, "", "x@every.example", "a"},
		{"any domain keeps the order", []Rule{{Recipient: []string{"bob"}, AnyDomain: true}, {Recipient: []string{"bob@in.example", "*@in.example"}}, {Recipient: []string{"*"}, AnyDomain: true}}, "", "bob@in.example", "a"},
		{"address literal", []Rule{{Recipient: []string{"@[192.0.2.1]"}}}, "", "x@[192.0.2.1]", "a"},
	} {
		t.Run(c.name, func(t *testing.T) {
			table := mustCompile(t, "mx.in.example", c.rules...)
			if got := describe(table.Recipient(path(t, c.from), path(t, c.rcpt))); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestBarePostmaster(t *testing.T) {
	for _, c := range []struct{ name, hostname, domains, want string }{
		{"at the hostname if it is served", "mx.in.example", "first.example mx.in.example in.example", "postmaster@mx.in.example"},
		{"else at its nearest served parent", "a.mx.in.example", "first.example in.example mx.in.example", "postmaster@mx.in.example"},
		{"else at the first served domain", "mx.other.example", "first.example in.example", "postmaster@first.example"},
		{"hostname as U-label", "mx.bücher.example", "first.example xn--bcher-kva.example", "postmaster@xn--bcher-kva.example"},
		{"without a hostname", "", "first.example in.example", "postmaster@first.example"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var rules []Rule
			for d := range strings.FieldsSeq(c.domains) {
				rules = append(rules, Rule{Recipient: []string{"@" + d}})
			}
			d := mustCompile(t, c.hostname, rules...).Recipient(inbound.Path{}, path(t, "postmaster"))
			if d.Err != nil || d.Candidates[0].Path.String() != c.want {
				t.Errorf("got %+v, want %s", d, c.want)
			}
		})
	}
	t.Run("another word without a domain", func(t *testing.T) {
		d := mustCompile(t, "", Rule{Recipient: []string{"@in.example"}}).Recipient(inbound.Path{}, inbound.Path{LocalPart: "bob"})
		if status.ConditionOf(d.Err) != status.BadForwardPath {
			t.Errorf("got %v", d.Err)
		}
	})
}
