package smtpd

import (
	"errors"
	"slices"

	"mxhook/inbound"
	"mxhook/inbound/status"
)

// finals returns how many replies the message gets: in LMTP as many as recipients were
// accepted, one that was named twice counting twice (RFC 2033 4.2), after the end of
// the data or BDAT LAST alone (4.3); else one.
func (c *conn) finals() int {
	if c.srv.cfg.LMTP && (c.cmd.verb == "DATA" || c.cmd.last) {
		return c.accepted
	}
	return 1
}

// toAll returns what is true of the whole message as the replies to it. LMTP has no
// other way to say it, not even for a 521 after which the connection is closed: a
// client that lacks a recipient's reply would send the message to it again.
func (c *conn) toAll(a answer) []answer { return slices.Repeat([]answer{a}, c.finals()) }

var errMiscounted = errors.New("the handler's answer has not one for each recipient")

// answers returns the replies that the Handler's Answer stands for.
func (c *conn) answers(a inbound.Answer) []answer {
	switch {
	case !c.srv.cfg.LMTP || a.Recipients == nil:
		return c.toAll(c.answer(a))
	case len(a.Recipients) != c.finals(): // whose is whose isn't known: nobody is told yes or never
		return c.toAll(c.verdict("final", errMiscounted))
	}
	all := make([]answer, 0, len(a.Recipients))
	for _, r := range a.Recipients {
		all = append(all, c.answer(r))
	}
	return all
}

// answer returns the reply of one Answer.
func (c *conn) answer(a inbound.Answer) answer {
	if a.Err != nil {
		return c.verdict(stageAnswer, a.Err)
	}
	r := a.Reply()
	if r.Text = status.CleanText(r.Text, status.MaxText); r.Text == "" {
		r.Text = status.Delivered.Reply().Text
	}
	cond := status.Delivered
	if a.Condition != nil && a.Condition.Class() == status.Success {
		cond = a.Condition
	}
	return answer{r, cond}
}

// conclude says the replies to a message and counts them. They are final: too many
// errors never take their place, and a message is one error at most, however many
// recipients refuse it. The connection ends after the last where any of them wants it.
func (c *conn) conclude(all []answer) {
	if c.dead {
		return
	}
	closes, refused := c.endAfterReply, false
	for _, a := range all {
		c.tell(a)
		closes = closes || a.cond.Closes()
		refused = refused || a.reply.Class() == status.Permanent
	}
	if refused {
		c.errs++
	}
	if closes {
		c.end()
	}
}
