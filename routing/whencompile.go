package routing

import (
	"slices"
	"strings"

	"mxhook/inbound/message"
	"mxhook/verify/authres"
)

// when checks the conditions of a rule and compiles them. Keys of faults are those of
// the configuration: "when.from".
func (c *compiler) when(i int, w *When) *conditions {
	if w == nil {
		return nil
	}
	if w.empty() {
		c.fault(i, "when", -1, "when has no condition; add one of dmarc, spf, dkim, arc, from_verified, from, subject, header, class, size, or remove it")
		return nil
	}
	out := &conditions{when: w}
	for _, method := range Methods() {
		wanted := w.results(method)
		if k := slices.IndexFunc(wanted, func(r authres.Result) bool { return !slices.Contains(MethodResults(method), r) }); k >= 0 {
			c.fault(i, "when."+method, k, "%s never has the result %q; it has %s", method, wanted[k], joined(MethodResults(method)))
		}
		if len(wanted) > 0 {
			out.add(resultCondition(method, wanted))
		}
	}
	if w.FromVerified != nil {
		out.add(fromVerifiedCondition(*w.FromVerified))
	}
	if len(w.From) > 0 {
		out.add(fromCondition(w.From, c.authors(i, w.From)))
	}
	if len(w.Subject) > 0 {
		out.add(subjectCondition(w.Subject, c.texts(i, "when.subject", w.Subject)))
	}
	c.headers(i, w, out)
	if k := slices.IndexFunc(w.Class, func(class message.Class) bool { return !slices.Contains(Classes(), class) }); k >= 0 {
		c.fault(i, "when.class", k, "there is no class %q; there are %s", w.Class[k], joined(Classes()))
	}
	if len(w.Class) > 0 {
		out.add(classCondition(w.Class))
	}
	if w.Size != nil {
		out.add(sizeCondition(*w.Size))
	}
	c.neverHolds(i, w)
	return out
}

// authors reads the patterns of From.
func (c *compiler) authors(i int, list []string) (patterns []*pattern) {
	for k, s := range list {
		p, err := parseSender(s)
		switch {
		case err != nil:
			c.fault(i, "when.from", k, "from %q: %v", s, err)
		case p.null:
			c.fault(i, "when.from", k, "from %q: no author is empty; the null reverse-path is a sender: \"<>\"", s)
		default:
			patterns = append(patterns, p)
		}
	}
	return patterns
}

// texts reads globs of free text.
func (c *compiler) texts(i int, key string, list []string) (globs []textGlob) {
	for k, s := range list {
		if err := checkText(s); err != nil {
			c.fault(i, key, k, "%q: %v", s, err)
			continue
		}
		globs = append(globs, newTextGlob(s))
	}
	return globs
}

func (c *compiler) headers(i int, w *When, out *conditions) {
	named := map[string]bool{}
	for _, h := range w.Header {
		key := "when.header." + h.Name
		lower := strings.ToLower(h.Name)
		switch {
		case !isFieldName(h.Name):
			c.fault(i, key, -1, "%q is no name of a header field", h.Name)
		case named[lower]:
			c.fault(i, key, -1, "the field %q stands twice, its name is without case; make it one with a list", h.Name)
		case len(h.Values) == 0:
			c.fault(i, key, -1, "the field %q has no value; \"*\" takes every value", h.Name)
		case lower == "authentication-results" || lower == "received-spf" || lower == "arc-authentication-results":
			c.warn(i, key, -1, "anybody can write a field %s; what mxhook found itself is in dmarc, spf, dkim, arc and from_verified", h.Name)
		}
		named[lower] = true
		out.add(headerCondition(h, c.texts(i, key, h.Values)))
	}
}

// neverHolds finds conditions that contradict each other, or themselves.
func (c *compiler) neverHolds(i int, w *When) {
	if w.FromVerified != nil && !*w.FromVerified && len(w.DMARC) > 0 && !slices.ContainsFunc(w.DMARC, func(r authres.Result) bool { return r != authres.Pass }) {
		c.fault(i, "when.from_verified", -1, "it never holds: where dmarc is pass, from_verified is true")
	}
	if w.Size == nil {
		return
	}
	if first, last := w.Size.span(); !slices.Contains(SizeOps(), w.Size.Op) || last < first {
		c.fault(i, "when.size", -1, "it never holds: no message has a size of %s", w.Size)
	}
}

// isFieldName tells whether s can name a header field (RFC 5322 2.2).
func isFieldName(s string) bool {
	return s != "" && len(s) <= 128 && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r >= 0x7f || r == ':' })
}

// joined lists words as "a, b and c".
func joined[T ~string](words []T) string {
	var b strings.Builder
	for i, w := range words {
		switch {
		case i > 0 && i == len(words)-1:
			b.WriteString(" and ")
		case i > 0:
			b.WriteString(", ")
		}
		b.WriteString(string(w))
	}
	return b.String()
}
