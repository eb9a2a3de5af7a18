package routing

import (
	"slices"

	"mxhook/inbound"
)

// checkPostmasters wants somebody to take postmaster at every served domain,
// whoever writes (RFC 5321 4.5.1).
func (c *compiler) checkPostmasters() {
	for _, d := range c.t.order {
		if c.t.postmasterRule(d) < 0 && !c.t.takesPostmaster(d) {
			c.fault(c.first[d], "recipient", -1,
				"nothing takes postmaster@%s, which must always be accepted (RFC 5321 4.5.1); add a route such as {recipient: \"postmaster@%s\", deliver: [SINK]}", d, d)
		}
	}
	const other = "other.invalid"
	if c.t.any != nil && c.t.postmasterRule(other) < 0 && !c.t.takesPostmaster(other) {
		c.fault(0, "recipient", -1, "nothing takes postmaster of every domain; add a route that takes \"*\"")
	}
}

// takesPostmaster tells whether the rules alone, without the rule of last resort,
// take postmaster at the domain from every sender.
func (t *Table) takesPostmaster(domain string) bool {
	takes := false
	a := newAddress(inbound.Path{LocalPart: "postmaster", Domain: domain})
	t.entries(a, func(e entry) bool {
		captures, ok := e.p.match(a)
		if !ok {
			return true
		}
		r := &t.rules[e.rule]
		_, bad := badCapture(captures)
		switch {
		case bad, r.Reject != nil:
			return false
		case len(r.senders) > 0, r.conditions != nil:
			return true
		}
		takes = true
		return false
	})
	return takes
}

// checkReachable finds rules that never take anything, because former rules
// without Continue take everything they could, and rules whose reject never refuses,
// because former rules with Continue do. An alternative counts as taken if one former
// pattern takes all of it; what only several together take is not seen. It never
// blames a rule that has an effect.
func (c *compiler) checkReachable() {
	steps := &containment{maxWalks}
	final, passing := newCover(c, steps, false), newCover(c, steps, true)
	for i, r := range c.t.rules {
		if by := final.takes(i); by >= 0 {
			c.fault(i, "recipient", -1, "it is never reached: route %q before it takes all that it takes; move this one up, or give %q continue: true",
				c.t.rules[by].Name, c.t.rules[by].Name)
		} else if r.Reject != nil {
			if by := passing.takes(i); by >= 0 {
				c.warn(i, "reject", -1, "it refuses nobody: route %q with continue before it takes all that it takes; move this one up", c.t.rules[by].Name)
			}
		}
		if r.Continue {
			passing.add(i)
		} else {
			final.add(i)
		}
	}
}

// cover are the patterns of the rules so far, with Continue or without.
type cover struct {
	c         *compiler
	steps     *containment
	continues bool
	domains   map[string]*formerPatterns // "" for those of every domain
}

func newCover(c *compiler, steps *containment, continues bool) *cover {
	return &cover{c, steps, continues, map[string]*formerPatterns{}}
}

func (v *cover) at(domain string) *formerPatterns {
	f := v.domains[domain]
	if f == nil {
		f = &formerPatterns{normal: map[string][]int{}, wild: map[string][]entry{}}
		v.domains[domain] = f
	}
	return f
}

func (v *cover) add(rule int) {
	v.c.places(rule, func(e entry, domain string) bool {
		if domain == "" || e.p.fits(domain) {
			v.at(domain).add(e)
		}
		return true
	})
}

// formerPatterns are the patterns of rules without Continue, at one domain.
type formerPatterns struct {
	normal map[string][]int // rules by the pattern's normal form
	every  []int            // rules that take every local part
	// wild are the patterns with wildcards by the literal text before the first, "" for
	// regular expressions.
	wild map[string][]entry
}

func (f *formerPatterns) add(e entry) {
	if e.p.everyLocal() {
		f.every = append(f.every, e.rule)
		return
	}
	f.normal[e.p.normal] = append(f.normal[e.p.normal], e.rule)
	if _, ok := e.p.literal(""); !ok {
		f.wild[e.p.prefix()] = append(f.wild[e.p.prefix()], e)
	}
}

// prefix returns the folded text that every local part begins with that p takes, ""
// for a regular expression.
func (p *pattern) prefix() string {
	if p.re != nil || p.local == nil {
		return ""
	}
	return p.local.prefix
}

// places calls yield with each alternative of a rule at each domain it serves, ""
// for all, until it returns false.
func (c *compiler) places(rule int, yield func(entry, string) bool) {
	for k, p := range c.patterns[rule] {
		domains := p.domains
		if len(domains) == 0 {
			domains = c.served[rule]
		}
		if len(domains) == 0 {
			domains = []string{""}
		}
		for _, d := range domains {
			if !yield(entry{rule, k, p}, d) {
				return
			}
		}
	}
}

// takes returns a former rule that takes what rule i takes, the last one needed for
// it; -1 if something may be left for rule i.
func (v *cover) takes(i int) int {
	by := -1
	v.c.places(i, func(e entry, domain string) bool {
		if domain != "" && !e.p.fits(domain) {
			return true // there it takes nothing
		}
		n := v.takesPlace(e, domain)
		if n < 0 {
			by = -1
			return false
		}
		by = max(by, n)
		return true
	})
	if by >= 0 && v.c.lastResort(i) {
		return -1
	}
	return by
}

// lastResort tells whether rule i takes postmaster of a domain since no other does.
func (c *compiler) lastResort(i int) bool {
	is := func(domain string) bool {
		return c.t.postmasterRule(domain) == i && !c.t.takesPostmaster(domain)
	}
	found := slices.ContainsFunc(c.served[i], is)
	c.places(i, func(_ entry, domain string) bool {
		found = found || is(domain)
		return !found
	})
	return found
}

// takesPlace is takes for one alternative at one domain.
func (v *cover) takesPlace(e entry, domain string) int {
	for _, d := range []string{domain, ""} {
		for _, rules := range [][]int{v.at(d).every, v.at(d).normal[e.p.normal]} {
			for _, n := range rules {
				if v.covers(n, e.rule) {
					return n
				}
			}
		}
	}
	if domain == "" {
		return -1
	}
	a, ok := e.p.literal(domain)
	if !ok {
		return v.takesWild(e, domain)
	}
	by := -1
	v.c.t.entries(a, func(former entry) bool {
		if former.rule >= e.rule {
			return false
		}
		if v.c.t.rules[former.rule].Continue != v.continues || former.p.minds || !v.covers(former.rule, e.rule) {
			return true
		}
		if _, ok := former.p.match(a); ok {
			by = former.rule
		}
		return by < 0
	})
	return by
}

// takesWild is takesPlace for a pattern with wildcards: a former pattern may take all
// texts that it takes.
func (v *cover) takesWild(e entry, domain string) int {
	prefix := e.p.prefix()
	if row, ok := e.p.signs(domain); ok && e.p.re != nil {
		for _, s := range row {
			if s.class != 0 {
				break
			}
			prefix += string(s.char)
		}
	}
	for _, d := range []string{domain, ""} {
		wild := v.at(d).wild
		if len(wild) == 0 {
			continue
		}
		for i := 0; i <= len(prefix); i++ {
			for _, former := range wild[prefix[:i]] {
				if (d != "" || former.p.domain == nil || former.p.fits(domain)) && v.steps.pattern(former.p, e.p, domain) && v.covers(former.rule, e.rule) {
					return former.rule
				}
			}
		}
	}
	return -1
}

// covers tells whether rule n surely takes every message that rule i takes, by its
// sender and its conditions. Whom a rule with conditions asks at RCPT may take it out of
// the candidates, so that the next one is reached.
func (v *cover) covers(n, i int) bool {
	former, later := v.c.t.rules[n], v.c.t.rules[i]
	if former.When != nil && (former.Asks || later.When == nil || !v.steps.when(former.When, later.When)) {
		return false
	}
	return v.sendersCover(former.senders, later.senders)
}

// sendersCover tells whether the former patterns surely take every sender that the later
// ones take.
func (v *cover) sendersCover(former, later []*pattern) bool {
	if len(former) == 0 {
		return true
	}
	if len(later) == 0 {
		return false
	}
	for _, p := range later {
		if !slices.ContainsFunc(former, func(q *pattern) bool { return v.steps.sender(q, p) }) {
			return false
		}
	}
	return true
}
