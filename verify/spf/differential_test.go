package spf_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"mxhook/verify/authres"
	"mxhook/verify/spf"
)

// opinion is what another evaluator says, with the reason that it gives.
type opinion struct {
	Result      string `json:"result"`
	Explanation string `json:"explanation"`
	Note        string `json:"note"`
	// ByTerm is its opinion if void look-ups are counted by terms, where it had counted
	// more than two.
	ByTerm *opinion `json:"by_term"`
}

// python finds an interpreter that has pyspf, or skips, or fails where all must be here.
func python(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"/usr/bin/python3", "python3"} {
		if exec.Command(name, "-c", "import spf").Run() == nil {
			return name
		}
	}
	if os.Getenv("MXHOOK_INTEROP") == "require" {
		t.Fatal("python3-spf is not installed, and MXHOOK_INTEROP=require")
	}
	t.Skip("python3-spf is not installed")
	return ""
}

func askPyspf(t *testing.T, scenarios []scenario) (opinions []opinion) {
	t.Helper()
	var in bytes.Buffer
	for _, s := range scenarios {
		if err := json.NewEncoder(&in).Encode(map[string]any{"zone": s.zone, "cases": s.cases}); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(python(t), "testdata/pyspf.py")
	cmd.Stdin, cmd.Stderr = &in, os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	for d := json.NewDecoder(bytes.NewReader(out)); d.More(); {
		var o opinion
		if err := d.Decode(&o); err != nil {
			t.Fatal(err)
		}
		opinions = append(opinions, o)
	}
	return opinions
}

func TestAgreementWithPyspf(t *testing.T) {
	if testing.Short() {
		t.Skip("thousands of evaluations by another program")
	}
	scenarios := append(randomScenarios(1, 700, false), randomScenarios(2, 800, true)...)
	for _, c := range corpora(t) {
		scenarios = append(scenarios, c.scenarios...)
	}
	compare(t, scenarios, askPyspf(t, scenarios), pyspfDifferences)
}

// difference is a kind of disagreement, and why ours is right.
type difference struct {
	reason string
	holds  func(s scenario, c trial, e spf.Evaluation, o opinion) bool
}

func note(part string) func(scenario, trial, spf.Evaluation, opinion) bool {
	return func(_ scenario, _ trial, e spf.Evaluation, o opinion) bool {
		return o.Result == "permerror" && strings.Contains(o.Note, part)
	}
}

// asksAll is common to other evaluators.
var asksAll = difference{
	"it asks for the addresses of all hosts and all names of the client, and one that is not answered is temperror; here as long as none matches, and those that could match",
	func(_ scenario, _ trial, e spf.Evaluation, o opinion) bool {
		return o.Result == "temperror" && e.Result != authres.TempError
	},
}

var pyspfDifferences = []difference{
	{"it counts void answers, RFC 7208 4.6.4 void terms; counted by terms it agrees",
		func(_ scenario, _ trial, e spf.Evaluation, o opinion) bool {
			return o.ByTerm != nil && e.Result == authres.Result(o.ByTerm.Result) && strings.EqualFold(e.Explanation, o.ByTerm.Explanation)
		}},
	{"a policy that includes itself is permerror before any term; here, where the look-ups end, and only if it is reached", note("include has trivial recursion")},
	{"policies that need more than 30 questions: MaxQuestions",
		func(_ scenario, _ trial, e spf.Evaluation, o opinion) bool {
			return e.Reason == "more questions than one evaluation may ask"
		}},
	{"the names of modifiers are known in capitals too (RFC 7208 4.6.1, RFC 5234 2.3)",
		func(s scenario, _ trial, e spf.Evaluation, o opinion) bool {
			return s.mentions("REDIRECT=") || s.mentions("Redirect=") || s.mentions("EXP=")
		}},
	{"an unknown modifier may stand twice (RFC 7208 6)", note("MUST appear at most once")},
	{"a macro that keeps 0 parts is a fault (RFC 7208 7.3)",
		func(s scenario, _ trial, e spf.Evaluation, o opinion) bool {
			return e.Result == authres.PermError && e.Reason == "the policy has a malformed mechanism" && s.mentions("%{d0}")
		}},
	asksAll,
	{"it passes over tabs and over some malformed macros; here a policy that is not of the grammar is permerror",
		func(s scenario, _ trial, e spf.Evaluation, o opinion) bool {
			return e.Result == authres.PermError && strings.HasPrefix(e.Reason, "the policy ") && !s.grammatical() ||
				e.Result == authres.Fail && e.Explanation == "" && strings.Contains(o.Explanation, "%")
		}},
	{"a domain may end in \"%%\" (RFC 7208 7.1)",
		func(s scenario, _ trial, e spf.Evaluation, o opinion) bool {
			return o.Result == "permerror" && strings.Contains(o.Note, "invalid-macro-char") && (s.mentions("%%/") || s.mentions("%% ") || s.mentions("%%]"))
		}},
	{"explanations are the same but for the case of the sender's domain and of %{i}",
		func(_ scenario, _ trial, e spf.Evaluation, o opinion) bool {
			return string(e.Result) == o.Result && strings.EqualFold(e.Explanation, o.Explanation)
		}},
}

// grammatical tells whether all policies of a scenario are.
func (s scenario) grammatical() bool {
	for _, kinds := range s.zone.Names {
		for _, texts := range kinds["TXT"] {
			if text := fmt.Sprint(texts.([]any)[0]); strings.HasPrefix(strings.ToLower(text), "v=spf1 ") && !grammatical(text) {
				return false
			}
		}
	}
	return true
}

// mentions tells whether a policy of the scenario holds a text.
func (s scenario) mentions(part string) bool {
	for _, kinds := range s.zone.Names {
		for _, texts := range kinds["TXT"] {
			if strings.Contains(fmt.Sprint(texts), part) {
				return true
			}
		}
	}
	return false
}

func compare(t *testing.T, scenarios []scenario, opinions []opinion, differences []difference) {
	t.Helper()
	total, agreed, unexplained := 0, 0, 0
	hits := make([]int, len(differences))
	results := map[string]int{}
	for _, s := range scenarios {
		z := s.zone.zone(t)
		for _, c := range s.cases {
			if total == len(opinions) {
				t.Fatalf("only %d opinions", total)
			}
			o := opinions[total]
			total++
			e := spf.Check(context.Background(), z, c.client(t), c.Local, c.Domain)
			results[string(e.Result)]++
			if string(e.Result) == o.Result && (e.Result != "fail" || e.Explanation == o.Explanation) {
				agreed++
				continue
			}
			known := false
			for i, d := range differences {
				if d.holds(s, c, e, o) {
					hits[i]++
					known = true
					break
				}
			}
			if !known {
				if unexplained++; unexplained <= 40 {
					t.Errorf("%s (%s %q@%s): here %s (%s) %q, there %s (%s) %q", c.Name, c.IP, c.Local, c.Domain, e.Result, e.Reason, e.Explanation, o.Result, o.Note, o.Explanation)
				}
			}
		}
	}
	t.Logf("%d of %d agree, %v", agreed, total, results)
	for i, d := range differences {
		t.Logf("%d: %s", hits[i], d.reason)
		if hits[i] == 0 {
			t.Errorf("no case shows this difference any more: %s", d.reason)
		}
	}
	if unexplained > 40 {
		t.Errorf("%d differences have no explanation", unexplained)
	}
}
