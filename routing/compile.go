package routing

import (
	"fmt"
	"slices"
	"strings"
)

// Options are what a Table needs to know beyond its rules.
type Options struct {
	// Hostname is our own name: bare <postmaster> is at it, if it is served.
	Hostname string
}

// Fault is something wrong with a rule.
type Fault struct {
	Rule    int    // the rule's index; -1 when it is none's
	Key     string // "recipient", "sender", "domains", "deliver", … of the configuration; "" for the whole rule
	Index   int    // the alternative or the element of Key, -1 when it is the whole of it
	Text    string // what is wrong and how to mend it
	Warning bool   // the table works nevertheless
}

// String returns the fault with its rule's number, counted from 1.
func (f Fault) String() string {
	if f.Key == "" {
		return fmt.Sprintf("route %d: %s", f.Rule+1, f.Text)
	}
	return fmt.Sprintf("route %d: %s: %s", f.Rule+1, f.Key, f.Text)
}

// maxEntries bounds the product of alternatives and domains, over all rules.
const maxEntries = 1_000_000

// Compile makes a Table of rules and lists everything that is wrong with them, in
// the rules' order. The Table is nil if there is a fault that is no warning. The
// rules are copied; what they refer to must not be changed afterwards.
func Compile(rules []Rule, o Options) (*Table, []Fault) {
	c := &compiler{
		t:     &Table{domains: map[string]*index{}},
		names: map[string]int{},
		first: map[string]int{},
	}
	for i, r := range rules {
		c.rule(i, r)
	}
	c.index()
	if !c.failed() {
		c.t.home = c.t.homeOf(Domain(o.Hostname))
		c.checkPostmasters()
		c.checkReachable()
	}
	slices.SortStableFunc(c.faults, func(a, b Fault) int { return a.Rule - b.Rule })
	if c.failed() {
		return nil, c.faults
	}
	return c.t, c.faults
}

type compiler struct {
	t        *Table
	faults   []Fault
	patterns [][]*pattern   // of each rule, nil where an alternative is faulty
	served   [][]string     // Rule.Domains in normal form
	names    map[string]int // of the rules
	first    map[string]int // the first rule of each served domain
	entries  int
}

func (c *compiler) failed() bool {
	return slices.ContainsFunc(c.faults, func(f Fault) bool { return !f.Warning })
}

func (c *compiler) fault(rule int, key string, index int, format string, args ...any) {
	c.faults = append(c.faults, Fault{Rule: rule, Key: key, Index: index, Text: fmt.Sprintf(format, args...)})
}

func (c *compiler) warn(rule int, key string, index int, format string, args ...any) {
	c.fault(rule, key, index, format, args...)
	c.faults[len(c.faults)-1].Warning = true
}

// rule checks one rule by itself.
func (c *compiler) rule(i int, r Rule) {
	cr := compiledRule{Rule: r}
	if first, ok := c.names[r.Name]; ok && r.Name != "" {
		c.fault(i, "name", -1, "the name %q stands twice; the first is route number %d", r.Name, first+1)
	} else {
		c.names[r.Name] = i
	}
	c.checkAction(i, r)
	c.served = append(c.served, c.domainsOf(i, r))
	var patterns []*pattern
	if len(r.Recipient) == 0 {
		c.fault(i, "recipient", -1, `recipient is missing; "@in.example" takes a whole domain`)
	}
	for k, s := range r.Recipient {
		p, err := parseRecipient(s)
		if err != nil {
			c.fault(i, "recipient", k, "recipient %q: %v", s, err)
		} else {
			c.checkDomains(i, k, r, p)
		}
		patterns = append(patterns, p)
	}
	c.patterns = append(c.patterns, patterns)
	c.checkCaptures(i, r, patterns)
	c.checkFits(i, r, patterns)
	for k, s := range r.Sender {
		p, err := parseSender(s)
		if err != nil {
			c.fault(i, "sender", k, "sender %q: %v", s, err)
			continue
		}
		cr.senders = append(cr.senders, p)
	}
	cr.conditions = c.when(i, r.When)
	c.t.rules = append(c.t.rules, cr)
}

// checkAction wants exactly one of deliver, reject and discard.
func (c *compiler) checkAction(i int, r Rule) {
	delivers := len(r.Deliver) > 0 || len(r.Optional) > 0
	switch {
	case r.Reject != nil && r.Discard:
		c.fault(i, "discard", -1, "reject and discard contradict each other; keep one")
	case r.Reject != nil && delivers:
		c.fault(i, "reject", -1, "reject contradicts deliver; a route refuses or delivers")
	case r.Discard && delivers:
		c.fault(i, "discard", -1, "discard contradicts deliver; a route drops the mail or delivers it")
	case r.Continue && (r.Reject != nil || r.Discard):
		c.fault(i, "continue", -1, "continue contradicts reject and discard, which end the search")
	case len(r.Optional) > 0 && len(r.Deliver) == 0:
		c.fault(i, "optional", -1, "a route can't have optional sinks alone, for nobody would answer for the mail; add deliver, or move one of them there")
	case r.Reject == nil && !r.Discard && !delivers:
		c.fault(i, "", -1, "the route does nothing; add deliver: [SINK], reject: \"550 5.1.1 text\" or discard: true")
	}
}

func (c *compiler) domainsOf(i int, r Rule) []string {
	var domains []string
	for k, s := range r.Domains {
		d := Domain(s)
		switch err := checkDomain(s); {
		case strings.ContainsAny(s, "*{}/"):
			c.fault(i, "domains", k, "domain %q: domains are written out, without patterns", s)
		case err != nil:
			c.fault(i, "domains", k, "domain %q: %v", s, err)
		case slices.Contains(domains, d):
			c.warn(i, "domains", k, "domain %q stands twice", s)
		default:
			domains = append(domains, d)
		}
	}
	return domains
}

// checkDomains wants a pattern to say in which domains it holds.
func (c *compiler) checkDomains(i, k int, r Rule, p *pattern) {
	switch {
	case len(p.domains) == 0 && len(r.Domains) == 0 && !r.AnyDomain:
		c.fault(i, "recipient", k, "recipient %q names no literal domain; write it out (in a regular expression with \\. for the dots), or add domains: [in.example]", r.Recipient[k])
	case p.re != nil && len(p.domains) > 0:
		for _, d := range p.domains {
			if err := checkDomain(d); err != nil {
				c.fault(i, "recipient", k, "recipient %q: %v", r.Recipient[k], err)
			}
		}
	}
}

// checkCaptures wants every alternative to capture what a sink's URL may need.
func (c *compiler) checkCaptures(i int, r Rule, patterns []*pattern) {
	if !r.NeedsCaptures || slices.Contains(patterns, nil) {
		return
	}
	for k, p := range patterns {
		if k > 0 && !sameNames(patterns[0].names, p.names) {
			c.fault(i, "recipient", k, "recipient %q captures %s, but the first alternative captures %s; a sink of this route needs captures, so all alternatives must have the same",
				r.Recipient[k], nameList(p.names), nameList(patterns[0].names))
		}
	}
}

// checkFits wants every alternative to match in one of the rule's domains, and tells
// of domains that no alternative is in.
func (c *compiler) checkFits(i int, r Rule, patterns []*pattern) {
	unnamed := func(p *pattern) bool { return p == nil || len(p.domains) == 0 }
	if len(r.Domains) > 0 && len(r.Recipient) > 0 && !slices.ContainsFunc(patterns, unnamed) {
		also := ""
		for _, d := range c.served[i] {
			if !slices.ContainsFunc(patterns, func(p *pattern) bool { return slices.Contains(p.domains, d) }) {
				also = "; a domain that it alone names is served, but no recipient of the route is in it"
				break
			}
		}
		c.warn(i, "domains", -1, "domains limits nothing here, since every recipient of the route names its own domain%s", also)
	}
	for k, p := range patterns {
		if p == nil || len(p.domains) > 0 || len(c.served[i]) == 0 || slices.ContainsFunc(c.served[i], p.fits) {
			continue
		}
		c.fault(i, "recipient", k, "recipient %q matches in none of the route's domains; list a domain that fits it, or write the domain out and remove domains", r.Recipient[k])
	}
}

func sameNames(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

func nameList(names []string) string {
	if len(names) == 0 {
		return "nothing"
	}
	return "{" + strings.Join(names, "} {") + "}"
}
