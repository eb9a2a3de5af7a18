package smtpd

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"mxhook/inbound"
	"mxhook/inbound/status"
)

const (
	maxLine       = 4096     // octets of a command line; RFC 5321 4.5.3.1.4 and what extensions add is below 2000
	maxVerb       = 8        // octets in which the verb of any line ends
	maxSkipped    = 64 << 10 // octets of an overlong command line before the connection ends
	dataBuffer    = 64 << 10 // octets read at once in the data phase
	lingerTime    = time.Second
	lingerOctets  = 4 << 20
	handshakeTime = time.Minute // or the time for a command, if that is shorter
)

var (
	errGone        = errors.New("the peer is gone")
	errLineTooLong = errors.New("command line too long")
	errBareNewline = errors.New("command line ends with a bare LF")
)

// conn is a connection: its socket, what was read and not yet used, what was said and
// not yet sent, and the state of the session. One goroutine uses it at a time; only
// stop and Server.killAll are called from another.
type conn struct {
	srv *Server
	log *slog.Logger
	raw net.Conn // the socket; deadlines are set on it and it is closed last
	nc  net.Conn // raw, or TLS over it

	mu       sync.Mutex // guards stopping together with the read deadline
	stopping bool

	buf           []byte // buf[r:w] was read and not used
	r, w          int
	small         []byte            // buf of the command phase
	big           *[dataBuffer]byte // buf of the data phase, nil in the command phase
	out           []byte            // said and not sent
	inData        bool              // the large buffer is kept
	dead          bool              // nothing more is read or said
	linger        bool              // close waits a moment, so that the last reply gets through
	endAfterReply bool              // the reply to this message is the last one
	upgrade       bool              // STARTTLS was accepted: the dialogue ends and TLS begins

	// What go-smtp will be asked, and what its reply means.
	pushed   *command          // a command that was read and must be read again
	ended    bool              // the body was read; go-smtp's own reader must see an end too
	final    bool              // go-smtp's next reply is the one to a message
	cmd      command           // the command that go-smtp is working on
	success  []byte            // what the peer is told when go-smtp agrees; nothing when empty
	promised *status.Condition // the row of success, nil for the greeting and EHLO
	decided  []answer          // what the session decided, in the place of success; more than one for LMTP's recipients
	mute     bool              // go-smtp's next reply answers nobody

	session inbound.Session
	proxied bool // a PROXY header is required
	counted bool // among the connections of its peer
	ehlo    bool // the client knows ESMTP
	errs    int  // 5xx replies

	transaction
}

// transaction is what ends with a transaction.
type transaction struct {
	tx       inbound.Transaction // nil outside a transaction
	mail     inbound.Mail
	tried    int       // RCPT commands, whoever refused them
	accepted int       // recipients
	until    time.Time // end of TransactionTime, zero outside a transaction
}

func newConn(s *Server, nc net.Conn, from netip.AddrPort) *conn {
	session := inbound.Session{
		ID: strings.ToLower(rand.Text()[:16]), Listener: s.cfg.Listener,
		RemoteIP: from.Addr(), RemotePort: from.Port(), LocalName: s.cfg.Hostname,
	}
	return &conn{srv: s, raw: nc, nc: nc, log: s.sessionLog(session), session: session, proxied: s.isProxy(from.Addr())}
}

// sessionLog returns the log of a session.
func (s *Server) sessionLog(of inbound.Session) *slog.Logger {
	return s.cfg.Log.With("session", of.ID, "listener", s.cfg.Listener, "remote_ip", of.RemoteIP)
}

// stop asks the session to end at the next moment at which it waits for its peer.
func (c *conn) stop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stopping = true
	c.raw.SetReadDeadline(time.Unix(1, 0))
}

func (c *conn) isStopping() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stopping
}

// deadlineUnlessStopping sets the deadline of the next read, or tells that the
// session must end.
func (c *conn) deadlineUnlessStopping(t time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.stopping {
		c.raw.SetReadDeadline(t)
	}
	return !c.stopping
}

// fill sends what was said and reads more; it is the only read of the connection. The
// errors are ShuttingDown, TimedOut and errGone.
func (c *conn) fill(deadline time.Time) error {
	if err := c.flush(); err != nil {
		return errGone
	}
	c.room()
	if !c.until.IsZero() && c.until.Before(deadline) {
		deadline = c.until
	}
	if !c.deadlineUnlessStopping(deadline) {
		return status.ShuttingDown.Wrap("read", nil)
	}
	n, err := c.nc.Read(c.buf[c.w:])
	c.w += n
	var timeout net.Error
	switch {
	case n > 0:
		return nil
	case errors.As(err, &timeout) && timeout.Timeout() && c.isStopping():
		return status.ShuttingDown.Wrap("read", nil)
	case errors.As(err, &timeout) && timeout.Timeout():
		return status.TimedOut.Wrap("read", nil)
	case err != nil:
		return errGone
	}
	return nil
}

// room makes room for a read, and gives the large buffer back when the data phase is
// over and what followed it is used up.
func (c *conn) room() {
	switch {
	case c.buf == nil:
		c.small = make([]byte, maxLine)
		c.buf = c.small
	case c.r == c.w && c.big != nil && !c.inData:
		c.srv.buffers.Put(c.big)
		c.buf, c.big = c.small, nil
		c.r, c.w = 0, 0
	}
	if c.r > 0 {
		c.w = copy(c.buf, c.buf[c.r:c.w])
		c.r = 0
	}
}

// line returns the next command line without its line end; it is valid until the
// next read. The errors are those of fill; errLineTooLong, after which the line is
// skipped and its beginning returned; errBareNewline, which comes with the line.
func (c *conn) line() ([]byte, error) {
	deadline := time.Now().Add(c.srv.cfg.Limits.CommandTime)
	var head []byte // of a line that is too long
	for skipped := 0; ; {
		if i := bytes.IndexByte(c.buf[c.r:c.w], '\n'); i >= 0 {
			line := c.buf[c.r : c.r+i]
			c.r += i + 1
			switch {
			case head != nil:
				return head, errLineTooLong
			case len(line) >= maxLine:
				return line[:maxLine], errLineTooLong
			case len(line) == 0 || line[len(line)-1] != '\r':
				return line, errBareNewline
			}
			return line[:len(line)-1], nil
		}
		if n := c.w - c.r; n >= maxLine {
			if head == nil {
				head = bytes.Clone(c.buf[c.r : c.r+maxVerb])
			}
			skipped += n
			c.r = c.w
		}
		if skipped > maxSkipped {
			return nil, status.TooManyErrors.Wrap("read", errLineTooLong)
		}
		if err := c.fill(deadline); err != nil {
			return nil, err
		}
	}
}

// appendReply appends r as it goes over the wire.
func appendReply(b []byte, r status.Reply) []byte {
	return append(append(b, r.String()...), '\r', '\n')
}

// say queues what is to be sent before the next read.
func (c *conn) say(b []byte) {
	if !c.dead {
		c.out = append(c.out, b...)
	}
}

// flush sends what was said.
func (c *conn) flush() error {
	if len(c.out) == 0 {
		return nil
	}
	c.raw.SetWriteDeadline(time.Now().Add(c.srv.cfg.Limits.CommandTime))
	_, err := c.nc.Write(c.out)
	c.out = c.out[:0]
	return err
}

// end closes the connection after what was said: nothing more is read or said.
func (c *conn) end() { c.dead, c.linger = true, true }

// fail ends the connection because of err, with the reply of the Condition that err
// wraps, if any.
func (c *conn) fail(err error) {
	if err != nil && !errors.Is(err, errGone) {
		c.utter(c.verdict("session", err))
	}
	c.dead = true
}

// crash ends the connection after a panic of ours.
func (c *conn) crash(v any) {
	c.utter(answer{status.InternalError.Reply(), status.InternalError})
	c.dead = true
	c.logPanic(v)
}

// logPanic must be called by the function that recovered. A log that panics itself
// must not end the process either.
func (c *conn) logPanic(v any) {
	defer func() { _ = recover() }()
	c.log.Error("panic", "value", fmt.Sprint(v), "stack", string(debug.Stack()))
}

// close sends what was said and closes the socket. When the peer may still be
// sending, a plain close would take the last reply away from it, so the output is
// shut and the input drained for a moment (bounded in time and octets).
func (c *conn) close() {
	_ = c.flush()
	if c.big != nil {
		c.srv.buffers.Put(c.big)
		c.big, c.buf = nil, nil
	}
	if c.linger {
		if t, ok := c.nc.(interface{ CloseWrite() error }); ok && c.nc != c.raw {
			_ = t.CloseWrite()
		}
		if t, ok := c.raw.(interface{ CloseWrite() error }); ok {
			_ = t.CloseWrite()
			c.raw.SetReadDeadline(time.Now().Add(lingerTime))
			_, _ = io.CopyN(io.Discard, c.raw, lingerOctets)
		}
		c.raw.Close()
		return
	}
	c.nc.Close()
}
