package routing

import (
	"errors"

	"mxhook/inbound/status"
)

// Settlement is what became of a recipient's candidates.
type Settlement struct {
	// Matches are the rules that take the recipient, in order. A match whose rule has
	// Discard delivers nowhere.
	Matches []Match
	// Err is nil when there is a match. Otherwise it wraps RouteRejects with the reply of
	// the rule that refuses, ConditionsNotMet, VerdictUnavailable while a condition is
	// open, or it is the Decision's.
	Err error
	// Rule is the one that refuses, or whose condition is open; nil otherwise.
	Rule *Rule
}

// Settle decides which candidates take the recipient, by what the message is: the first
// whose conditions hold, and as far as those have Continue the next ones. A rule with
// Reject that is reached refuses, unless a former one has taken the recipient: then it
// only ends the search. Who is taken by none is refused for good.
//
// A condition that is open while a verdict is missing defers the recipient, whatever
// other candidates say, since nobody could make up for the one that is missed. When
// facts.Decided says that it was deferred for long enough, it counts as not met.
//
// Postmaster is never refused (RFC 5321 4.5.1): what would refuse it gives it to the
// rule of last resort.
func (d Decision) Settle(facts Facts) Settlement {
	if d.Err != nil {
		return Settlement{Err: d.Err}
	}
	s := d.settle(facts)
	if s.Err != nil && d.last != nil && status.ConditionOf(s.Err) != status.VerdictUnavailable {
		return Settlement{Matches: []Match{*d.last}}
	}
	return s
}

func (d Decision) settle(facts Facts) (s Settlement) {
	for _, m := range d.Candidates {
		switch m.conditions.holds(&facts) {
		case No:
			continue
		case Open:
			if facts.Decided && facts.Results != nil {
				continue
			}
			return Settlement{Rule: m.Rule, Err: open(m.Rule, facts)}
		}
		if m.Rule.Reject == nil {
			s.Matches = append(s.Matches, m)
			if m.Rule.Continue {
				continue
			}
		} else if len(s.Matches) == 0 {
			s.Rule, s.Err = m.Rule, rejects(m.Rule)
		}
		return s
	}
	if len(s.Matches) == 0 {
		s.Err = status.ConditionsNotMet.Wrap("routing", errors.New("the conditions of no route hold"))
	}
	return s
}

// open is the error of a condition that can't be decided now. Where nobody asked for
// verdicts it is an operator who reads it, at replay or inspect.
func open(r *Rule, facts Facts) error {
	if facts.Results == nil {
		reply := status.VerdictUnavailable.Reply()
		reply.Text = "the recipient's conditions need verdicts, and the message was not verified; --verify does that"
		return status.VerdictUnavailable.WithReply(routeOp(r), errors.New("nobody verified the message"), reply)
	}
	return status.VerdictUnavailable.Wrap(routeOp(r), errors.New("a verdict that a condition needs is temperror"))
}

func rejects(r *Rule) error { return status.RouteRejects.WithReply(routeOp(r), nil, *r.Reject) }

// Conditional tells whether the message itself may change who takes the recipient.
func (d Decision) Conditional() bool {
	for _, m := range d.Candidates {
		if m.conditions != nil {
			return true
		}
	}
	return false
}

// LastResort returns the match for a postmaster whom no candidate takes; false for
// everybody else.
func (d Decision) LastResort() (Match, bool) {
	if d.last == nil {
		return Match{}, false
	}
	return *d.last, true
}

// LastResort tells whether the match is postmaster's, of whom nothing is asked.
func (m Match) LastResort() bool { return m.resort }

// Conditional tells whether the match depends on what the message is.
func (m Match) Conditional() bool { return m.conditions != nil }

// Conditions returns the conditions of the match's rule in words, "" without any.
func (m Match) Conditions() string {
	if m.conditions == nil {
		return ""
	}
	return m.conditions.String()
}

// Holds tells whether the conditions of the match's rule hold.
func (m Match) Holds(facts Facts) Truth { return m.conditions.holds(&facts) }

// Findings tells of each condition of the match's rule whether it holds.
func (m Match) Findings(facts Facts) []Finding { return m.conditions.findings(&facts) }

// Without returns the decision without the candidates that gone names by their index:
// somebody outside does not want the recipient there. Where none is left, its error is
// refusal; where a rule that refuses anyway comes first now, it is that one's.
func (d Decision) Without(gone func(candidate int) bool, refusal error) Decision {
	var left []Match
	for i, m := range d.Candidates {
		if !gone(i) {
			left = append(left, m)
		}
	}
	d.Candidates = left
	switch {
	case len(left) == 0:
		d.Err = refusal
	case left[0].Rule.Reject != nil && left[0].conditions == nil:
		d.Candidates, d.Err = nil, rejects(left[0].Rule)
	}
	return d
}
