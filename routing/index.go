package routing

import "strings"

// index puts the patterns under the domains that they serve.
func (c *compiler) index() {
	for i := range c.t.rules {
		for _, d := range c.served[i] {
			c.lastTaker(i, c.serve(i, d))
		}
		for k, p := range c.patterns[i] {
			switch {
			case p == nil:
			case len(p.domains) > 0:
				for _, d := range p.domains {
					c.add(i, k, p, c.serve(i, d), d)
				}
			case len(c.served[i]) > 0:
				for _, d := range c.served[i] {
					c.add(i, k, p, c.serve(i, d), d)
				}
			case c.t.rules[i].AnyDomain:
				if c.t.any == nil {
					c.t.any = newIndex()
				}
				c.add(i, k, p, c.t.any, "")
			}
		}
	}
	if c.entries > maxEntries {
		c.fault(len(c.t.rules)-1, "", -1, "the routes' alternatives times their domains are more than %d", maxEntries)
	}
}

func newIndex() *index { return &index{literal: map[string][]entry{}, postmaster: -1} }

func (c *compiler) serve(rule int, domain string) *index {
	x := c.t.domains[domain]
	if x == nil {
		x = newIndex()
		c.t.domains[domain] = x
		c.t.order = append(c.t.order, domain)
		c.first[domain] = rule
	}
	return x
}

func (c *compiler) add(rule, alternative int, p *pattern, x *index, domain string) {
	if c.entries++; c.entries > maxEntries {
		return
	}
	e := entry{rule, alternative, p}
	if a, ok := p.literal(domain); ok {
		x.literal[a.folded] = append(x.literal[a.folded], e)
	} else {
		x.general = append(x.general, e)
	}
	c.lastTaker(rule, x)
}

// lastTaker makes a rule the one of last resort for postmaster, if it can be that and
// is the domain's first.
func (c *compiler) lastTaker(rule int, x *index) {
	if r := &c.t.rules[rule]; x.postmaster < 0 && len(r.Deliver) > 0 && !r.NeedsCaptures {
		x.postmaster = rule
	}
}

// homeOf returns the domain of a bare <postmaster>: the hostname if it is served,
// else its nearest served parent, else the first served domain.
func (t *Table) homeOf(hostname string) string {
	if t.any != nil && hostname != "" {
		return hostname
	}
	for d := hostname; d != ""; _, d, _ = strings.Cut(d, ".") {
		if t.domains[d] != nil {
			return d
		}
	}
	if len(t.order) > 0 {
		return t.order[0]
	}
	return ""
}
