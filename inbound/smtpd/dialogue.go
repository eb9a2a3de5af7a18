package smtpd

import (
	"fmt"
	"time"

	"mxhook/inbound/status"
)

// What goes down to go-smtp. It never sees what the peer wrote: paths that it can't
// carry (a bare postmaster, quoted local parts, UTF-8) would be lost or changed, and
// the session takes the true ones from the wire.
const (
	lineEHLO = "EHLO client.invalid\r\n"
	lineMAIL = "MAIL FROM:<sender@client.invalid>\r\n"
	lineRCPT = "RCPT TO:<recipient@client.invalid>\r\n"
	lineDATA = "DATA\r\n" // for BDAT too
	lineRSET = "RSET\r\n"
	lineQUIT = "QUIT\r\n"
	lineEnd  = ".\r\n" // the end of a message that the wire has read already
)

// feed returns the next line for go-smtp; false ends the dialogue.
func (c *conn) feed() (string, bool) {
	if c.ended && !c.dead {
		c.ended = false
		return lineEnd, true
	}
	for !c.dead && !c.upgrade {
		cmd, err := c.command()
		if err != nil {
			c.fail(err)
			break
		}
		if c.aside(cmd) {
			continue
		}
		if cmd.verb == "RCPT" && c.tx != nil {
			c.tried++
		}
		if fault := c.admit(cmd); fault != nil {
			c.refuse(cmd.verb, fault)
			continue
		}
		if line := c.pass(cmd); line != "" {
			return line, true
		}
	}
	return "", false
}

// command returns the next command. A session that must end doesn't look at what the
// peer has sent already.
func (c *conn) command() (command, error) {
	if c.isStopping() {
		return command{}, status.ShuttingDown.Wrap("command", nil)
	}
	if c.pushed != nil {
		cmd := *c.pushed
		c.pushed = nil
		return cmd, nil
	}
	line, err := c.line()
	if isProxyHeader(line) {
		c.closeOnProxyHeader()
		return command{}, errGone
	}
	switch err {
	case nil:
		return parse(line, c.mail.SMTPUTF8), nil
	case errLineTooLong:
		return malformed(line, status.LineTooLong), nil
	case errBareNewline:
		return malformed(line, status.BareNewline), nil
	}
	return command{}, err
}

// aside answers what doesn't touch the session's state, and tells whether it did.
func (c *conn) aside(cmd command) bool {
	switch {
	case cmd.greets() && (cmd.verb == "LHLO") != c.srv.cfg.LMTP:
		c.refuse(cmd.verb, c.wrongGreeting())
	case cmd.verb == "NOOP" && cmd.fault == nil:
		c.utter(answer{status.Done.Reply(), status.Done})
	case cmd.verb == "HELP" && cmd.fault == nil:
		c.utter(answer{status.Help.Reply(), status.Help})
	case cmd.verb == "VRFY" && cmd.fault == nil:
		c.utter(answer{status.NotVerified.Reply(), status.NotVerified})
	case cmd.verb == "AUTH" && c.srv.cfg.Authenticate == nil:
		c.refuse(cmd.verb, status.NotImplemented)
	case cmd.verb == "" || cmd.fault == status.NotImplemented:
		c.refuse(cmd.verb, cmd.fault)
	default:
		return false
	}
	return true
}

// wrongGreeting is the reply to the other protocol's greeting (RFC 2033 4.1).
func (c *conn) wrongGreeting() *status.Condition {
	if c.srv.cfg.LMTP {
		return status.NeedsLHLO
	}
	return status.UnknownCommand
}

// admit tells why a command is refused: first by the order of commands (RFC 5321
// 4.1.4), then by its syntax, then by what the listener allows. A chunk that is
// refused is read and thrown away.
func (c *conn) admit(cmd command) *status.Condition {
	if cmd.verb == "BDAT" {
		return c.admitChunk(cmd)
	}
	if fault := c.outOfSequence(cmd); fault != nil {
		return fault
	}
	if cmd.withAuth && !c.offersAUTH() {
		return status.UnknownParameter
	}
	if cmd.fault != nil {
		return cmd.fault
	}
	switch cmd.verb {
	case "AUTH":
		if cmd.mechanism != "PLAIN" && cmd.mechanism != "LOGIN" {
			return status.AuthMechanism
		}
	case "STARTTLS":
		if c.srv.tls == nil {
			return status.NotImplemented
		}
	case "MAIL":
		switch {
		case cmd.mail.DeclaredSize > c.srv.cfg.Limits.MessageSize:
			return status.DeclaredTooBig
		case !c.srv.limiter.messages.allow(c.session.RemoteIP, time.Now()):
			return status.TooManyMessages
		}
		if err := c.srv.cfg.Store.Admit(cmd.mail.DeclaredSize); err != nil {
			c.log.Warn("no room for a message", "size", cmd.mail.DeclaredSize, "error", err)
			return status.NoStorage
		}
	case "RCPT":
		if c.accepted >= c.srv.cfg.Limits.Recipients {
			return status.TooManyRecipients
		}
	}
	return nil
}

func (c *conn) outOfSequence(cmd command) *status.Condition {
	switch cmd.verb {
	case "MAIL":
		switch {
		case c.session.HELO == "" || c.tx != nil:
			return status.BadSequence
		case c.srv.cfg.TLSMode == TLSRequired && c.session.TLS == nil:
			return status.TLSRequired
		case c.srv.cfg.AuthRequired && c.session.User == "":
			return status.AuthRequired
		}
	case "AUTH":
		return c.outOfAuthSequence()
	case "RCPT":
		if c.tx == nil {
			return status.BadSequence
		}
	case "DATA":
		if c.mail.Body == "BINARYMIME" { // RFC 3030 3: only with BDAT
			return status.BadSequence
		}
		return c.noRecipient()
	case "STARTTLS":
		switch {
		case c.session.TLS != nil:
			return status.TLSAlreadyActive
		case c.session.HELO == "" && c.srv.tls != nil:
			return status.BadSequence
		}
	}
	return nil
}

// noRecipient tells why there is nobody to send data to.
func (c *conn) noRecipient() *status.Condition {
	switch {
	case c.tx == nil || c.tried == 0:
		return status.NoRecipientTried
	case c.accepted > 0:
		return nil
	case c.srv.cfg.LMTP: // RFC 2033 4.2: always 503
		return status.BadSequence
	}
	return status.NoValidRecipients
}

// admitChunk refuses a BDAT. A malformed one ends the connection, since nobody knows
// where its chunk ends.
func (c *conn) admitChunk(cmd command) *status.Condition {
	if cmd.fault != nil {
		return cmd.fault
	}
	fault := c.noRecipient()
	if fault == nil {
		return nil
	}
	if err := c.discardChunk(cmd.size); err != nil {
		c.fail(err)
	}
	return fault
}

// pass prepares what is said when go-smtp agrees, and returns the line for it; "" when
// the wire does the command itself.
func (c *conn) pass(cmd command) string {
	c.cmd = cmd
	switch cmd.verb {
	case "EHLO", "HELO", "LHLO":
		c.session.HELO, c.ehlo = cmd.helo, cmd.verb != "HELO"
		c.expect(c.greeting())
		return lineEHLO
	case "MAIL":
		c.promise(status.SenderAccepted)
		return lineMAIL
	case "RCPT":
		c.promise(status.RecipientAccepted)
		return lineRCPT
	case "DATA":
		c.promise(status.StartMailInput)
		return lineDATA
	case "BDAT":
		c.expect(nil)
		return lineDATA
	case "RSET":
		c.promise(status.Done)
		return lineRSET
	case "QUIT":
		c.promise(status.Bye)
		return lineQUIT
	case "AUTH":
		if err := c.authenticate(cmd); err != nil {
			c.fail(err)
		}
		return ""
	case "STARTTLS":
		c.utter(answer{status.ReadyForTLS.Reply(), status.ReadyForTLS})
		if c.flush() != nil {
			c.dead = true
		}
		c.upgrade = !c.dead
		return ""
	}
	panic(fmt.Sprintf("no line for %q", cmd.verb))
}

// greet prepares the greeting, which go-smtp begins with.
func (c *conn) greet() {
	name := "ESMTP"
	if c.srv.cfg.LMTP {
		name = "LMTP"
	}
	c.expect(fmt.Appendf(nil, "220 %s %s mxhook\r\n", c.srv.cfg.Hostname, name))
}

// expect sets what the peer is told when go-smtp's next reply is a good one.
func (c *conn) expect(success []byte) { c.success, c.promised = success, nil }

// promise is expect for a row of the table.
func (c *conn) promise(cond *status.Condition) {
	c.success, c.promised = appendReply(nil, cond.Reply()), cond
}

// greeting returns the reply to EHLO, LHLO or HELO. Only what is wholly done is offered.
func (c *conn) greeting() []byte {
	host := c.srv.cfg.Hostname
	if !c.ehlo {
		return fmt.Appendf(nil, "250 %s\r\n", host)
	}
	limits := c.srv.cfg.Limits
	b := fmt.Appendf(nil, "250-%s\r\n250-PIPELINING\r\n250-SIZE %d\r\n250-8BITMIME\r\n", host, limits.MessageSize)
	if c.srv.tls != nil && c.session.TLS == nil {
		b = append(b, "250-STARTTLS\r\n"...)
	}
	if c.offersAUTH() {
		b = append(b, "250-AUTH PLAIN LOGIN\r\n"...)
	}
	b = append(b, "250-ENHANCEDSTATUSCODES\r\n250-CHUNKING\r\n250-BINARYMIME\r\n250-SMTPUTF8\r\n"...)
	return fmt.Appendf(b, "250 LIMITS RCPTMAX=%d\r\n", limits.Recipients)
}
