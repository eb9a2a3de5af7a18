package config

import (
	"slices"
	"strings"

	"mxhook/inbound/message"
	"mxhook/routing"
	"mxhook/verify/authres"
)

// when reads the conditions of a route on the message. It is false after a fault: then
// what other routes take can't be known.
func (d *decoder) when(r *route, c *Config) bool {
	if !r.section.has("when") {
		return true
	}
	before := len(d.problems)
	r.rule.When = &routing.When{}
	n := r.section.values["when"]
	s, ok := d.section(n, "routes[].when", r.section.key("when"))
	if ok = ok && n != nil; ok {
		r.when = s
		r.rule.When = d.conditions(r, s, c)
	}
	if ok && !d.faultsSince(before) {
		return true
	}
	// Something in its place keeps routing from missing what has a fault already.
	r.rule.When.Header = append(r.rule.When.Header, routing.HeaderCondition{Name: "Faulty", Values: []string{"*"}})
	return false
}

func (d *decoder) faultsSince(n int) bool {
	return slices.ContainsFunc(d.problems[n:], func(p Problem) bool { return !p.Warning })
}

func (d *decoder) conditions(r *route, s *section, c *Config) *routing.When {
	w := &routing.When{
		DMARC: words[authres.Result](r, s, "dmarc"), SPF: words[authres.Result](r, s, "spf"),
		DKIM: words[authres.Result](r, s, "dkim"), ARC: words[authres.Result](r, s, "arc"),
		From: words[string](r, s, "from"), Subject: words[string](r, s, "subject"),
		Class: words[message.Class](r, s, "class"),
	}
	if _, ok := s.single["from_verified"]; ok {
		wanted := s.flag("from_verified")
		w.FromVerified = &wanted
	}
	d.header(r, s, w)
	d.size(s, w, c.Limits.MessageSize)
	if len(w.SPF) > 0 && !slices.Contains(w.SPF, authres.None) && !slices.ContainsFunc(c.Listeners, func(l Listener) bool { return l.Kind != "lmtp" }) {
		d.warn(s.at("spf"), "%s: spf never holds, for over lmtp spf is none: the client is a relay of yours", s.what)
	}
	return w
}

// words reads a list that has to hold something, and remembers where it stands.
func words[T ~string](r *route, s *section, name string) (list []T) {
	if s.values[name] == nil {
		return nil
	}
	scalars := s.texts(name)
	for _, v := range scalars {
		if v.ok && slices.Contains(list, T(v.text)) {
			s.d.fault(v.place, "%s: %s stands twice; keep one", s.key(name), quote(v.raw))
		}
		list = append(list, T(v.text))
		if v.expanded {
			s.d.hideParts(v)
		}
	}
	if len(scalars) == 0 {
		s.d.fault(s.at(name), "%s is an empty list; remove it", s.key(name))
	}
	r.lists["when."+name] = scalars
	return list
}

// header reads the names of header fields with the globs of their values.
func (d *decoder) header(r *route, s *section, w *routing.When) {
	n := s.values["header"]
	if n == nil {
		return
	}
	list, ok := d.pairs(n, s.key("header"))
	if ok && len(list) == 0 {
		d.fault(s.at("header"), "%s names no field; remove it", s.key("header"))
	}
	for _, p := range list {
		what := s.key("header: " + quote(p.name))
		h := routing.HeaderCondition{Name: p.name}
		globs := d.list(p.value, key{kind: kindTexts}, what)
		for _, v := range globs {
			h.Values = append(h.Values, v.text)
		}
		r.lists["when.header."+p.name] = globs
		r.fields[p.name] = p.place
		w.Header = append(w.Header, h)
	}
}

// size reads "<10MiB". most is the largest message that is taken.
func (d *decoder) size(s *section, w *routing.When, most int64) {
	v, ok := s.single["size"]
	if !ok {
		return
	}
	what := s.key("size")
	number := strings.TrimLeft(v.text, "<>=")
	bound := routing.SizeBound{Op: strings.TrimSuffix(v.text, number)}
	octets, err := parseSize(strings.TrimSpace(number))
	switch {
	case !slices.Contains(routing.SizeOps(), bound.Op):
		d.fault(v.place, "%s must begin with one of %s, as in \"<10MiB\"", what, strings.Join(routing.SizeOps(), ", "))
		return
	case err != nil:
		d.fault(v.place, "%s: %v", what, err)
		return
	}
	bound.Octets = octets
	switch {
	case bound.Takes(0) && bound.Takes(most):
		d.warn(v.place, "%s takes every message, for limits.message_size is %s", what, showSize(most))
	case bound.Op[0] == '>' && !bound.Takes(most):
		d.fault(v.place, "%s never holds, for limits.message_size is %s", what, showSize(most))
	}
	w.Size = &bound
}
