package routing

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"mxhook/inbound"
)

// Step is what one rule said of a recipient.
type Step struct {
	Rule      *Rule // not to be changed
	Candidate bool  // the rule is among the decision's candidates
	Text      string
	Captures  map[string]string // when the recipient's pattern matched
}

// Explain tells for each rule, in order, why it takes a recipient or not. The last
// step of a postmaster whom no matching rule takes, or perhaps none, is the rule of last
// resort. Of conditions it tells what they are. The decision itself is Recipient's.
func (t *Table) Explain(reversePath, forwardPath inbound.Path) []Step {
	path, a, err := t.resolve(forwardPath)
	if err != nil {
		return nil
	}
	d := t.Recipient(reversePath, forwardPath)
	sender := newAddress(reversePath)
	hits := t.hits(a)
	var steps []Step
	ended := ""
	for i := range t.rules {
		r := &t.rules[i]
		s := Step{Rule: &r.Rule}
		h, hit := hits[i]
		switch {
		case ended != "":
			s.Text = fmt.Sprintf("not asked: route %q ended the search", ended)
		case !hit:
			s.Text = t.whyNot(i, a)
		case !r.takesSender(sender):
			s.Captures = h.captures
			s.Text = fmt.Sprintf("recipient %q matches, but sender %s does not match %s", r.Recipient[h.alternative], angle(reversePath), quoteList(r.Sender))
		default:
			s.Captures, s.Candidate = h.captures, isCandidate(d, &r.Rule)
			s.Text = fmt.Sprintf("recipient %q matches%s: %s", r.Recipient[h.alternative], captureText(h.captures), whatThen(r, d, a, h.captures, steps))
			if _, bad := badCapture(h.captures); bad || !r.Continue && r.conditions == nil {
				ended = r.Name
			}
		}
		steps = append(steps, s)
	}
	return append(steps, t.lastResort(d, path, a, steps)...)
}

// lastResort is the step of a postmaster whom only the rule of last resort takes, or
// whom it takes when no condition holds.
func (t *Table) lastResort(d Decision, path inbound.Path, a address, steps []Step) []Step {
	if d.Err != nil || a.folded != "postmaster" || d.sure() {
		return nil
	}
	m, ok := t.postmaster(path, a.domain)
	const why = "postmaster is always accepted, and this is the domain's first route that delivers without captures"
	switch {
	case !ok:
		return nil
	case slices.ContainsFunc(steps, func(s Step) bool { return s.Candidate }):
		return []Step{{Rule: m.Rule, Text: "if no route takes it after the data: " + why}}
	}
	return []Step{{Rule: m.Rule, Candidate: true, Text: why}}
}

// sure tells whether a rule takes the recipient whatever the message is. The rule of
// last resort is not meant.
func (d Decision) sure() bool {
	return slices.ContainsFunc(d.Candidates, func(m Match) bool {
		return m.conditions == nil && m.Rule.Reject == nil && !m.resort
	})
}

type hit struct {
	alternative int
	captures    map[string]string
}

// hits returns the first alternative of each rule that matches.
func (t *Table) hits(a address) map[int]hit {
	hits := map[int]hit{}
	t.entries(a, func(e entry) bool {
		if _, ok := hits[e.rule]; ok {
			return true
		}
		if captures, ok := e.p.match(a); ok {
			hits[e.rule] = hit{e.alternative, captures}
		}
		return true
	})
	return hits
}

func isCandidate(d Decision, r *Rule) bool {
	return slices.ContainsFunc(d.Candidates, func(m Match) bool { return m.Rule == r && !m.resort })
}

func (t *Table) whyNot(i int, a address) string {
	r := &t.rules[i]
	switch {
	case r.AnyDomain || t.servesDomain(i, a.domain):
		return fmt.Sprintf("local part %q does not match %s", a.local, quoteList(r.Recipient))
	case slices.ContainsFunc(r.Domains, func(d string) bool { return Domain(d) == a.domain }):
		return fmt.Sprintf("%s is one of its domains, but not that of %s", a.domain, quoteList(r.Recipient))
	}
	return fmt.Sprintf("domain %s is not one of its domains", a.domain)
}

// servesDomain tells whether a pattern of rule i holds in the domain.
func (t *Table) servesDomain(i int, domain string) bool {
	r := &t.rules[i]
	for _, s := range r.Recipient {
		p, err := parseRecipient(s)
		if err != nil {
			continue
		}
		if slices.Contains(p.domains, domain) {
			return true
		}
		if len(p.domains) == 0 && p.fits(domain) && slices.ContainsFunc(r.Domains, func(d string) bool { return Domain(d) == domain }) {
			return true
		}
	}
	return false
}

// whatThen tells what a matching rule does, behind the steps of the former ones.
func whatThen(r *compiledRule, d Decision, a address, captures map[string]string, former []Step) string {
	if name, bad := badCapture(captures); bad {
		return fmt.Sprintf("refused, since {%s} is a dot segment or holds control characters", name)
	}
	perhaps := slices.ContainsFunc(former, func(s Step) bool { return s.Candidate && s.Rule.When != nil && !s.Rule.Continue })
	text := ""
	switch {
	case r.conditions != nil:
		text = fmt.Sprintf("if, after the data, %s, ", r.conditions)
	case perhaps:
		text = "unless a route before it ends the search, "
	}
	if r.Reject == nil {
		text += thenDelivers(&r.Rule, a)
	} else {
		text += thenRefuses(r, d, a, former)
	}
	if r.conditions != nil && !r.Continue {
		text += "; otherwise the search goes on"
	}
	return text
}

// thenRefuses tells what a rule with Reject that is reached does with a recipient.
func thenRefuses(r *compiledRule, d Decision, a address, former []Step) string {
	sure := slices.ContainsFunc(former, func(s Step) bool { return s.Candidate && s.Rule.When == nil })
	switch {
	case d.Err != nil:
		return "refused with " + r.Reject.String()
	case sure:
		return "it ends the search; its reject has no effect, since the recipient already has a taker"
	case a.folded == "postmaster":
		return "it ends the search; its reject has no effect, since postmaster is always accepted"
	case slices.ContainsFunc(former, func(s Step) bool { return s.Candidate && s.Rule.Reject == nil }):
		return "refused with " + r.Reject.String() + ", if no route before it has taken the recipient"
	}
	return "refused with " + r.Reject.String()
}

// thenDelivers tells what a rule that takes a recipient does with it.
func thenDelivers(r *Rule, a address) string {
	s := ""
	switch {
	case r.Asks && a.folded == "postmaster":
		s = "without a question, since postmaster is always accepted, "
	case r.Asks:
		s = "if the url of its accept says yes, which is asked at RCPT and not here, "
	}
	if r.Discard {
		return s + "accepted and dropped"
	}
	s += "delivered to " + strings.Join(r.Deliver, ", ")
	if len(r.Optional) > 0 {
		s += ", and if possible to " + strings.Join(r.Optional, ", ")
	}
	if r.Continue {
		s += "; the search goes on"
	}
	return s
}

func captureText(captures map[string]string) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(captures)) {
		fmt.Fprintf(&b, ", {%s} is %q", name, captures[name])
	}
	return b.String()
}

func quoteList(list []string) string {
	quoted := make([]string, len(list))
	for i, s := range list {
		quoted[i] = fmt.Sprintf("%q", s)
	}
	return strings.Join(quoted, " or ")
}

func angle(p inbound.Path) string { return "<" + p.String() + ">" }
