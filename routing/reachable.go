package routing

import "mxhook/inbound"

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
		case len(r.senders) > 0:
			return true
		}
		takes = true
		return false
	})
	return takes
}

// checkReachable finds rules that never take anything, because former rules
// without Continue take everything they could, and rules whose reject never refuses,
// because former rules with Continue do. It knows patterns that are written alike,
// whole domains, and addresses that a former pattern matches; it never blames a rule
// that has an effect.
func (c *compiler) checkReachable() {
	final, passing := newCover(c, false), newCover(c, true)
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
	continues bool
	domains   map[string]*formerPatterns // "" for those of every domain
}

func newCover(c *compiler, continues bool) *cover {
	return &cover{c, continues, map[string]*formerPatterns{}}
}

func (v *cover) at(domain string) *formerPatterns {
	f := v.domains[domain]
	if f == nil {
		f = &formerPatterns{normal: map[string][]int{}}
		v.domains[domain] = f
	}
	return f
}

func (v *cover) add(rule int) {
	v.c.places(rule, func(e entry, domain string) bool {
		v.at(domain).add(e)
		return true
	})
}

// formerPatterns are the patterns of rules without Continue, at one domain.
type formerPatterns struct {
	normal map[string][]int // rules by the pattern's normal form
	every  []int            // rules that take every local part
}

func (f *formerPatterns) add(e entry) {
	if e.p.everyLocal() {
		f.every = append(f.every, e.rule)
		return
	}
	f.normal[e.p.normal] = append(f.normal[e.p.normal], e.rule)
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
		n := v.takesPlace(e, domain)
		if n < 0 || v.c.t.postmasterRule(domain) == i && !v.c.t.takesPostmaster(domain) {
			by = -1
			return false
		}
		by = max(by, n)
		return true
	})
	return by
}

// takesPlace is takes for one alternative at one domain.
func (v *cover) takesPlace(e entry, domain string) int {
	for _, d := range []string{domain, ""} {
		for _, rules := range [][]int{v.at(d).every, v.at(d).normal[e.p.normal]} {
			for _, n := range rules {
				if v.c.sendersCover(n, e.rule) {
					return n
				}
			}
		}
	}
	a, ok := e.p.literal(domain)
	if !ok || domain == "" {
		return -1
	}
	by := -1
	v.c.t.entries(a, func(former entry) bool {
		if former.rule >= e.rule {
			return false
		}
		if v.c.t.rules[former.rule].Continue != v.continues || former.p.minds || !v.c.sendersCover(former.rule, e.rule) {
			return true
		}
		if _, ok := former.p.match(a); ok {
			by = former.rule
		}
		return by < 0
	})
	return by
}

// sendersCover tells whether rule n surely takes every sender that rule i takes.
func (c *compiler) sendersCover(n, i int) bool {
	former, later := c.t.rules[n].senders, c.t.rules[i].senders
	if len(former) == 0 {
		return true
	}
	if len(later) == 0 {
		return false
	}
	for _, p := range later {
		covered := false
		for _, q := range former {
			covered = covered || q.all || q.normal == p.normal
		}
		if !covered {
			return false
		}
	}
	return true
}
