package routing

import (
	"fmt"
	"slices"

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
