package routing

import (
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
	"time"

	"mxhook/inbound"
)

// words returns all texts over the letters of at most n.
func words(letters string, n int) []string {
	all := []string{""}
	for i := 0; len(all[i]) < n; i++ {
		for _, c := range letters {
			all = append(all, all[i]+string(c))
		}
	}
	return all
}

// TestContainment compares small patterns with the naive matcher, which tries all
// short texts: c stands for what no pattern has.
func TestContainment(t *testing.T) {
	texts := words("abc@", 5)
	random := rand.New(rand.NewPCG(1, 2))
	pieces := []string{"a", "b", "*", "{}", "a", "*", "@"}
	parse := func() (*pattern, func(string) bool) {
		var s, expr strings.Builder
		for i := range 1 + random.IntN(4) {
			piece := pieces[random.IntN(len(pieces))]
			expr.WriteString(map[string]string{"*": ".*", "{}": "[^@]+"}[piece])
			if piece == "{}" {
				piece = "{x" + string(rune('0'+i)) + "}"
			}
			if len(piece) == 1 && piece != "*" {
				expr.WriteString(piece)
			}
			s.WriteString(piece)
		}
		if random.IntN(4) == 0 {
			p, err := parseRecipient("/" + expr.String() + `@in\.example/`)
			if err != nil {
				t.Fatal(err)
			}
			re := regexp.MustCompile("^" + expr.String() + "$")
			return p, re.MatchString
		}
		p, err := parseRecipient(s.String() + "@in.example")
		if err != nil {
			t.Fatal(err)
		}
		return p, func(text string) bool { return naiveGlob(s.String(), text, map[string]string{}) }
	}
	held := 0
	for range 4000 {
		outer, outerTakes := parse()
		inner, innerTakes := parse()
		steps := &containment{maxWalk}
		out, _ := outer.signs("in.example")
		in, _ := inner.signs("in.example")
		got, want, counter := steps.holds(out, in), true, ""
		for _, s := range texts {
			if innerTakes(s) && !outerTakes(s) {
				want, counter = false, s
				break
			}
		}
		if got != want {
			t.Errorf("%s holds %s: got %v, want %v %q", outer.normal, inner.normal, got, want, counter)
		}
		if wild := (&containment{maxWalk}).pattern(outer, inner, "in.example"); wild && !want {
			t.Errorf("%s holds %s: it does not, %q", outer.normal, inner.normal, counter)
		}
		if got {
			held++
		}
	}
	if held < 200 {
		t.Errorf("only %d of the patterns hold another", held)
	}
}

// TestWhatIsCalledUnreachableIsNot goes through small configurations: a rule that is
// called unreachable decides about no recipient.
func TestWhatIsCalledUnreachableIsNot(t *testing.T) {
	locals := words("ab.", 4)
	locals = append(locals[1:], "a@b", "@", "aa@", "postmaster", "ba@a")
	random := rand.New(rand.NewPCG(3, 4))
	pieces := []string{"a", "b", "*", "{x}", "{y}"}
	patterns := func() string {
		var s strings.Builder
		for _, i := range random.Perm(len(pieces))[:1+random.IntN(3)] {
			s.WriteString(pieces[i])
		}
		return s.String() + []string{"@in.example", "@in.example", "@*n.example", "@{z}.example"}[random.IntN(4)]
	}
	senders := []string{"-", "-", "-", "@x.example", "*@*.example", "b*@x.example", "<>", "*"}
	actions := []string{"deliver", "deliver", "reject", "continue", "captures"}
	flagged := 0
	for range 500 {
		var text strings.Builder
		for range 2 + random.IntN(2) {
			text.WriteString(patterns())
			if random.IntN(3) == 0 {
				text.WriteString("," + patterns())
			}
			text.WriteString(" in.example,two.example " + senders[random.IntN(len(senders))] + " " + actions[random.IntN(len(actions))] + "\n")
		}
		rules := readRules(text.String())
		table, faults := Compile(rules, Options{})
		if table != nil {
			continue
		}
		flagged++
		for _, local := range locals {
			for _, from := range []inbound.Path{{}, {LocalPart: "bob", Domain: "x.example"}} {
				checkNeverReached(t, rules, faults, from, inbound.Path{LocalPart: local, Domain: []string{"in.example", "two.example"}[len(local)%2]})
			}
		}
		if t.Failed() {
			return
		}
	}
	if flagged < 50 {
		t.Errorf("only %d configurations have faults", flagged)
	}
}

func TestContainmentEnds(t *testing.T) {
	var rules []Rule
	hard := strings.Repeat("*a*b", 60)
	for i := range 300 {
		rules = append(rules, Rule{Name: "r" + strings.Repeat("x", i), Recipient: []string{"{t}" + hard + strings.Repeat("a", i%7) + "@in.example", `/.*b` + strings.Repeat(".*a.", i) + `@in\.example/`}, Deliver: []string{"app"}})
	}
	start := time.Now()
	Compile(rules, Options{})
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("took %v", took)
	}
}
