package smtpd

import (
	"errors"
	"io"
	"time"

	"github.com/emersion/go-smtp"

	"mxhook/inbound/status"
)

// session is what go-smtp calls. The arguments of its methods are the stand-ins that
// the wire sent; the true ones are in the connection. Its errors are nil or an
// *smtp.SMTPError, always: go-smtp makes a permanent 554 of any other.
type session struct{ c *conn }

var errNoTransaction = errors.New("the handler returned neither a transaction nor an error")

// Mail begins a transaction.
func (s session) Mail(string, *smtp.MailOptions) (err error) {
	c := s.c
	defer c.catch(&err)
	m := c.cmd.mail
	m.Protocol = c.protocol(m.SMTPUTF8)
	tx, err := c.srv.cfg.Handler.Mail(c.srv.ctx, c.session, m)
	if err == nil && tx == nil {
		err = errNoTransaction
	}
	if err != nil {
		if tx != nil {
			tx.Close()
		}
		return c.decline("MAIL", err)
	}
	c.transaction = transaction{tx: tx, mail: m, until: time.Now().Add(c.srv.cfg.Limits.TransactionTime)}
	return nil
}

// Rcpt asks the Handler for one recipient.
func (s session) Rcpt(string, *smtp.RcptOptions) (err error) {
	c := s.c
	defer c.catch(&err)
	if err := c.tx.Rcpt(c.srv.ctx, c.cmd.path); err != nil {
		return c.decline(stageRCPT, err)
	}
	c.accepted++
	return nil
}

// Data reads the message to its end, from the wire and not from r, and hands it over.
func (s session) Data(io.Reader) (err error) {
	c := s.c
	defer c.catch(&err)
	buf := c.srv.cfg.Store.NewBuffer(c.mail.DeclaredSize)
	defer buf.Discard()
	in := &intake{buf: buf, max: c.srv.cfg.Limits.MessageSize}
	switch err := c.readBody(in); {
	case errors.Is(err, errAborted):
		c.ended, c.mute = true, true
		return errGivenUp
	case status.ConditionOf(err) == status.AmbiguousEnd: // where the client may see the end
		c.conclude(c.toAll(c.verdict("data", err)))
		return errDead
	case err != nil:
		c.fail(err)
		return errDead
	}
	c.ended, c.final = true, true
	if in.err != nil {
		return c.decide(c.toAll(c.verdict("data", in.err))...)
	}
	data, err := buf.Freeze()
	if err != nil {
		return c.decide(c.toAll(c.verdict("data", status.NoStorage.Wrap("data", err)))...)
	}
	defer data.Release()
	c.srv.cfg.Observer.MessageReceived(data.Size())
	return c.decide(c.answers(c.tx.Data(c.srv.ctx, data))...)
}

// Reset ends the transaction, if there is one.
func (s session) Reset() { s.c.endTransaction() }

// Logout ends the transaction with the dialogue.
func (s session) Logout() error {
	s.c.endTransaction()
	return nil
}

// endTransaction closes the Handler's transaction, once. go-smtp calls it where a panic
// would end the process.
func (c *conn) endTransaction() {
	tx := c.tx
	c.transaction = transaction{}
	if tx == nil {
		return
	}
	defer func() {
		if v := recover(); v != nil {
			c.crash(v)
		}
	}()
	tx.Close()
}

// catch ends the connection after a panic of the Handler, or of ours.
func (c *conn) catch(err *error) {
	if v := recover(); v != nil {
		c.crash(v)
		*err = errDead
	}
}

// errDead and errGivenUp are what go-smtp hears of a command whose reply was said, or
// that has none.
var (
	errDead    = &smtp.SMTPError{Code: 421, EnhancedCode: smtp.EnhancedCode{4, 0, 0}, Message: "dead"}
	errGivenUp = &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 0, 0}, Message: "given up"}
)
