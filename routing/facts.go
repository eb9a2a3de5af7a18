package routing

import (
	"strings"

	"mxhook/inbound/message"
	"mxhook/verify"
)

// Facts are what is known of a message when its data has come.
type Facts struct {
	// Results are the verdicts; nil when nobody asked for them, so that what depends on
	// them stays open.
	Results *verify.Results
	// ARCCounts says that there are trusted sealers, whose word may still verify the
	// author while the chain is temperror.
	ARCCounts bool
	// Decided says that the sender was asked to come again for long enough: a verdict that
	// is still temperror counts as a condition that is not met.
	Decided bool
	// Message is the parsed message, without what trace.Cut hides.
	Message *message.Message
	// Size is the octets of the message as received.
	Size int64

	known map[*conditions]Truth // what was decided already; nil remembers nothing
}

// Remembering returns facts that decide the conditions of a rule once, however many
// recipients it may take. They are for one goroutine, and for this message: only Decided
// may be changed afterwards.
func (f Facts) Remembering() Facts {
	f.known = map[*conditions]Truth{}
	return f
}

// Truth is what the facts say of a condition. All of several hold as the least of them
// does: a No decides whatever is open.
type Truth int8

// The truths, in order.
const (
	No Truth = iota
	Open
	Yes
)

// String returns "no", "open" or "yes".
func (t Truth) String() string { return [...]string{"no", "open", "yes"}[t] }

func truth(is bool) Truth {
	if is {
		return Yes
	}
	return No
}

// Finding is what the facts say of one condition.
type Finding struct {
	Text  string // "dmarc is pass or none"
	Truth Truth
	Found string // what the message has instead, "" where it holds
}

// conditions are a When that was compiled.
type conditions struct {
	when *When
	list []condition
}

type condition struct {
	text  string // what is wanted, as "dmarc is pass or none"
	holds func(*Facts) Truth
	found func(*Facts) string // what there is
}

func (c *conditions) add(one condition) { c.list = append(c.list, one) }

// String returns the conditions in words.
func (c *conditions) String() string {
	texts := make([]string, len(c.list))
	for i, one := range c.list {
		texts[i] = one.text
	}
	return strings.Join(texts, " and ")
}

// holds tells whether all conditions hold; nil has none.
func (c *conditions) holds(f *Facts) Truth {
	if c == nil {
		return Yes
	}
	all, known := f.known[c]
	if known {
		return all
	}
	all = Yes
	for _, one := range c.list {
		if all = min(all, one.holds(f)); all == No {
			break
		}
	}
	if f.known != nil {
		f.known[c] = all
	}
	return all
}

// findings tells of each condition whether it holds.
func (c *conditions) findings(f *Facts) (list []Finding) {
	if c == nil {
		return nil
	}
	for _, one := range c.list {
		n := Finding{Text: one.text, Truth: one.holds(f)}
		if n.Truth != Yes {
			n.Found = one.found(f)
		}
		list = append(list, n)
	}
	return list
}
