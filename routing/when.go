package routing

import (
	"fmt"
	"slices"
	"strings"

	"mxhook/inbound/message"
	"mxhook/verify/authres"
)

// When are the conditions of a rule that only the message itself can answer, so that
// they are decided after the data. A condition that is not set takes every message; all
// that are set must hold, and of a list one entry.
type When struct {
	// SPF, DKIM, DMARC and ARC are results of these methods: SPF's of the reverse-path,
	// DKIM's of any signature, none where there is no signature.
	SPF, DKIM, DMARC, ARC []authres.Result
	// FromVerified is whether the domain of the author is proved (verify.Results).
	FromVerified *bool
	// From are patterns of the RFC5322.From address, in the language of Rule.Sender. Every
	// author must be taken by one of them; a message without an author is taken by none.
	From []string
	// Subject are globs: * is any text, everything else itself, without case. The whole
	// Subject is compared, decoded; a missing one is empty.
	Subject []string
	Header  []HeaderCondition
	Class   []message.Class
	Size    *SizeBound
}

// HeaderCondition wants a field of a name, in any case, whose decoded value one of the
// globs takes. Of several fields of the name one is enough.
type HeaderCondition struct {
	Name   string
	Values []string // * takes every value: the field is there
}

// SizeBound bounds the octets of a message as received.
type SizeBound struct {
	Op     string // "<", "<=", ">" or ">="
	Octets int64
}

// SizeOps are the operators of a SizeBound.
func SizeOps() []string { return []string{"<", "<=", ">", ">="} }

// Takes tells whether n octets are within the bound.
func (b SizeBound) Takes(n int64) bool {
	switch b.Op {
	case "<":
		return n < b.Octets
	case "<=":
		return n <= b.Octets
	case ">":
		return n > b.Octets
	}
	return n >= b.Octets
}

// span returns the first and the last number of octets that b takes; last is -1 where
// there is none.
func (b SizeBound) span() (first, last int64) {
	const most = int64(1)<<62 - 1
	switch b.Op {
	case "<":
		return 0, b.Octets - 1
	case "<=":
		return 0, b.Octets
	case ">":
		return b.Octets + 1, most
	}
	return b.Octets, most
}

// String returns the bound as a configuration has it: "<10MiB", "<1000".
func (b SizeBound) String() string {
	n, unit := b.Octets, ""
	for _, u := range []string{"KiB", "MiB", "GiB"} {
		if n == 0 || n%1024 != 0 {
			break
		}
		n, unit = n/1024, u
	}
	return fmt.Sprint(b.Op, n, unit)
}

// The results that a method may give (RFC 8601 2.7, RFC 8617 4.2).
var (
	spfResults   = []authres.Result{authres.None, authres.Pass, authres.Fail, authres.SoftFail, authres.Neutral, authres.TempError, authres.PermError}
	dkimResults  = []authres.Result{authres.None, authres.Pass, authres.Fail, authres.Policy, authres.Neutral, authres.TempError, authres.PermError}
	dmarcResults = []authres.Result{authres.None, authres.Pass, authres.Fail, authres.TempError, authres.PermError}
	arcResults   = []authres.Result{authres.None, authres.Pass, authres.Fail, authres.TempError}
)

// Methods are those whose results a When may want, in the order in which they are told.
func Methods() []string { return []string{"dmarc", "spf", "dkim", "arc"} }

// MethodResults returns the results that a method of Methods may give. The slice is the
// caller's.
func MethodResults(method string) []authres.Result {
	switch method {
	case "spf":
		return slices.Clone(spfResults)
	case "dkim":
		return slices.Clone(dkimResults)
	case "dmarc":
		return slices.Clone(dmarcResults)
	case "arc":
		return slices.Clone(arcResults)
	}
	return nil
}

// results returns what w wants of a method.
func (w *When) results(method string) []authres.Result {
	switch method {
	case "spf":
		return w.SPF
	case "dkim":
		return w.DKIM
	case "dmarc":
		return w.DMARC
	}
	return w.ARC
}

// Classes are the classes of messages that a When may want. The slice is the caller's.
func Classes() []message.Class {
	return []message.Class{message.ClassNormal, message.ClassAutoReply, message.ClassBounce,
		message.ClassFeedbackReport, message.ClassList, message.ClassCalendar}
}

// NeedsVerdicts tells whether a condition is about what verification found.
func (w *When) NeedsVerdicts() bool {
	return len(w.SPF)+len(w.DKIM)+len(w.DMARC)+len(w.ARC) > 0 || w.FromVerified != nil
}

// empty tells whether nothing is set.
func (w *When) empty() bool {
	return !w.NeedsVerdicts() && len(w.From)+len(w.Subject)+len(w.Header)+len(w.Class) == 0 && w.Size == nil
}

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
