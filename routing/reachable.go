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
// without Continue take everything they could. It knows patterns that are written
// alike, whole domains, and addresses that a former pattern matches; it never
// blames a rule that can be reached.
func (c *compiler) checkReachable() {
	former := map[string]*formerPatterns{}
	at := func(domain string) *formerPatterns {
		f := former[domain]
		if f == nil {
			f = &formerPatterns{normal: map[string][]int{}}
			former[domain] = f
		}
		return f
	}
	for i := range c.t.rules {
		if by := c.takenBy(i, at); by >= 0 {
			c.fault(i, "recipient", -1, "it is never reached: route %q before it takes all that it takes; move this one up, or give %q continue: true",
				c.t.rules[by].Name, c.t.rules[by].Name)
		}
		if c.t.rules[i].Continue {
			continue
		}
		c.places(i, func(e entry, domain string) bool {
			at(domain).add(e)
			return true
		})
	}
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

// takenBy returns a former rule that takes what rule i takes, the last one needed
// for it; -1 if something may be left for rule i.
func (c *compiler) takenBy(i int, at func(string) *formerPatterns) int {
	by := -1
	c.places(i, func(e entry, domain string) bool {
		n := c.placeTakenBy(e, domain, at)
		if n < 0 || c.t.postmasterRule(domain) == i && !c.t.takesPostmaster(domain) {
			by = -1
			return false
		}
		by = max(by, n)
		return true
	})
	return by
}

func (c *compiler) placeTakenBy(e entry, domain string, at func(string) *formerPatterns) int {
	covers := func(rules []int) int {
		for _, n := range rules {
			if c.sendersCover(n, e.rule) {
				return n
			}
		}
		return -1
	}
	for _, d := range []string{domain, ""} {
		if n := covers(at(d).every); n >= 0 {
			return n
		}
		if n := covers(at(d).normal[e.p.normal]); n >= 0 {
			return n
		}
	}
	a, ok := e.p.literal(domain)
	if !ok || domain == "" {
		return -1
	}
	by := -1
	c.t.entries(a, func(former entry) bool {
		if former.rule >= e.rule {
			return false
		}
		if c.t.rules[former.rule].Continue || !c.sendersCover(former.rule, e.rule) {
			return true
		}
		if _, ok := former.p.match(a); ok && !former.p.minds {
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
