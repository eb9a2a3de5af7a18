package routing

// match tells whether p takes a, and what it captures: nil if p has no captures.
// Whether the domain is one that the rule serves is the index's business.
func (p *pattern) match(a address) (map[string]string, bool) {
	switch {
	case p.all:
		return nil, true
	case p.null:
		return nil, a.local == "" && a.domain == ""
	case p.re != nil:
		return p.matchExpr(a)
	case a.local == "" && a.domain == "":
		return nil, false
	case p.domain == nil && len(p.domains) > 0 && p.domains[0] != a.domain:
		return nil, false
	}
	local, ok := p.local.match(a.local, a.folded)
	if !ok {
		return nil, false
	}
	var domain []int
	if p.domain != nil {
		if domain, ok = p.domain.match(a.domain, a.domain); !ok {
			return nil, false
		}
	}
	if len(p.names) == 0 {
		return nil, true
	}
	captures := make(map[string]string, len(p.names))
	for i, name := range p.local.names {
		captures[name] = a.local[local[2*i]:local[2*i+1]]
	}
	if p.domain != nil {
		for i, name := range p.domain.names {
			captures[name] = a.domainSpan(domain[2*i], domain[2*i+1])
		}
	}
	return captures, true
}

func (p *pattern) matchExpr(a address) (map[string]string, bool) {
	text := a.text()
	m := p.re.FindStringSubmatchIndex(text)
	if m == nil {
		return nil, false
	}
	if len(p.names) == 0 {
		return nil, true
	}
	captures := make(map[string]string, len(p.names))
	for i, name := range p.re.SubexpNames() {
		if name == "" {
			continue
		}
		captures[name] = ""
		if m[2*i] >= 0 {
			captures[name] = text[m[2*i]:m[2*i+1]]
		}
	}
	return captures, true
}

// literal returns the address that alone p takes at domain d, if there is but one.
func (p *pattern) literal(d string) (address, bool) {
	if p.re != nil || p.null || p.all || p.local.any || p.local.re != nil {
		return address{}, false
	}
	return address{local: p.local.literal, folded: p.local.literal, domain: d, written: d}, true
}

// everyLocal tells whether p takes every local part of a domain that it serves.
func (p *pattern) everyLocal() bool {
	return p.all || p.re == nil && !p.null && p.local.any && p.domain == nil
}
