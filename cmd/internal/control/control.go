// Package control is how an operator asks a bridge about the events that it holds:
// list, show, put back, drop, and run a stored message through the routes.
//
// Operations are these questions. The bridge answers them in its own process;
// Client asks the bridge of another one through a unix socket in the state folder,
// where Server listens. So the command works with either in the same way, and so
// does whatever else wants to ask.
//
// The socket has mode 0600 from the moment at which it has its name: who may connect
// is the user of the process, and root. Requests are bounded in size and time. All
// errors are words for the operator, with the cure.
package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"

	"mxhook/sinks/spool"
)

// Operations are what an operator can ask of a bridge. An implementation is safe for
// concurrent use.
type Operations interface {
	// List yields what the spool holds, dead events and then waiting ones, each the
	// oldest first. An error of yield ends it and is returned.
	List(ctx context.Context, f Filter, yield func(spool.Item) error) error
	// Show returns the events of a name: "msg_….SINK", or "msg_…" for all of that id.
	Show(ctx context.Context, name string) ([]Shown, error)
	// Raw writes the message of a name, as it was received.
	Raw(ctx context.Context, name string, w io.Writer) error
	// Replay puts dead events back to work, and makes waiting ones due now.
	Replay(ctx context.Context, s Selection) (Changed, error)
	// Drop removes events for good. Nobody gets them any more.
	Drop(ctx context.Context, s Selection) (Changed, error)
	// Send runs a stored message through the routes to the sinks. The error says that
	// the message could not be read; what became of it is in the Report.
	Send(ctx context.Context, m Stored, content io.Reader) (Report, error)
}

// Filter narrows a list. The zero Filter takes all.
type Filter struct {
	State spool.State `json:"state,omitempty"`
	Sink  string      `json:"sink,omitempty"`
}

// Takes tells whether the filter lets an event through.
func (f Filter) Takes(i spool.Item) bool {
	return (f.State == "" || f.State == i.State) && (f.Sink == "" || f.Sink == i.Sink)
}

// Shown is an event with all that is kept of it: session, verdicts, digests.
type Shown struct {
	spool.Item
	Subject string          `json:"subject"`
	Record  json.RawMessage `json:"record"` // an object; null when it can't be read
	Problem string          `json:"problem"`
}

var name = regexp.MustCompile(`^msg_[a-z2-7]{26}(\.[A-Za-z0-9._~-]{1,64})?$`)

// IsName tells whether s can name an event, or all events of an id.
func IsName(s string) bool { return name.MatchString(s) }

// SplitName returns the id of a name, and its sink, "" for all.
func SplitName(s string) (id, sink string) {
	id, sink, _ = strings.Cut(s, ".")
	return id, sink
}

// Selection says which events are meant: those that Names names, or all that the
// Filter takes.
type Selection struct {
	Names  []string `json:"names,omitempty"`
	All    bool     `json:"all,omitempty"`
	Filter Filter   `json:"filter,omitzero"`
}

// Check tells whether a selection is one: names or all, never neither or both.
func (s Selection) Check() error {
	switch {
	case s.All == (len(s.Names) > 0):
		return Invalid("either ids or all")
	case len(s.Names) > 0 && s.Filter != Filter{}:
		return Invalid("ids are not narrowed by state or sink")
	}
	return s.Filter.Check()
}

// Check tells whether there is such a state.
func (f Filter) Check() error {
	if f.State != "" && f.State != spool.Waiting && f.State != spool.Dead {
		return Invalid(fmt.Sprintf("there is no state %q; these are: waiting, dead", string(f.State)))
	}
	return nil
}

// Changed is what became of a Selection.
type Changed struct {
	Dead    int       `json:"dead"`    // dead events that were put back, or dropped
	Waiting int       `json:"waiting"` // waiting events that are due now, or were dropped
	Failed  []Failure `json:"failed"`
	// Working tells whether somebody delivers what was put back; otherwise it waits for
	// the next start.
	Working bool `json:"working"`
}

// Failure is a name that nothing could be done with, and why.
type Failure struct {
	Name  string `json:"name"`
	Error string `json:"error"`
}

// Stored is the envelope of a stored message.
type Stored struct {
	ReversePath string   `json:"reverse_path"` // "" is the null reverse-path
	Recipients  []string `json:"recipients"`
	RemoteIP    string   `json:"remote_ip"`
	HELO        string   `json:"helo"`
	Verify      bool     `json:"verify,omitempty"` // do the look-ups of verification
	Again       bool     `json:"again,omitempty"`  // also what the ledger knows as delivered
}

// Report is what became of a stored message.
type Report struct {
	Reply      string           `json:"reply"` // what a sender would have been told
	Complete   bool             `json:"complete"`
	Recipients []RecipientReply `json:"recipients"`
	Events     []EventOutcome   `json:"events"`
}

// RecipientReply is what the routes said of a recipient.
type RecipientReply struct {
	Recipient string `json:"recipient"`
	Reply     string `json:"reply"`
	Accepted  bool   `json:"accepted"`
}

// EventOutcome is what became of one event.
type EventOutcome struct {
	ID         string   `json:"id"`
	Sink       string   `json:"sink"`
	Route      string   `json:"route"`
	Recipients []string `json:"recipients"`
	Optional   bool     `json:"optional"`
	Outcome    Outcome  `json:"outcome"`
	Reply      string   `json:"reply"`
	Detail     string   `json:"detail"`
	Attempts   int      `json:"attempts"`
}

// Outcome is what became of an event, in a word.
type Outcome string

// The outcomes.
const (
	Delivered Outcome = "delivered"
	Spooled   Outcome = "spooled"           // the spool has it and delivers it
	Known     Outcome = "already delivered" // the ledger knows it; nothing was sent
	Deferred  Outcome = "deferred"
	Refused   Outcome = "refused" // for good
	Running   Outcome = "running" // no outcome yet
)

// Done tells whether nothing is left to be done for the event.
func (o Outcome) Done() bool { return o == Delivered || o == Spooled || o == Known }

// Error is a problem in words for the operator.
type Error struct {
	Code int // an HTTP status
	Text string
}

// Error returns the words.
func (e *Error) Error() string { return e.Text }

// NotFound returns the error for a name that names nothing.
func NotFound(name string) *Error {
	return &Error{http.StatusNotFound, "no event has the id " + name + "; see mxhook replay --list"}
}

// Invalid returns the error for a request that makes no sense.
func Invalid(text string) *Error { return &Error{http.StatusBadRequest, text} }

// asError returns err as an *Error; what is none keeps its words, which stay on this
// machine.
func asError(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return &Error{http.StatusInternalServerError, err.Error()}
}
