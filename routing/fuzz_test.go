package routing

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"mxhook/inbound"
	"mxhook/inbound/status"
)

// readRules reads rules as fuzzing writes them: one a line, its fields parted by
// blanks: recipient[,recipient…] domains|- sender|- action, where the action is
// deliver, continue, reject or discard.
func readRules(text string) []Rule {
	var rules []Rule
	for line := range strings.Lines(text) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), " ")
		if len(f) != 4 || len(rules) == 8 {
			continue
		}
		r := Rule{Name: fmt.Sprint("r", len(rules)), Recipient: strings.Split(f[0], ",")}
		if f[1] != "-" {
			r.Domains = strings.Split(f[1], ",")
		}
		if f[2] != "-" {
			r.Sender = strings.Split(f[2], ",")
		}
		switch f[3] {
		case "continue":
			r.Deliver, r.Continue = []string{"app"}, true
		case "reject":
			r.Reject = rejectReply
		case "discard":
			r.Discard = true
		case "captures":
			r.Deliver, r.NeedsCaptures = []string{"app"}, true
		default:
			r.Deliver = []string{"app"}
		}
		rules = append(rules, r)
	}
	return rules
}

// FuzzRecipient compares the table with a matcher that goes through all rules and
// tries everything, one rune after the other.
func FuzzRecipient(f *testing.F) {
	for _, s := range [][3]string{
		{"a+{x}@in.example - - deliver\n@in.example - - deliver\n", "", "a+b@in.example"},
		{"{a}-{b}@in.example - - continue\n*-{c}@in.example - *@x.example deliver\n@in.example - - reject\n", "q@x.example", "x-y-z@IN.example"},
		{"bob,{x}*z@{d}.example in.example,two.example <> deliver\n* in.example,two.example - captures\n", "", "bob@two.example"},
		{"/(?P<l>.*)@in\\.example/ - - deliver\n", "", "ä@in.example"},
		{"postmaster@in.example - - reject\nbob@in.example - - deliver\n", "", "postmaster"},
		{"k{x}@bücher.example - @*.x deliver\n@xn--bcher-kva.example - - discard\n", "a@b.x", "\u212aſ@BÜCHER.example"},
		{"{a}{b}*{c}@in.example - - captures\n@in.example - - deliver\n", "", "\"a b@..\"@in.example"},
		{"x{a}@in.example - - deliver\n", "", "x..@in.example"},
		{"s*@in.example - - deliver\nsu{x}@in.example - - deliver\n", "", "sup@in.example"},
		{"*a*@in.example - @*.x deliver\n*ba{x}@in.example - bob@a.x deliver\n@in.example - - deliver\n", "bob@a.x", "ba@in.example"},
		{"/.*@in\\.example/ - - deliver\n/s.*@in\\.example/ - - deliver\n", "", "sup@in.example"},
		{"{a}@{d}.example in.example - deliver\n{b}x@*n.example in.example,two.example - deliver\n", "", "sx@in.example"},
	} {
		f.Add(s[0], s[1], s[2])
	}
	f.Fuzz(func(t *testing.T, text, from, rcpt string) {
		rules := readRules(text)
		table, faults := Compile(rules, Options{Hostname: "mx.in.example"})
		if table == nil && len(faults) == 0 {
			t.Fatal("no table and no fault")
		}
		if len(text) > 300 || len(rcpt) > 40 || len(from) > 40 || strings.Count(text, "{")+strings.Count(text, "*") > 6 {
			return // the naive matcher takes exponential time
		}
		reversePath, err1 := inbound.ParsePath(from, true)
		forwardPath, err2 := inbound.ParsePath(rcpt, true)
		if err1 != nil || err2 != nil || forwardPath.IsNull() {
			return
		}
		if table == nil {
			checkNeverReached(t, rules, faults, reversePath, forwardPath)
			return
		}
		got := describe(table.Recipient(reversePath, forwardPath))
		if want := naive(table.Domains(), table.home, rules, reversePath, forwardPath); got != want {
			t.Errorf("rules\n%sfrom %q to %q: got %q, naively %q", text, from, rcpt, got, want)
		}
		checkDecision(t, table, reversePath, forwardPath)
	})
}

// checkDecision holds a decision to what is true of all.
func checkDecision(t *testing.T, table *Table, from, rcpt inbound.Path) {
	d := table.Recipient(from, rcpt)
	if (d.Err == nil) == (len(d.Candidates) == 0) {
		t.Errorf("matches %v and error %v", d.Candidates, d.Err)
	}
	if d.Err != nil && status.ConditionOf(d.Err) == status.LocalError {
		t.Errorf("error without a condition: %v", d.Err)
	}
	if strings.EqualFold(rcpt.LocalPart, "postmaster") && d.Err != nil && status.ConditionOf(d.Err) != status.RelayDenied {
		t.Errorf("postmaster is refused: %v", d.Err)
	}
	for i, m := range d.Candidates {
		if i+1 < len(d.Candidates) && !m.Rule.Continue {
			t.Errorf("the search went on after %q", m.Rule.Name)
		}
		for name, v := range m.Captures {
			if v == "." || v == ".." || strings.ContainsFunc(v, unicode.IsControl) {
				t.Errorf("capture %s is %q", name, v)
			}
		}
	}
	taken := 0
	for _, s := range table.Explain(from, rcpt) {
		if s.Candidate {
			taken++
		}
	}
	if taken != len(d.Candidates) {
		t.Errorf("explain takes %d, the decision has %d", taken, len(d.Candidates))
	}
}

// checkNeverReached wants a rule that is called unreachable to have no part in a
// decision, if nothing else is wrong.
func checkNeverReached(t *testing.T, rules []Rule, faults []Fault, from, rcpt inbound.Path) {
	for _, f := range faults {
		if !f.Warning && !strings.Contains(f.Text, "never reached") {
			return
		}
	}
	domains := []string{Domain(rcpt.Domain)}
	if !slices.ContainsFunc(rules, func(r Rule) bool { return naiveServes(r, domains[0]) }) {
		return
	}
	got := naive(domains, "", rules, from, rcpt)
	for _, f := range faults {
		if f.Warning {
			continue
		}
		others := slices.Delete(slices.Clone(rules), f.Rule, f.Rule+1)
		if without := naive(domains, "", others, from, rcpt); without != got {
			t.Errorf("rules\n%vfrom %q to %q: %v, but with it %q, without it %q", rules, from, rcpt, f, got, without)
		}
	}
}

func naive(served []string, home string, rules []Rule, from, rcpt inbound.Path) string {
	if rcpt.Domain == "" {
		rcpt.Domain = home
	}
	domain := Domain(rcpt.Domain)
	if !slices.Contains(served, domain) {
		return status.ReplyOf(status.RelayDenied.Wrap("", nil)).String()
	}
	var taken []string
	refusal := status.UnknownRecipient.Reply().String()
	for _, r := range rules {
		captures, ok := naiveRule(r, rcpt, domain)
		if !ok || !naiveSender(r, from) {
			continue
		}
		if _, bad := badCapture(captures); bad {
			taken, refusal = nil, status.BadForwardPath.Reply().String()
			break
		}
		if r.Reject != nil {
			refusal = r.Reject.String()
			break
		}
		s := r.Name
		for _, k := range slices.Sorted(maps.Keys(captures)) {
			s += " " + k + "=" + captures[k]
		}
		taken = append(taken, s)
		if !r.Continue {
			break
		}
	}
	if len(taken) == 0 && strings.EqualFold(rcpt.LocalPart, "postmaster") {
		for _, r := range rules {
			if len(r.Deliver) > 0 && !r.NeedsCaptures && naiveServes(r, domain) {
				return r.Name
			}
		}
	}
	if len(taken) == 0 {
		return refusal
	}
	return strings.Join(taken, ", ")
}

// naiveServes tells whether the rule serves the domain.
func naiveServes(r Rule, domain string) bool {
	return slices.ContainsFunc(r.Domains, func(d string) bool { return Domain(d) == domain }) || slices.ContainsFunc(r.Recipient, func(s string) bool { return naiveHolds(r, s, domain) })
}

func naiveHolds(r Rule, pattern, domain string) bool {
	p, err := parseRecipient(pattern)
	if err != nil {
		return false
	}
	if len(p.domains) > 0 {
		return slices.Contains(p.domains, domain)
	}
	return slices.ContainsFunc(r.Domains, func(d string) bool { return Domain(d) == domain })
}

func naiveRule(r Rule, rcpt inbound.Path, domain string) (map[string]string, bool) {
	for _, s := range r.Recipient {
		if !naiveHolds(r, s, domain) {
			continue
		}
		if captures, ok := naivePattern(s, rcpt, domain); ok {
			return captures, true
		}
	}
	return nil, false
}

func naiveSender(r Rule, from inbound.Path) bool {
	for _, s := range r.Sender {
		switch {
		case s == "*", s == "<>" && from.IsNull():
			return true
		case s == "<>":
			continue
		case from.IsNull() && (s[0] != '/' || len(s) == 1):
			continue
		}
		if _, ok := naivePattern(s, from, Domain(from.Domain)); ok {
			return true
		}
	}
	return len(r.Sender) == 0
}

func naivePattern(s string, p inbound.Path, domain string) (map[string]string, bool) {
	captures := map[string]string{}
	if len(s) > 1 && s[0] == '/' && s[len(s)-1] == '/' {
		re := regexp.MustCompile(`(?i)^(?:` + s[1:len(s)-1] + `)$`)
		text := p.LocalPart
		if domain != "" {
			text += "@" + domain
		}
		m := re.FindStringSubmatch(text)
		for i, name := range re.SubexpNames() {
			if m != nil && name != "" {
				captures[name] = m[i]
			}
		}
		return captures, m != nil
	}
	local, d, named := cutLast(s, '@')
	if local == "" {
		local = "*"
	}
	if !naiveGlob(local, p.LocalPart, captures) {
		return nil, false
	}
	if !named {
		return captures, true
	}
	if !strings.ContainsAny(d, "*{") {
		return captures, Domain(d) == domain
	}
	inDomain := map[string]string{}
	ok := naiveGlob(strings.TrimSuffix(d, "."), domain, inDomain)
	for k, v := range inDomain {
		captures[k] = v
		if i := strings.Index(strings.ToLower(p.Domain), v); isASCII(p.Domain) && i >= 0 {
			captures[k] = naiveSpelling(strings.TrimSuffix(d, "."), strings.TrimSuffix(p.Domain, "."), k)
		}
	}
	return captures, ok
}

func naiveSpelling(pattern, domain, name string) string {
	captures := map[string]string{}
	naiveGlob(pattern, domain, captures)
	return captures[name]
}

// naiveGlob tries {name} from one rune up and * from all down.
func naiveGlob(pattern, s string, captures map[string]string) bool {
	if pattern == "" {
		return s == ""
	}
	switch pattern[0] {
	case '*':
		for i := len(s); i >= 0; i-- {
			if naiveGlob(pattern[1:], s[i:], captures) {
				return true
			}
		}
		return false
	case '{':
		name, rest, _ := strings.Cut(pattern[1:], "}")
		for i := 0; i < len(s) && s[i] != '@'; {
			_, n := utf8.DecodeRuneInString(s[i:])
			i += n
			if naiveGlob(rest, s[i:], captures) {
				captures[name] = s[:i]
				return true
			}
		}
		return false
	}
	if s == "" {
		return false
	}
	_, n := utf8.DecodeRuneInString(pattern)
	_, m := utf8.DecodeRuneInString(s)
	return strings.EqualFold(pattern[:n], s[:m]) && naiveGlob(pattern[n:], s[m:], captures)
}

// FuzzCompile wants no rule to break Compile, and what it takes to be usable.
func FuzzCompile(f *testing.F) {
	f.Add("a+{x}@in.example", "in.example", "*@x", "bob@in.example")
	f.Add(`/(?P<x>\d{2,})@in\.example$/`, "", "<>", "12@in.example")
	f.Add("*@*.{t}.example", "a.b.example", "/.*/", `"a b"@a.b.example`)
	f.Fuzz(func(t *testing.T, recipient, domain, sender, rcpt string) {
		r := Rule{Name: "r", Recipient: []string{recipient}, Deliver: []string{"app"}}
		if domain != "" {
			r.Domains = []string{domain}
		}
		if sender != "" {
			r.Sender = []string{sender}
		}
		table, _ := Compile([]Rule{r}, Options{Hostname: domain})
		p, err := inbound.ParsePath(rcpt, true)
		if table == nil || err != nil {
			return
		}
		for _, m := range table.Recipient(p, p).Candidates {
			// What a pattern without wildcards and regular expressions captured
			// reassembles the address.
			if recipient[0] == '/' || strings.Contains(recipient, "*") || !isASCII(rcpt) || len(m.Captures) == 0 {
				continue
			}
			text := recipient
			for name, v := range m.Captures {
				text = strings.Replace(text, "{"+name+"}", "\x01"+v+"\x01", 1)
			}
			local, d, named := cutLast(strings.ReplaceAll(text, "\x01", ""), '@')
			if !strings.EqualFold(local, m.Path.LocalPart) && local != "" || named && Domain(d) != Domain(m.Path.Domain) {
				t.Errorf("%q took %q with %v", recipient, rcpt, m.Captures)
			}
		}
	})
}

func TestMatchingTimeIsLinear(t *testing.T) {
	var many strings.Builder
	for i := range 60 {
		fmt.Fprintf(&many, "{c%d}a*", i)
	}
	table := mustCompile(t, "", Rule{Recipient: []string{many.String() + "b@in.example"}}, Rule{Recipient: []string{`/((a+)+)+b@in\.example/`}}, Rule{Recipient: []string{"postmaster@in.example"}})
	start := time.Now()
	d := table.Recipient(inbound.Path{}, inbound.Path{LocalPart: strings.Repeat("a", 255), Domain: "in.example"})
	if took := time.Since(start); took > time.Second {
		t.Errorf("took %v", took)
	}
	if status.ConditionOf(d.Err) != status.UnknownRecipient {
		t.Errorf("got %v", d.Err)
	}
}

func manyRules(n int) []Rule {
	rules := make([]Rule, 0, n+1)
	for i := range n {
		rules = append(rules, Rule{Name: fmt.Sprint("r", i), Recipient: []string{fmt.Sprintf("user%d@in.example", i)}, Deliver: []string{"app"}})
	}
	return append(rules, Rule{Name: "tickets", Recipient: []string{"support+{ticket}@in.example"}, Deliver: []string{"app"}})
}

func BenchmarkRecipient(b *testing.B) {
	for _, n := range []int{1, 100, 10_000} {
		table := mustCompile(b, "", manyRules(n)...)
		last := inbound.Path{LocalPart: fmt.Sprintf("user%d", n-1), Domain: "in.example"}
		b.Run(fmt.Sprintf("address/rules=%d", n), func(b *testing.B) {
			for b.Loop() {
				table.Recipient(inbound.Path{}, last)
			}
		})
		b.Run(fmt.Sprintf("capture/rules=%d", n), func(b *testing.B) {
			p := inbound.Path{LocalPart: "support+12345", Domain: "in.example"}
			for b.Loop() {
				table.Recipient(inbound.Path{}, p)
			}
		})
	}
}

func BenchmarkCompile(b *testing.B) {
	rules := manyRules(10_000)
	for b.Loop() {
		Compile(rules, Options{})
	}
}

// FuzzTextGlob compares globs of free text with a matcher that tries everything.
func FuzzTextGlob(f *testing.F) {
	f.Add("*a*b*", "xaxbx")
	f.Add("aba*aba", "ABABA")
	f.Add("*ſ", "SS")
	f.Add("**", "")
	f.Fuzz(func(t *testing.T, pattern, text string) {
		if len(pattern) > 30 || len(text) > 60 || strings.Count(pattern, "*") > 6 || !utf8.ValidString(pattern) || !utf8.ValidString(text) || strings.TrimSpace(text) != text {
			return
		}
		if got, want := anyTakes([]textGlob{newTextGlob(pattern)}, text), naiveText([]rune(pattern), []rune(text)); got != want {
			t.Errorf("%q takes %q: %v, naively %v", pattern, text, got, want)
		}
	})
}

func naiveText(pattern, text []rune) bool {
	switch {
	case len(pattern) == 0:
		return len(text) == 0
	case pattern[0] == '*':
		return naiveText(pattern[1:], text) || len(text) > 0 && naiveText(pattern, text[1:])
	}
	return len(text) > 0 && strings.EqualFold(string(pattern[0]), string(text[0])) && naiveText(pattern[1:], text[1:])
}
