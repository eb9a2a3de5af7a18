package routing

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"mxhook/inbound/status"
	"mxhook/verify"
	"mxhook/verify/authres"
)

// settled puts what became of a recipient in one line: the rules that take it, or
// "RCPT" where it is refused there, and the reply.
func settled(d Decision, f Facts) string {
	if d.Err != nil {
		return "RCPT " + status.ReplyOf(d.Err).String()
	}
	s := d.Settle(f)
	if s.Err != nil {
		return status.ReplyOf(s.Err).String()
	}
	var names []string
	for _, m := range s.Matches {
		names = append(names, m.Rule.Name)
	}
	return strings.Join(names, " ")
}

func TestSettle(t *testing.T) {
	when := &When{DMARC: pass}
	small := &When{Size: &SizeBound{"<", 100}}
	dmarc := func(r authres.Result) Facts {
		return Facts{Results: &verify.Results{DMARC: verify.DMARC{Result: r}}, Message: testFacts.Message, Size: 1000}
	}
	good, bad, open := dmarc(authres.Pass), dmarc(authres.Fail), dmarc(authres.TempError)
	decided := open
	decided.Decided = true
	moved, verdicts := rejectReply.String(), status.VerdictUnavailable.Reply().String()
	notMet, unknown := status.ConditionsNotMet.Reply().String(), status.UnknownRecipient.Reply().String()
	badPath := status.BadForwardPath.Reply().String()
	reject := func(w *When) Rule { return Rule{When: w, Reject: rejectReply} }
	for _, c := range []struct {
		name  string
		rules []Rule
		rcpt  string
		facts Facts
		want  string
	}{
		{"the first whose conditions hold takes it", []Rule{{When: when}, {}}, "", good, "a"},
		{"the next takes it where they do not", []Rule{{When: when}, {}}, "", bad, "b"},
		{"none: refused for good after the data", []Rule{{When: when}}, "", bad, notMet},
		{"no rule matches: refused at RCPT", []Rule{{When: when, Sender: []string{"<>"}}}, "", good, "RCPT " + unknown},
		{"temperror defers", []Rule{{When: when}, {}}, "", open, verdicts},
		{"temperror counts as not met when it is decided", []Rule{{When: when}, {}}, "", decided, "b"},
		{"and nobody is left then", []Rule{{When: when}}, "", decided, notMet},
		{"temperror behind a rule that takes it is nobody's", []Rule{{When: &When{Size: &SizeBound{">", 1}}}, {When: when}}, "", open, "a"},
		{"temperror behind a rule with continue defers", []Rule{{Continue: true}, {When: when}}, "", open, verdicts},
		{"temperror beside a condition that does not hold", []Rule{{When: &When{DMARC: pass, Size: small.Size}}, {}}, "", open, "b"},
		{"continue adds what holds", []Rule{{When: when, Continue: true}, {}}, "", good, "a b"},
		{"continue that does not hold adds nothing", []Rule{{When: when, Continue: true}, {}}, "", bad, "b"},
		{"continue without conditions, and one that does not hold", []Rule{{Continue: true}, {When: when}}, "", bad, "a"},
		{"a rule whose conditions hold ends the search", []Rule{{Continue: true}, {When: when}, {}}, "", good, "a b"},
		{"reject first and without conditions is answered at RCPT", []Rule{reject(nil), {Recipient: []string{"postmaster@in.example"}}}, "", good, "RCPT " + moved},
		{"reject with conditions refuses after the data", []Rule{reject(when), {}}, "", good, moved},
		{"reject whose conditions do not hold", []Rule{reject(when), {}}, "", bad, "b"},
		{"reject with conditions that are open", []Rule{reject(when), {}}, "", open, verdicts},
		{"reject behind conditions counts after the data", []Rule{{When: when}, reject(nil)}, "", bad, moved},
		{"reject behind conditions that hold", []Rule{{When: when}, reject(nil)}, "", good, "a"},
		{"reject behind continue whose conditions hold", []Rule{{When: when, Continue: true}, reject(nil)}, "", good, "a"},
		{"reject behind continue whose conditions do not hold", []Rule{{When: when, Continue: true}, reject(nil)}, "", bad, moved},
		{"reject with conditions ends the search of who is taken", []Rule{{Continue: true}, reject(when), {}}, "", good, "a"},
		{"reject whose conditions do not hold ends nothing", []Rule{{Continue: true}, reject(when), {}}, "", bad, "a c"},
		{"a bad capture of a candidate is refused at RCPT", []Rule{{When: when}, {Recipient: []string{"x+{t}@in.example"}}}, "x+..@in.example", bad, "RCPT " + badPath},
		{"a bad capture behind the candidates is nobody's", []Rule{{When: when}, {Recipient: []string{"x+..@in.example"}}, {Recipient: []string{"x+{t}@in.example"}}}, "x+..@in.example", bad, "b"},
		{"discard with conditions takes it", []Rule{{When: when, Discard: true}, {}}, "", good, "a"},
		{"postmaster by conditions that hold", []Rule{{Recipient: []string{"bob@in.example"}}, {When: when}}, "postmaster", good, "b"},
		{"postmaster whom no conditions take, by the first that delivers", []Rule{{When: when}, {When: small}}, "postmaster", bad, "a"},
		{"postmaster whom a reject with conditions refuses", []Rule{reject(when), {}}, "postmaster", good, "b"},
		{"postmaster whom a reject behind conditions refuses", []Rule{{When: when}, {Reject: rejectReply}}, "postmaster@in.example", bad, "a"},
		{"postmaster is deferred for a verdict", []Rule{{When: when}}, "postmaster", open, verdicts},
		{"and taken when it is decided", []Rule{{When: when}}, "postmaster", decided, "a"},
		{"postmaster and verdicts that hold nothing", []Rule{{When: when}, {}}, "postmaster", bad, "b"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for i := range c.rules {
				if c.rules[i].Recipient == nil {
					c.rules[i].Recipient = []string{"@in.example"}
				}
			}
			rcpt := c.rcpt
			if rcpt == "" {
				rcpt = "bob@in.example"
			}
			table := mustCompile(t, "in.example", c.rules...)
			d := table.Recipient(path(t, "ann@x.example"), path(t, rcpt))
			if got := settled(d, c.facts); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
			conditional := slices.ContainsFunc(d.Candidates, Match.Conditional)
			if d.Conditional() != conditional {
				t.Errorf("conditional %v", d.Conditional())
			}
			if !conditional && d.Err == nil && len(d.Settle(Facts{}).Matches) != len(d.Candidates) {
				t.Errorf("without conditions all candidates take it")
			}
		})
	}
}

func TestWithout(t *testing.T) {
	when := &When{DMARC: pass}
	refusal := status.UnknownRecipient.Wrap("accept", errors.New("no"))
	for _, c := range []struct {
		name  string
		rules []Rule
		gone  string
		want  string
	}{
		{"what is left decides", []Rule{{When: when, Asks: true}, {}}, "a", "b"},
		{"nobody is left", []Rule{{When: when, Asks: true}, {Asks: true}}, "ab", "RCPT 550 5.1.1 no such recipient"},
		{"a reject that is left alone refuses at RCPT", []Rule{{When: when, Asks: true}, {Reject: rejectReply}}, "a", "RCPT " + rejectReply.String()},
		{"a reject with conditions that is left", []Rule{{When: &When{FromVerified: &yes}, Asks: true}, {When: when, Reject: rejectReply}}, "a", rejectReply.String()},
	} {
		t.Run(c.name, func(t *testing.T) {
			for i := range c.rules {
				c.rules[i].Recipient = []string{"bob@in.example"}
			}
			table := mustCompile(t, "", append(c.rules, Rule{Name: "p", Recipient: []string{"postmaster@in.example"}})...)
			d := table.Recipient(path(t, ""), path(t, "bob@in.example"))
			d = d.Without(func(i int) bool { return strings.Contains(c.gone, d.Candidates[i].Rule.Name) }, refusal)
			if got := settled(d, testFacts); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// TestSettleAgainstModel compares random rules and facts with a reference that reads the
// rules one after the other, once the message is known.
func TestSettleAgainstModel(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 7))
	results := []authres.Result{authres.None, authres.Pass, authres.Fail, authres.TempError, authres.PermError}
	rounds, asked := 20_000, map[string]int{}
	for range rounds {
		rules := randomRules(random, results)
		table, _ := Compile(rules, Options{Hostname: "in.example"})
		if table == nil {
			continue // unreachable, mostly
		}
		f := Facts{Message: testFacts.Message, Size: 100 * random.Int64N(3), Decided: random.IntN(2) == 0,
			Results: &verify.Results{DMARC: verify.DMARC{Result: results[random.IntN(5)]}, SPF: verify.SPF{Result: results[random.IntN(5)]}}}
		if random.IntN(20) == 0 {
			f.Results = nil
		}
		rcpt := []string{"bob@in.example", "postmaster@in.example"}[random.IntN(2)]
		from := []string{"a@x.example", ""}[random.IntN(2)]
		d := table.Recipient(path(t, from), path(t, rcpt))
		got := settled(d, f)
		late := strings.TrimPrefix(got, "RCPT ")
		if want := naiveSettle(rules, from, rcpt, f); late != want {
			t.Fatalf("%s from %q to %q, %+v with %+v: got %q, naively %q", describeRules(rules), from, rcpt, f, f.Results, got, want)
		}
		if got != late && d.Conditional() {
			t.Fatalf("refused at RCPT, but conditional")
		}
		if strings.HasPrefix(rcpt, "postmaster") && late[0] == '5' {
			t.Fatalf("%s: postmaster is refused: %s", describeRules(rules), late)
		}
		asked[strings.Fields(late)[0][:1]]++
	}
	for _, kind := range []string{"r", "4", "5"} { // taken, deferred, refused
		if asked[kind] < rounds/200 {
			t.Errorf("only %d cases of %q: %v", asked[kind], kind, asked)
		}
	}
}

func randomRules(random *rand.Rand, results []authres.Result) []Rule {
	var rules []Rule
	for i := range 1 + random.IntN(4) {
		r := Rule{Name: fmt.Sprint("r", i), Recipient: []string{"@in.example"}, Deliver: []string{"app"}}
		switch random.IntN(5) {
		case 0:
			r.Deliver, r.Reject = nil, rejectReply
		case 1:
			r.Deliver, r.Discard = nil, true
		case 2:
			r.Continue = true
		}
		if random.IntN(4) == 0 {
			r.Sender = []string{"<>"}
		}
		if random.IntN(4) > 0 {
			r.When = &When{}
			if random.IntN(2) == 0 {
				r.When.DMARC = []authres.Result{results[random.IntN(5)], results[random.IntN(5)]}
			}
			if random.IntN(2) == 0 {
				r.When.SPF = []authres.Result{results[random.IntN(5)]}
			}
			if random.IntN(2) == 0 || len(r.When.DMARC)+len(r.When.SPF) == 0 {
				r.When.Size = &SizeBound{">=", 100 * random.Int64N(3)}
			}
		}
		rules = append(rules, r)
	}
	return rules
}

func describeRules(rules []Rule) string {
	var b strings.Builder
	for _, r := range rules {
		fmt.Fprintf(&b, "%s sender %q", r.Name, r.Sender)
		if r.When != nil {
			fmt.Fprintf(&b, " when dmarc %v spf %v size %v", r.When.DMARC, r.When.SPF, r.When.Size)
		}
		fmt.Fprintf(&b, " reject %t discard %t continue %t\n", r.Reject != nil, r.Discard, r.Continue)
	}
	return b.String()
}

func naiveSettle(rules []Rule, from, rcpt string, f Facts) string {
	var taken []string
	refusal, candidates := "", 0
search:
	for _, r := range rules {
		if len(r.Sender) > 0 && from != "" {
			continue
		}
		candidates++
		if r.When != nil {
			holds, open := true, false
			ask := func(wanted []authres.Result, given func() authres.Result) {
				switch {
				case len(wanted) == 0:
				case f.Results == nil:
					open = true
				case slices.Contains(wanted, given()):
				case given() == authres.TempError:
					open = true
				default:
					holds = false
				}
			}
			ask(r.When.DMARC, func() authres.Result { return f.Results.DMARC.Result })
			ask(r.When.SPF, func() authres.Result { return f.Results.SPF.Result })
			if r.When.Size != nil && f.Size < r.When.Size.Octets {
				holds = false
			}
			switch {
			case !holds:
				continue
			case open && f.Decided && f.Results != nil:
				continue
			case open:
				return status.ReplyOf(open451(f)).String()
			}
		}
		switch {
		case r.Reject != nil && len(taken) == 0:
			refusal = r.Reject.String()
			break search
		case r.Reject != nil:
			break search
		}
		taken = append(taken, r.Name)
		if !r.Continue {
			break
		}
	}
	switch {
	case len(taken) > 0:
		return strings.Join(taken, " ")
	case strings.HasPrefix(rcpt, "postmaster"):
		for _, r := range rules {
			if len(r.Deliver) > 0 {
				return r.Name
			}
		}
	}
	switch {
	case refusal != "":
		return refusal
	case candidates == 0:
		return status.UnknownRecipient.Reply().String()
	}
	return status.ConditionsNotMet.Reply().String()
}

func open451(f Facts) error { return open(&Rule{}, f) }

// TestConditionsAreDecidedOnceAMessage keeps a message of many fields and many recipients
// from being compared over and over.
func TestConditionsAreDecidedOnceAMessage(t *testing.T) {
	table := mustCompile(t, "", Rule{Recipient: []string{"@in.example"}, When: &When{Subject: []string{"*invoice*"}}}, Rule{Recipient: []string{"@in.example"}})
	m := *testFacts.Message
	f := Facts{Message: &m}.Remembering()
	m.Subject = "an invoice"
	first := settled(table.Recipient(path(t, ""), path(t, "a@in.example")), f)
	m.Subject = "" // nobody looks again
	f.Decided = true
	if second := settled(table.Recipient(path(t, ""), path(t, "b@in.example")), f); first != "a" || second != "a" {
		t.Errorf("%q, then %q", first, second)
	}
}
