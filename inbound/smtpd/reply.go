package smtpd

import (
	"context"
	"errors"
	"log/slog"

	"github.com/emersion/go-smtp"

	"mxhook/inbound/status"
)

// answer is a reply and the row of the table that it comes from.
type answer struct {
	reply status.Reply
	cond  *status.Condition
}

// The stages at which the Handler decides.
const (
	stageRCPT   = "RCPT"
	stageAnswer = "answer"
)

// verdict is the one place where an error becomes a reply. What wraps no Condition,
// or one that isn't a refusal, is our own failure: 451 4.3.0 and an error in the log.
func (c *conn) verdict(stage string, err error) answer {
	var known *status.Error
	if !errors.As(err, &known) {
		c.log.Error("error without a condition", "stage", stage, "error", err)
		return answer{status.LocalError.Reply(), status.LocalError}
	}
	a := answer{known.Reply(), known.Condition}
	if class := a.reply.Class(); class != status.Temporary && class != status.Permanent {
		c.log.Error("error with a condition that is no refusal", "stage", stage, "error", err)
		return answer{status.LocalError.Reply(), status.LocalError}
	}
	if a.reply.Text = status.CleanText(a.reply.Text, status.MaxText); a.reply.Text == "" {
		a.reply.Text = a.cond.Reply().Text
	}
	level := slog.LevelInfo
	if stage == stageRCPT || stage == stageAnswer { // the Handler's decisions are its own to tell
		level = slog.LevelDebug
	}
	c.log.Log(context.Background(), level, "refused", "stage", stage, "condition", a.cond.Name(), "reply", a.reply.String(), "error", err)
	return a
}

// decline decides the current command by an error: go-smtp gets the only type that it
// doesn't turn into a permanent 554, the peer what verdict says.
func (c *conn) decline(stage string, err error) error {
	return c.decide(c.verdict(stage, err))
}

// decide decides the current command, or the message, by what the peer will be told.
func (c *conn) decide(all ...answer) error {
	c.decided = all
	r := all[0].reply
	return &smtp.SMTPError{Code: r.Code, EnhancedCode: smtp.EnhancedCode(r.Enhanced), Message: r.Text}
}

// settle is called with the code of each reply of go-smtp's. The code says only
// whether it agrees; a disagreement that the session didn't decide is our own fault
// and can neither accept nor refuse anything for good.
func (c *conn) settle(code int) {
	decided, final := c.decided, c.final
	c.decided, c.final = nil, false
	switch {
	case c.dead: // the last word was said
	case c.mute:
		c.mute = false
	case decided != nil && decided[0].reply.Code == code && final:
		c.conclude(decided)
	case decided != nil && decided[0].reply.Code == code:
		c.utter(decided[0])
	case decided == nil && !final && (code/100 == 2 || code/100 == 3):
		c.say(c.success)
		if c.promised != nil {
			c.srv.cfg.Observer.Replied(c.promised)
		}
	default:
		c.log.Error("go-smtp disagrees", "code", code)
		c.utter(answer{status.InternalError.Reply(), status.InternalError})
	}
	if final { // the sender waits, and what we do next may take time
		_ = c.flush()
	}
}

// refuse answers a command that the wire refuses.
func (c *conn) refuse(verb string, cond *status.Condition) {
	c.log.Debug("command refused", "verb", verb, "condition", cond.Name())
	c.utter(answer{cond.Reply(), cond})
}

// utter says the reply to one command, counts it, and ends the connection where it
// must. In the place of a client's error too many 421 is said. The reply to a message
// is conclude's.
func (c *conn) utter(a answer) {
	if c.dead {
		return
	}
	if a.reply.Class() == status.Permanent {
		c.errs++
		if c.errs > c.srv.cfg.Limits.Errors && !a.cond.Closes() {
			a = answer{status.TooManyErrors.Reply(), status.TooManyErrors}
		}
	}
	c.tell(a)
	if a.cond.Closes() || c.endAfterReply {
		c.end()
	}
}

// tell queues one reply and counts it.
func (c *conn) tell(a answer) {
	c.say(appendReply(nil, a.reply))
	c.srv.cfg.Observer.Replied(a.cond)
}
