package routing

import (
	"strings"
	"testing"

	"mxhook/inbound/message"
	"mxhook/inbound/status"
	"mxhook/verify"
	"mxhook/verify/authres"
)

var (
	yes, no   = true, false
	pass      = []authres.Result{authres.Pass}
	anyFrom   = []string{"*@customer.example"}
	testFacts = Facts{
		Results: &verify.Results{
			SPF: verify.SPF{Result: authres.SoftFail}, DMARC: verify.DMARC{Result: authres.Pass}, ARC: verify.ARC{Result: authres.None},
			DKIM:         []verify.DKIM{{Result: authres.Fail}, {Result: authres.Pass}},
			FromVerified: true,
		},
		Message: &message.Message{
			Subject: "Ihre Rechnung für März",
			From:    []message.Address{{Address: "Ann@Customer.example"}},
			Header:  []message.Field{{Name: "X-Thing", Value: "one"}, {Name: "x-thing", Value: "Two words"}},
			Class:   message.ClassNormal,
		},
		Size: 1000,
	}
)

// with returns the facts after a change of a copy.
func with(change func(r *verify.Results, m *message.Message, f *Facts)) Facts {
	f := testFacts
	r, m := *f.Results, *f.Message
	f.Results, f.Message = &r, &m
	change(&r, &m, &f)
	return f
}

func TestConditions(t *testing.T) {
	author := func(addresses ...string) Facts {
		return with(func(_ *verify.Results, m *message.Message, _ *Facts) {
			m.From = nil
			for _, a := range addresses {
				m.From = append(m.From, message.Address{Address: a})
			}
		})
	}
	verdict := func(spf, dmarc authres.Result) Facts {
		return with(func(r *verify.Results, _ *message.Message, _ *Facts) {
			r.SPF.Result, r.DMARC.Result, r.FromVerified = spf, dmarc, dmarc == authres.Pass
		})
	}
	subject := func(s string) Facts {
		return with(func(_ *verify.Results, m *message.Message, _ *Facts) { m.Subject = s })
	}
	signatures := func(results ...authres.Result) Facts {
		return with(func(r *verify.Results, _ *message.Message, _ *Facts) {
			r.DKIM = nil
			for _, s := range results {
				r.DKIM = append(r.DKIM, verify.DKIM{Result: s})
			}
		})
	}
	arc := func(counts bool, dmarc authres.Result) Facts {
		return with(func(r *verify.Results, _ *message.Message, f *Facts) {
			r.ARC.Result, r.DMARC.Result, r.FromVerified, f.ARCCounts = authres.TempError, dmarc, false, counts
		})
	}
	none := with(func(_ *verify.Results, _ *message.Message, f *Facts) { f.Results = nil })
	size := func(op string, n int64) When { return When{Size: &SizeBound{op, n}} }
	header := func(name string, values ...string) When {
		return When{Header: []HeaderCondition{{name, values}}}
	}
	for _, c := range []struct {
		name  string
		when  When
		facts Facts
		want  Truth
	}{
		{"a result of the list holds", When{DMARC: []authres.Result{authres.Fail, authres.Pass}}, testFacts, Yes},
		{"a result beside the list does not", When{SPF: []authres.Result{authres.Pass, authres.None}}, testFacts, No},
		{"temperror leaves a result open", When{SPF: pass}, verdict(authres.TempError, authres.None), Open},
		{"temperror that is asked for holds", When{SPF: []authres.Result{authres.TempError}}, verdict(authres.TempError, authres.None), Yes},
		{"permerror is an answer", When{DMARC: pass}, verdict(authres.None, authres.PermError), No},
		{"a result that nobody set is none", When{ARC: []authres.Result{authres.None}}, with(func(r *verify.Results, _ *message.Message, _ *Facts) { r.ARC.Result = "" }), Yes},
		{"one signature is enough for dkim", When{DKIM: pass}, testFacts, Yes},
		{"dkim is none without a signature", When{DKIM: []authres.Result{authres.None}}, signatures(), Yes},
		{"a signature without an answer leaves dkim open", When{DKIM: pass}, signatures(authres.Fail, authres.TempError), Open},
		{"a signature that passes decides beside one without an answer", When{DKIM: pass}, signatures(authres.TempError, authres.Pass), Yes},
		{"arc has its own result", When{ARC: pass}, testFacts, No},
		{"from_verified true", When{FromVerified: &yes}, testFacts, Yes},
		{"from_verified false", When{FromVerified: &no}, testFacts, No},
		{"from_verified false of an unproved author", When{FromVerified: &no}, verdict(authres.None, authres.Fail), Yes},
		{"dmarc temperror leaves from_verified true open", When{FromVerified: &yes}, verdict(authres.None, authres.TempError), Open},
		{"dmarc temperror leaves from_verified false open", When{FromVerified: &no}, verdict(authres.None, authres.TempError), Open},
		{"arc temperror leaves it open where sealers are trusted", When{FromVerified: &yes}, arc(true, authres.Fail), Open},
		{"arc temperror says nothing where none is", When{FromVerified: &yes}, arc(false, authres.Fail), No},
		{"verdicts are open where nobody verified", When{DMARC: []authres.Result{authres.None}}, none, Open},
		{"from_verified too", When{FromVerified: &no}, none, Open},
		{"what needs no verdict is decided without any", When{From: anyFrom, Class: []message.Class{message.ClassNormal}}, none, Yes},
		{"a condition that does not hold decides whatever is open", When{DMARC: pass, Subject: []string{"nothing"}}, none, No},
		{"all conditions must hold", When{DMARC: pass, SPF: pass}, testFacts, No},
		{"all that are set hold", When{DMARC: pass, From: anyFrom, Subject: []string{"*rechnung*"}, Class: []message.Class{message.ClassNormal}}, testFacts, Yes},
		{"from compares without case", When{From: []string{"ann@CUSTOMER.example"}}, testFacts, Yes},
		{"from knows quotes", When{From: []string{"a b@customer.example"}}, author(`"A b"@customer.example`), Yes},
		{"from compares domains as A-labels", When{From: []string{"@bücher.example"}}, author("x@xn--bcher-kva.example"), Yes},
		{"from takes a regular expression", When{From: []string{`/(ann|bob)@customer\.example/`}}, testFacts, Yes},
		{"a subdomain is another domain", When{From: anyFrom}, author("ann@sub.customer.example"), No},
		{"every author must match", When{From: anyFrom}, author("ann@customer.example", "eve@evil.example"), No},
		{"each by another pattern", When{From: []string{"@a.example", "@b.example"}}, author("x@b.example", "y@a.example"), Yes},
		{"nobody is no author", When{From: []string{"*"}}, author(), No},
		{"a lone * takes every author", When{From: []string{"*"}}, author("x@y.example", "z@y.example"), Yes},
		{"what is no address is no author", When{From: []string{"*"}}, author("not an address"), No},
		{"an author without a domain", When{From: []string{"*"}}, author("ann"), No},
		{"subject is compared whole", When{Subject: []string{"rechnung"}}, testFacts, No},
		{"subject without case, beyond ASCII too", When{Subject: []string{"*FÜR MÄRZ"}}, testFacts, Yes},
		{"subject of several globs", When{Subject: []string{"order *", "ihre*"}}, testFacts, Yes},
		{"* of a subject may be empty", When{Subject: []string{"*ihre*rechnung*für märz*"}}, testFacts, Yes},
		{"pieces of a subject do not overlap", When{Subject: []string{"aba*aba"}}, subject("ababa"), No},
		{"pieces of a subject stand in order", When{Subject: []string{"*b*a*"}}, subject("ab"), No},
		{"a question mark is itself", When{Subject: []string{"a?c"}}, subject("abc"), No},
		{"braces are themselves", When{Subject: []string{"{a}*"}}, subject("{A} b"), Yes},
		{"a missing subject is empty", When{Subject: []string{"*a*"}}, subject(""), No},
		{"a field's name is without case", header("X-THING", "one"), testFacts, Yes},
		{"one of several fields is enough", header("X-Thing", "two *"), testFacts, Yes},
		{"a field of another value", header("X-Thing", "three", "four"), testFacts, No},
		{"* wants the field", header("X-Thing", "*"), testFacts, Yes},
		{"* of a field that is missing", header("X-Other", "*"), testFacts, No},
		{"all fields are wanted", When{Header: []HeaderCondition{{"X-Thing", []string{"*"}}, {"X-Other", []string{"*"}}}}, testFacts, No},
		{"class of a list", When{Class: []message.Class{message.ClassList, message.ClassNormal}}, testFacts, Yes},
		{"another class", When{Class: []message.Class{message.ClassBounce}}, testFacts, No},
		{"smaller", size("<", 1001), testFacts, Yes},
		{"smaller than itself", size("<", 1000), testFacts, No},
		{"at most", size("<=", 1000), testFacts, Yes},
		{"larger", size(">", 999), testFacts, Yes},
		{"larger than itself", size(">", 1000), testFacts, No},
		{"at least", size(">=", 1000), testFacts, Yes},
	} {
		t.Run(c.name, func(t *testing.T) {
			table := mustCompile(t, "", Rule{Recipient: []string{"@in.example"}, When: &c.when})
			m := table.Recipient(path(t, ""), path(t, "bob@in.example")).Candidates[0]
			if got := m.conditions.holds(&c.facts); got != c.want {
				t.Errorf("%s: %v, want %v", m.conditions, got, c.want)
			}
			least := Yes
			for _, f := range m.Findings(c.facts) {
				least = min(least, f.Truth)
				if f.Text == "" || (f.Truth != Yes) != (f.Found != "") {
					t.Errorf("finding %+v", f)
				}
			}
			if least != c.want {
				t.Errorf("the findings say %v, want %v", least, c.want)
			}
		})
	}
}

func TestWrongConditionsAreFaults(t *testing.T) {
	for _, c := range []struct {
		name string
		when When
		want string // of the first fault
	}{
		{"no condition", When{}, "route 1: when: when has no condition"},
		{"a result that the method does not have", When{DMARC: []authres.Result{authres.Pass, authres.SoftFail}}, `when.dmarc: dmarc never has the result "softfail"; it has none, pass, fail, temperror and permerror`},
		{"a class that is none", When{Class: []message.Class{"spam"}}, `when.class: there is no class "spam"; there are normal, auto_reply`},
		{"from with a capture", When{From: []string{"{a}@in.example"}}, "when.from: from"},
		{"from the null reverse-path", When{From: []string{"<>"}}, "no author is empty"},
		{"an empty subject", When{Subject: []string{""}}, "when.subject"},
		{"no field's name", When{Header: []HeaderCondition{{"X Thing", []string{"*"}}}}, "no name of a header field"},
		{"a field twice", When{Header: []HeaderCondition{{"A", []string{"*"}}, {"a", []string{"*"}}}}, "stands twice"},
		{"a field without a value", When{Header: []HeaderCondition{{"A", nil}}}, "has no value"},
		{"a size that nothing has", When{Size: &SizeBound{"<", 0}}, "it never holds"},
		{"an operator that is none", When{Size: &SizeBound{"=", 5}}, "it never holds"},
		{"conditions that contradict each other", When{DMARC: pass, FromVerified: &no}, "it never holds: where dmarc is pass"},
	} {
		t.Run(c.name, func(t *testing.T) {
			table, faults := Compile([]Rule{{Recipient: []string{"@in.example"}, Deliver: []string{"app"}, When: &c.when}}, Options{})
			if table != nil || !strings.Contains(faults[0].String(), c.want) {
				t.Errorf("got %v", faults)
			}
		})
	}
	_, faults := Compile([]Rule{{Recipient: []string{"@in.example"}, Deliver: []string{"app"},
		When: &When{Header: []HeaderCondition{{"Authentication-Results", []string{"*dmarc=pass*"}}}}}}, Options{})
	if len(faults) != 1 || !faults[0].Warning || !strings.Contains(faults[0].Text, "anybody can write") {
		t.Errorf("a field that anybody can write as a verdict: %v", faults)
	}
}

func TestReachableBehindConditions(t *testing.T) {
	when := func(w When) *When { return &w }
	reject := Rule{Recipient: []string{"@in.example"}, Reject: rejectReply}
	small, smaller := when(When{Size: &SizeBound{"<", 100}}), when(When{Size: &SizeBound{"<=", 99}, DMARC: pass})
	for _, c := range []struct {
		name   string
		first  Rule
		second Rule
		want   string
	}{
		{"behind a rule with a condition", Rule{When: small}, Rule{}, ""},
		{"with a condition behind a rule without", Rule{}, Rule{When: small}, "never reached"},
		{"two times the same conditions", Rule{When: small}, Rule{When: small}, "never reached"},
		{"narrower conditions behind", Rule{When: small}, Rule{When: smaller}, "never reached"},
		{"wider conditions behind", Rule{When: smaller}, Rule{When: small}, ""},
		{"the same conditions behind one that is asked about", Rule{When: small, Asks: true}, Rule{When: small}, ""},
		{"the same conditions of another sender", Rule{When: small, Sender: []string{"@a.example"}}, Rule{When: small}, ""},
		{"the same conditions of a narrower sender", Rule{When: small, Sender: []string{"@a.example"}}, Rule{When: small, Sender: []string{"b@a.example"}}, "never reached"},
		{"a result of the list", Rule{When: when(When{SPF: []authres.Result{authres.Pass, authres.None}})}, Rule{When: when(When{SPF: pass})}, "never reached"},
		{"a result beside the list", Rule{When: when(When{SPF: pass})}, Rule{When: when(When{SPF: []authres.Result{authres.Pass, authres.None}})}, ""},
		{"another verdict of from_verified", Rule{When: when(When{FromVerified: &yes})}, Rule{When: when(When{FromVerified: &no})}, ""},
		{"authors within a pattern", Rule{When: when(When{From: anyFrom})}, Rule{When: when(When{From: []string{"ann@customer.example"}})}, "never reached"},
		{"authors beyond a pattern", Rule{When: when(When{From: anyFrom})}, Rule{When: when(When{From: []string{"*"}})}, ""},
		{"a subject of the list", Rule{When: when(When{Subject: []string{"A*", "b"}})}, Rule{When: when(When{Subject: []string{"a*"}})}, "never reached"},
		{"a field's value", Rule{When: when(When{Header: []HeaderCondition{{"X", []string{"*"}}}})}, Rule{When: when(When{Header: []HeaderCondition{{"x", []string{"y"}}}})}, "never reached"},
		{"any value behind one", Rule{When: when(When{Header: []HeaderCondition{{"X", []string{"y"}}}})}, Rule{When: when(When{Header: []HeaderCondition{{"X", []string{"*"}}}})}, ""},
		{"the same conditions behind continue", Rule{When: small, Continue: true}, Rule{When: small}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			rules := []Rule{c.first, c.second}
			for i := range rules {
				rules[i].Name, rules[i].Recipient, rules[i].Deliver = string(rune('a'+i)), []string{"@in.example"}, []string{"app"}
			}
			_, faults := Compile(rules, Options{})
			text := ""
			for _, f := range faults {
				text += f.Text
			}
			if c.want == "" && text != "" || !strings.Contains(text, c.want) {
				t.Errorf("got %q, want %q", text, c.want)
			}
		})
	}
	t.Run("a reject behind continue with other conditions may refuse", func(t *testing.T) {
		_, faults := Compile([]Rule{{Name: "a", Recipient: []string{"@in.example"}, Deliver: []string{"app"}, Continue: true, When: small}, reject}, Options{})
		if len(faults) > 0 {
			t.Errorf("got %v", faults)
		}
	})
	t.Run("a reject behind continue with its conditions refuses nobody", func(t *testing.T) {
		r := reject
		r.When = small
		_, faults := Compile([]Rule{{Name: "a", Recipient: []string{"@in.example"}, Deliver: []string{"app"}, Continue: true, When: small}, r}, Options{})
		if len(faults) != 1 || !faults[0].Warning {
			t.Errorf("got %v", faults)
		}
	})
}

func TestNobodyTakesPostmasterForSure(t *testing.T) {
	_, faults := Compile([]Rule{
		{Name: "a", Recipient: []string{"@in.example"}, Discard: true, When: &When{DMARC: []authres.Result{authres.Fail}}},
		{Name: "b", Recipient: []string{"x+{t}@in.example"}, Deliver: []string{"app"}, NeedsCaptures: true},
	}, Options{})
	if len(faults) != 1 || !strings.Contains(faults[0].Text, "nothing takes postmaster@in.example") {
		t.Errorf("a rule with conditions is no taker: %v", faults)
	}
}

func TestVerdictsThatNobodyAskedForAreSaid(t *testing.T) {
	table := mustCompile(t, "", Rule{Recipient: []string{"@in.example"}, When: &When{DMARC: pass}})
	s := table.Recipient(path(t, ""), path(t, "bob@in.example")).Settle(Facts{Message: testFacts.Message, Decided: true})
	if status.ConditionOf(s.Err) != status.VerdictUnavailable || !strings.Contains(status.ReplyOf(s.Err).Text, "not verified") || s.Rule == nil {
		t.Errorf("got %+v", s)
	}
}

// TestEveryFromFieldHasAuthors wants a second From field to count, whatever a reader of
// the mail would show.
func TestEveryFromFieldHasAuthors(t *testing.T) {
	table := mustCompile(t, "", Rule{Recipient: []string{"@in.example"}, When: &When{From: anyFrom}})
	candidate := table.Recipient(path(t, ""), path(t, "bob@in.example")).Candidates[0]
	for header, want := range map[string]Truth{
		"From: ann@customer.example\r\n":                            Yes,
		"From: \"eve@evil.example\" <ann@customer.example>\r\n":     Yes,
		"From: ann@customer.example\r\nFrom: eve@evil.example\r\n":  No,
		"From: eve@evil.example\r\nfrom : ann@customer.example\r\n": No,
		"From: ann@customer.example, eve@evil.example\r\n":          No,
		"From: team: ann@customer.example, eve@evil.example;\r\n":   No,
		"From: team:;\r\n": No,
		"From: \"ann@customer.example\" <eve@evil.example>\r\n":              No,
		"From: ann@customer.example <eve@evil.example>\r\n":                  No,
		"From: <eve@evil.example> ann@customer.example\r\n":                  No,
		"From: =?utf-8?q?ann=40customer.example?= <eve@evil.example>\r\n":    No,
		"From: ann@customer.example(eve@evil.example)\r\n":                   Yes,
		"From: \"ann@customer.example\"@evil.example\r\n":                    No,
		"From: ann@customer.example.evil.example\r\n":                        No,
		"From: ann@customer.example\x00@evil.example\r\n":                    No,
		"Sender: ann@customer.example\r\nReply-To: ann@customer.example\r\n": No,
	} {
		text := header + "\r\nText.\r\n"
		f := Facts{Message: message.Parse(strings.NewReader(text), int64(len(text)), message.Options{})}
		if got := candidate.Holds(f); got != want {
			t.Errorf("%q: %v, want %v; authors %v", header, got, want, f.Message.From)
		}
	}
}
