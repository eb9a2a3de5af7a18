// Package routing decides which routes take a recipient. It is pure: no I/O, no
// clock, no goroutine. A Table is compiled once from Rules and is then immutable
// and safe for concurrent use.
package routing

import (
	"time"

	"mxhook/inbound/status"
)

// Rule is one route as the configuration states it.
type Rule struct {
	// Name is unique; the configuration gives a nameless route its number.
	Name string
	// Recipient are the alternatives: "support+{ticket}@in.example" ({name} captures
	// as few characters as possible other than @, * is any text), "@in.example" (the
	// whole domain), or /…/ (a regular expression with named groups).
	Recipient []string
	// Domains are the domains that Recipient means where it names none.
	Domains []string
	// AnyDomain lets the rule serve every domain. Only the development defaults
	// use it; a configuration can't.
	AnyDomain bool
	// Sender are the alternatives for the reverse-path; empty takes any.
	Sender []string
	// When are conditions on the message; nil has none. A rule that has them is a
	// candidate until the data has come.
	When *When
	// Continue lets the search go on after this rule has matched.
	Continue bool
	// Deliver and Optional name sinks.
	Deliver  []string
	Optional []string
	// NeedsCaptures says that a sink of this rule has a URL with captures.
	NeedsCaptures bool
	// Repeat lets a message that is sent again be delivered again, also where it was
	// delivered.
	Repeat bool
	// Spool lets the message be taken before its required sinks have it, which get it
	// from the spool. SpillAfter does so with what was deferred for that long; 0 is
	// never. A rule with either takes mail while its sinks can't.
	Spool      bool
	SpillAfter time.Duration
	// Reject refuses the recipient with this reply.
	Reject *status.Reply
	// Asks says that somebody outside is asked at RCPT whether the recipient is wanted. It
	// is nothing to a Table, but for what Explain tells.
	Asks bool
	// Discard accepts the message and delivers it nowhere.
	Discard bool
}
