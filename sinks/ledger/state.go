package ledger

import "time"

// State is what became of a unit.
type State byte

// The states. The zero State says that nothing is known of the unit.
const (
	Delivered State = 1 // its sink said yes
	Refused   State = 2 // its sink refused it for good, and it is kept as a dead event
	Spooled   State = 3 // the spool has it, and answers for what becomes of it
	Deferred  State = 4 // the sender was told to come again
)

// String returns the state's name in lower case, "unknown" for none.
func (s State) String() string {
	switch s {
	case Delivered:
		return "delivered"
	case Refused:
		return "refused"
	case Spooled:
		return "spooled"
	case Deferred:
		return "deferred"
	}
	return "unknown"
}

// Suppresses tells whether a unit in this state is not sent again.
func (s State) Suppresses() bool { return s == Delivered || s == Refused || s == Spooled }

const lastRank = 3

// rank says which of two states of a unit holds: the later step on its way, in
// whatever order they were marked, since a spool's worker may be done with a unit
// before it was marked as spooled.
func (s State) rank() int {
	switch s {
	case Deferred:
		return 1
	case Spooled:
		return 2
	case Delivered, Refused:
		return lastRank
	}
	return 0
}

// yields tells whether a unit's state gives way to a later one. The first time that a
// unit was deferred is the one that counts.
func (s State) yields(to State) bool {
	return to.rank() > s.rank() || to.rank() == s.rank() && s != Deferred
}

// Done is what is known of a unit.
type Done struct {
	State State
	Event string // the id of the event that carried it
	// Age is for how long it has been so, by the ledger's clock; of a deferred unit,
	// since the first time that it was.
	Age time.Duration
	// At is what was given to MarkSince, UTC; else zero.
	At time.Time
}
