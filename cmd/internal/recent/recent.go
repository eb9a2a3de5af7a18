// Package recent remembers the last messages for the page: facts of the envelope, the
// verdicts, the routes and what the sinks said. It holds no body, lives in memory, and is
// empty after a restart.
//
// A Store is bounded by count and by octets; what is the oldest goes first. Transactions
// that were refused before the data are kept apart, in a smaller ring, so that who guesses
// addresses can't drive the messages out. All of it is safe for concurrent use, behind
// one lock that is held for moments; a nil *Store and a nil *Entry do nothing, which is
// how the page is off.
//
// What strangers wrote is cleaned and cut before it is kept (Clean).
package recent

import (
	"sync"
	"time"

	"mxhook/inbound/status"
)

// Limits bound a Store.
type Limits struct {
	Messages int   // that were received; 0 is 10,000
	Refusals int   // of transactions without a message; 0 is 1,000
	Octets   int64 // of both together, about; 0 is 32 MiB
}

// Outcome is what became of a transaction, in a word that the page filters by.
type Outcome string

// The outcomes, of which the worst of a message's events counts: dead before waiting
// before the reply.
const (
	Running   Outcome = "running"   // no reply yet
	Delivered Outcome = "delivered" // 2xx
	Deferred  Outcome = "deferred"  // 4xx
	Refused   Outcome = "refused"   // 5xx, and all refusals before the data
	Waiting   Outcome = "waiting"   // an event is in the spool, or the message stays in its queue
	Dead      Outcome = "dead"      // an event is a dead one
	Poison    Outcome = "poison"    // it stays in its queue, and no try will ever deliver it
)

// Outcomes returns all outcomes, in the order in which they are offered.
func Outcomes() []Outcome {
	return []Outcome{Delivered, Waiting, Deferred, Refused, Dead, Poison, Running}
}

// Message is a transaction: one with a message, or one that was refused before; or one
// try of what a source has taken from its queue.
type Message struct {
	Seq          uint64 // counts up from 1
	ID           string // the transaction's
	At           time.Time
	Took         time.Duration // until the reply
	Source       string        // whose queue it was taken from, "" for what a listener got
	Queued       string        // the queue's own id of the message
	Receives     int           // how many times the queue has given it, this one counted
	Session      string
	Listener     string // of whoever received it from the sender
	RemoteIP     string
	HELO         string
	TLS          string
	User         string
	Protocol     string
	ReversePath  string // "" is the null reverse-path
	From         string
	Subject      string
	MessageID    string
	Size         int64
	Class        string
	Defects      int
	Received     bool // a message came; otherwise it was refused before
	Verdicts     *Verdicts
	Recipients   []Recipient // at most MaxRecipients
	MoreRcpt     int         // that are not in Recipients
	Events       []Event     // at most maxEvents
	MoreEvents   int
	Known        []Known
	Reply        string // "" until it is chosen
	Condition    string
	Reason       string // which verdict decided, "" for all else
	DeferredFrom time.Time
	Outcome      Outcome

	class   status.Class
	settled Outcome // of what was taken from a queue, "" until it is known
}

// Recipient is a forward-path and what became of it.
type Recipient struct {
	Address string
	Reply   string // a refusal at RCPT or after the data, or the recipient's own reply (LMTP); "" otherwise
	Routes  []Taken
	Passed  []string // routes that came before and why they did not take it
}

// Taken is a route that takes a recipient, and why.
type Taken struct{ Route, Why, Then string }

// Event is one event at one sink.
type Event struct {
	ID         string
	Sink       string
	Route      string
	Recipients int
	Optional   bool
	Spooled    bool  // it went into the spool
	State      State // what became of it
	Late       bool  // the outcome came after the reply
	Condition  string
	Detail     string
	Reply      string // what the outcome means for a sender
	Tries      int
	Began      time.Time
	Ended      time.Time
	Next       time.Time // of one that waits
	Attempts   []Attempt // the last maxAttempts
}

// State is where an event is.
type State string

// The states.
const (
	EventRunning   State = "running"
	EventDelivered State = "delivered"
	EventDeferred  State = "deferred" // the sender has to come again
	EventRefused   State = "refused"
	EventWaiting   State = "waiting" // in the spool
	EventDead      State = "dead"
	EventDropped   State = "dropped" // by an operator
)

// Attempt is one try of a sink.
type Attempt struct {
	At        time.Time // when it ended
	Took      time.Duration
	Condition string
	Detail    string
	Class     status.Class
}

// Known are units that were left out because the ledger knows them.
type Known struct {
	Sink  string
	Units int
}

// Verdicts are the results of verification, as far as a person wants them.
type Verdicts struct {
	FromVerified bool
	By, Reason   string
	SPF          Verdict
	DKIM         []Verdict // at most maxSignatures
	DMARC        Verdict
	ARC          Verdict
	IPRev        Verdict
}

// Verdict is one result: of whom it is, and why.
type Verdict struct {
	Result, Domain, Reason string
	Aligned                bool
	Policy                 string // of DMARC, the one that applies
}

// The bounds of one message.
const (
	MaxRecipients = 100
	maxEvents     = 200
	maxAttempts   = 20
	maxSignatures = 10
	maxRoutes     = 8 // that take a recipient, or pass it
)

// Store holds the last messages.
type Store struct {
	limits Limits
	now    func() time.Time

	mu       sync.Mutex // guards all below, and what the entries hold
	seq      uint64
	octets   int64
	messages ring
	refusals ring
	byID     map[string]*Entry // by transaction
	byEvent  map[eventKey]*Entry
	counts   counts
}

// eventKey names an event at a sink.
type eventKey struct{ event, sink string }

// Entry is one message in the Store, to be told more about.
type Entry struct {
	store  *Store
	m      Message
	text   string // lower case, what is searched
	octets int64
	gone   bool
}

// New returns an empty Store.
func New(l Limits) *Store {
	if l.Messages == 0 {
		l.Messages = 10_000
	}
	if l.Refusals == 0 {
		l.Refusals = 1_000
	}
	if l.Octets == 0 {
		l.Octets = 32 << 20
	}
	return &Store{limits: l, now: time.Now, byID: map[string]*Entry{}, byEvent: map[eventKey]*Entry{},
		messages: ring{bound: l.Messages}, refusals: ring{bound: l.Refusals}, counts: newCounts()}
}

// Add remembers a transaction. The strings of m that a stranger wrote have been cleaned,
// and none is a part of a longer one that would be held in memory with it. m.At is set
// where it is zero.
func (s *Store) Add(m Message) *Entry {
	if s == nil {
		return nil
	}
	if m.At.IsZero() {
		m.At = s.now()
	}
	m.boundRecipients()
	e := &Entry{store: s, m: m, text: textOf(&m)}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seq++
	e.m.Seq = s.seq
	s.byID[m.ID] = e
	r := &s.messages
	if !m.Received {
		r = &s.refusals
	}
	if old := r.push(e); old != nil {
		s.forget(old)
	}
	e.settle()
	s.measure(e)
	return e
}

// measure counts the octets of an entry anew. s.mu is held.
func (s *Store) measure(e *Entry) { s.grow(e, e.m.octets()+int64(len(e.text))-e.octets) }

// grow counts octets that an entry takes more, and makes room: the oldest goes. s.mu is
// held.
func (s *Store) grow(e *Entry, octets int64) {
	if e.gone {
		return
	}
	e.octets += octets
	s.octets += octets
	for s.octets > s.limits.Octets {
		r := &s.refusals
		if r.len() == 0 || s.messages.len() > 0 && s.messages.at(0).m.Seq < r.at(0).m.Seq {
			r = &s.messages
		}
		if r.len() == 0 {
			return
		}
		s.forget(r.shift())
	}
}

// forget takes out what points to an entry that left its ring. s.mu is held.
func (s *Store) forget(e *Entry) {
	e.gone = true
	s.octets -= e.octets
	if s.byID[e.m.ID] == e {
		delete(s.byID, e.m.ID)
	}
	for i := range e.m.Events {
		k := eventKey{e.m.Events[i].ID, e.m.Events[i].Sink}
		if s.byEvent[k] == e {
			delete(s.byEvent, k)
		}
	}
}
