package routing

import (
	"errors"
	"strconv"
	"strings"
	"unicode"

	"mxhook/inbound"
	"mxhook/inbound/status"
)

// Table is a compiled list of rules. It is immutable.
//
// Patterns are found by domain and, where a local part is written out, by that, so
// that the time of a look-up does not grow with the number of addresses.
type Table struct {
	rules   []compiledRule
	domains map[string]*index
	order   []string // the served domains, in order of first appearance
	any     *index   // of the rules that serve every domain; nil if there are none
	home    string   // the domain of a bare <postmaster>; "" when nothing is served
}

type compiledRule struct {
	Rule
	senders    []*pattern  // none: any
	conditions *conditions // nil: none
}

// index holds the patterns that serve one domain.
type index struct {
	literal map[string][]entry // by folded local part
	general []entry
	// postmaster is the rule that takes postmaster when no matching rule does, -1 if
	// there is none.
	postmaster int
}

// entry is one alternative of a rule. Lists of entries are in the rules' order.
type entry struct {
	rule, alternative int
	p                 *pattern
}

func (e entry) before(o entry) bool {
	return e.rule < o.rule || e.rule == o.rule && e.alternative < o.alternative
}

// Decision is what the rules say of a recipient before the message is known.
type Decision struct {
	// Candidates are the rules that match, in order, up to and including the first that
	// ends the search whatever the message is: it has neither conditions nor Continue. A
	// rule with Reject that refuses nobody, since a rule without conditions has taken the
	// recipient before, is left out where it ends the search. Settle says which of them
	// take the recipient; without conditions all do.
	Candidates []Match
	// Err is nil when there is a candidate. Otherwise it wraps RelayDenied (no rule serves
	// the domain), UnknownRecipient, RouteRejects with the rule's own reply, or
	// BadForwardPath of package status.
	Err error
	// last takes postmaster when no candidate does; nil for all others.
	last *Match
}

// Match is a rule that takes a recipient, or may take it.
type Match struct {
	Rule *Rule // not to be changed
	// Captures are what the pattern's names stand for, as the sender wrote them; nil
	// if it has none. A domain that was written as U-labels is captured as such only
	// if whole labels are; otherwise in its A-label form.
	Captures map[string]string
	// Path is the forward-path, with a domain where it was a bare postmaster.
	Path inbound.Path
	// conditions must hold for the match; nil has none.
	conditions *conditions
	resort     bool // the rule is that of last resort, and nothing is asked of it
}

// Domains returns the served domains in normal form, in order of first appearance.
// A rule with AnyDomain adds none. The slice is the caller's.
func (t *Table) Domains() []string { return append([]string(nil), t.order...) }

// Conditions returns the conditions of the i-th rule in words, "" without any.
func (t *Table) Conditions(i int) string {
	return Match{conditions: t.rules[i].conditions}.Conditions()
}

// Recipient decides who may take a recipient. The first rule that matches wins; rules
// with Continue are added and the search goes on, and so it does behind a rule with
// conditions, since they may not hold. A rule with Reject refuses here if it comes first
// and has no conditions; otherwise Settle says whether it does.
//
// Postmaster of a served domain is always taken (RFC 5321 4.5.1): where the rules
// would refuse it, now or in the end, by the first rule of the domain that delivers and
// needs no captures, whatever that one's conditions are.
func (t *Table) Recipient(reversePath, forwardPath inbound.Path) Decision {
	forwardPath, a, err := t.resolve(forwardPath)
	if err != nil {
		return Decision{Err: err}
	}
	w := walk{t: t, a: a, path: forwardPath, sender: newAddress(reversePath)}
	d := w.run()
	if a.folded != "postmaster" {
		return d
	}
	m, ok := t.postmaster(forwardPath, a.domain)
	switch {
	case ok && d.Err != nil:
		return Decision{Candidates: []Match{m}}
	case ok:
		d.last = &m
	}
	return d
}

// resolve gives a bare postmaster its domain and refuses what is not served.
func (t *Table) resolve(p inbound.Path) (inbound.Path, address, error) {
	if p.Domain == "" {
		if !strings.EqualFold(p.LocalPart, "postmaster") {
			return p, address{}, status.BadForwardPath.Wrap("routing", errors.New("no domain"))
		}
		p.Domain = t.home
	}
	a := newAddress(p)
	if t.any == nil && t.domains[a.domain] == nil {
		return p, a, status.RelayDenied.Wrap("routing", errors.New("no route serves the domain"))
	}
	return p, a, nil
}

// postmaster returns the match for a postmaster whom no matching rule takes.
func (t *Table) postmaster(p inbound.Path, domain string) (Match, bool) {
	i := t.postmasterRule(domain)
	if i < 0 {
		return Match{}, false
	}
	return Match{Rule: &t.rules[i].Rule, Path: p, resort: true}, true
}

func (t *Table) postmasterRule(domain string) int {
	first := -1
	for _, x := range []*index{t.domains[domain], t.any} {
		if x != nil && x.postmaster >= 0 && (first < 0 || x.postmaster < first) {
			first = x.postmaster
		}
	}
	return first
}

// entries calls yield with the alternatives that may take a, in order, until it
// returns false.
func (t *Table) entries(a address, yield func(entry) bool) {
	var lists [4][]entry
	if x := t.domains[a.domain]; x != nil {
		lists[0], lists[1] = x.literal[a.folded], x.general
	}
	if t.any != nil {
		lists[2], lists[3] = t.any.literal[a.folded], t.any.general
	}
	for {
		next := -1
		for i, l := range lists {
			if len(l) > 0 && (next < 0 || l[0].before(lists[next][0])) {
				next = i
			}
		}
		if next < 0 || !yield(lists[next][0]) {
			return
		}
		lists[next] = lists[next][1:]
	}
}

// takesSender tells whether the rule takes the reverse-path.
func (r *compiledRule) takesSender(sender address) bool {
	for _, p := range r.senders {
		if _, ok := p.match(sender); ok {
			return true
		}
	}
	return len(r.senders) == 0
}

// walk is one search through the rules.
type walk struct {
	t         *Table
	a, sender address
	path      inbound.Path
	d         Decision
	taken     bool // whatever the message is
}

func (w *walk) run() Decision {
	done := -1 // the rule that has been decided
	w.t.entries(w.a, func(e entry) bool {
		if e.rule == done {
			return true
		}
		captures, ok := e.p.match(w.a)
		if !ok {
			return true
		}
		done = e.rule
		r := &w.t.rules[e.rule]
		return !r.takesSender(w.sender) || w.take(r, captures)
	})
	if w.d.Err == nil && len(w.d.Candidates) == 0 {
		w.d.Err = status.UnknownRecipient.Wrap("routing", errors.New("no route takes the recipient"))
	}
	return w.d
}

// take applies a rule that matches and tells whether the search goes on.
func (w *walk) take(r *compiledRule, captures map[string]string) bool {
	if name, ok := badCapture(captures); ok {
		w.d = Decision{Err: status.BadForwardPath.Wrap(routeOp(&r.Rule), errors.New("capture "+name+" is a dot segment or holds control characters"))}
		return false
	}
	if r.Reject != nil && r.conditions == nil {
		if len(w.d.Candidates) == 0 {
			w.d.Err = rejects(&r.Rule)
			return false
		}
		if w.taken {
			return false
		}
	}
	w.d.Candidates = append(w.d.Candidates, Match{Rule: &r.Rule, Captures: captures, Path: w.path, conditions: r.conditions})
	w.taken = w.taken || r.conditions == nil && r.Reject == nil
	return r.Continue || r.conditions != nil
}

func routeOp(r *Rule) string { return "route " + strconv.Quote(r.Name) }

// badCapture finds a capture that may not stand in a URL's path: a dot segment
// (RFC 3986 3.3) or control characters.
func badCapture(captures map[string]string) (string, bool) {
	for name, v := range captures {
		if v == "." || v == ".." || strings.ContainsFunc(v, unicode.IsControl) {
			return name, true
		}
	}
	return "", false
}
