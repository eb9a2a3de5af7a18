// Package status is the closed table of everything that can happen to a
// transaction: each Condition is one row with its class, its reply and its name
// in logs and metrics.
//
// Every layer reports what went wrong as an error that wraps a Condition
// (SinkUnavailable.Wrap(op, err)); only inbound/smtpd turns it into a reply, by
// ReplyOf. What the table does not know becomes 451 4.3.0: an error of ours must
// never bounce somebody's mail. The reply's text is public, so it comes from the
// table or from the configuration, never from a Go error.
//
// All values are immutable and safe for concurrent use.
// Sources: RFC 5321 4.2, RFC 3463, RFC 5248.
package status

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Class is the first digit of a reply code (RFC 5321 4.2.1) as far as it matters
// to the sender's queue: keep nothing, keep, give up.
type Class int

// The classes. The zero Class is none of them.
const (
	Success   Class = 2
	Temporary Class = 4
	Permanent Class = 5
)

// String returns "success", "temporary" or "permanent".
func (c Class) String() string {
	switch c {
	case Success:
		return "success"
	case Temporary:
		return "temporary"
	case Permanent:
		return "permanent"
	}
	return "class(" + strconv.Itoa(int(c)) + ")"
}

// Reply is an SMTP reply: code, enhanced status code, and one line of text that
// is printable and public. A zero Enhanced means that none is sent.
type Reply struct {
	Code     int
	Enhanced [3]int
	Text     string
}

// Class returns the class of the reply's code.
func (r Reply) Class() Class { return Class(r.Code / 100) }

// String returns the reply as it goes over the wire, without the line end.
func (r Reply) String() string {
	if r.Enhanced == [3]int{} {
		return fmt.Sprintf("%d %s", r.Code, r.Text)
	}
	return fmt.Sprintf("%d %d.%d.%d %s", r.Code, r.Enhanced[0], r.Enhanced[1], r.Enhanced[2], r.Text)
}

// MaxText keeps a reply line under the 512 octets of RFC 5321 4.5.3.1.5 with room
// for codes.
const MaxText = 400

// ParseReply reads "550 5.1.6 the mailbox has moved": a code of class 4 or 5,
// never 421 (which closes a connection and is the server's own), an enhanced code
// of the same class, and a text, which is filtered to printable ASCII and cut to
// 400 octets. The error says what is wrong with the text.
func ParseReply(s string) (Reply, error) {
	code, rest, _ := strings.Cut(strings.TrimSpace(s), " ")
	n, err := strconv.Atoi(code)
	if err != nil || len(code) != 3 || n < 400 || n > 599 {
		return Reply{}, fmt.Errorf("reply %q: the code must be 400 to 599", s)
	}
	if n == 421 {
		return Reply{}, fmt.Errorf("reply %q: 421 closes the connection and is reserved for the server", s)
	}
	enhanced, text, _ := strings.Cut(strings.TrimSpace(rest), " ")
	e, ok := parseEnhanced(enhanced)
	if !ok {
		return Reply{}, fmt.Errorf("reply %q: an enhanced status code such as %d.1.1 must follow the code", s, n/100)
	}
	if e[0] != n/100 {
		return Reply{}, fmt.Errorf("reply %q: code %d and enhanced code %s are of different classes", s, n, enhanced)
	}
	return Reply{Code: n, Enhanced: e, Text: CleanText(text, MaxText)}, nil
}

func parseEnhanced(s string) (e [3]int, ok bool) {
	parts := strings.Split(s, ".")
	if len(parts) != 3 {
		return e, false
	}
	for i, p := range parts {
		n, err := strconv.Atoi(p)
		if err != nil || n < 0 || n > 999 || len(p) > 3 || p[0] == '+' {
			return e, false
		}
		e[i] = n
	}
	return e, true
}

// CleanText returns the first line of s with everything but printable ASCII
// dropped, runs of blanks folded and at most max octets kept, so that a text of
// somebody else's may stand in a reply.
func CleanText(s string, max int) string {
	if i := strings.IndexAny(s, "\r\n"); i >= 0 {
		s = s[:i]
	}
	var b strings.Builder
	for i := 0; i < len(s) && b.Len() < max; i++ {
		if c := s[i]; c >= ' ' && c <= '~' {
			b.WriteByte(c)
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

// Error is a Condition that was met, with what was being done and why it failed.
// Op and Err are for the log alone.
type Error struct {
	Condition *Condition
	Op        string
	Err       error
	reply     *Reply
}

// Error describes the condition, the operation and the cause for a log line.
func (e *Error) Error() string {
	s := e.Condition.name
	if e.Op != "" {
		s += ": " + e.Op
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Reply returns what the client is told: the row's reply, unless one was set by
// WithReply.
func (e *Error) Reply() Reply {
	if e.reply != nil {
		return *e.reply
	}
	return e.Condition.reply
}

// ClassOf returns Success for nil, the class of the reply for an error that wraps
// a Condition, and Temporary for any other error.
func ClassOf(err error) Class {
	if err == nil {
		return Success
	}
	return ReplyOf(err).Class()
}

// ConditionOf returns the Condition that err wraps; Delivered for nil and
// LocalError for an error that wraps none.
func ConditionOf(err error) *Condition {
	if err == nil {
		return Delivered
	}
	var e *Error
	if errors.As(err, &e) {
		return e.Condition
	}
	return LocalError
}

// ReplyOf returns the reply for err. An error that wraps no Condition is answered
// by LocalError, 451 4.3.0.
func ReplyOf(err error) Reply {
	if err == nil {
		return Delivered.reply
	}
	var e *Error
	if errors.As(err, &e) {
		return e.Reply()
	}
	return LocalError.reply
}
