package smtpd

import (
	"errors"
	"time"

	"mxhook/inbound"
	"mxhook/inbound/status"
)

// errAborted says that the client gave a message up between two chunks.
var errAborted = errors.New("the message was given up")

// intake takes a message's octets while they are read. It never stops the reading:
// after an error it counts on, so that the client is told after its last octet.
type intake struct {
	buf  *inbound.Buffer // nil when nothing is kept
	max  int64
	size int64
	err  error // the first: MessageTooBig or NoStorage
}

func (in *intake) write(p []byte) {
	in.size += int64(len(p))
	switch {
	case in.err != nil || len(p) == 0:
	case in.size > in.max:
		in.drop(status.MessageTooBig.Wrap("data", nil))
	default:
		if _, err := in.buf.Write(p); err != nil {
			in.drop(status.NoStorage.Wrap("data", err))
		}
	}
}

// drop keeps nothing from here on, because of err.
func (in *intake) drop(err error) {
	if in.err == nil {
		in.err = err
	}
	if in.buf != nil {
		in.buf.Discard()
		in.buf = nil
	}
}

// tooFar tells whether reading on, only to be polite, has come to its end.
func (in *intake) tooFar() bool { return in.size > in.max+in.max/2 }

// pace holds the data phase to the minimum rate, which is averaged over the time that
// was spent waiting for data.
type pace struct {
	limits Limits
	start  time.Time
	got    int64
}

// deadline returns when the next octet must be here.
func (p *pace) deadline() time.Time {
	idle := time.Now().Add(p.limits.CommandTime)
	rate := p.start.Add(max(time.Minute, time.Duration(p.got/p.limits.MinRate)*time.Second))
	if rate.Before(idle) {
		return rate
	}
	return idle
}

// readBody reads the message that DATA or the first BDAT began into in. It returns nil
// or errAborted when the client may go on, in.err telling then whether the message
// was kept; any other error ends the connection.
func (c *conn) readBody(in *intake) error {
	defer c.enterData()()
	p := &pace{limits: c.srv.cfg.Limits, start: time.Now()}
	if c.cmd.verb == "BDAT" {
		return c.readChunks(in, p)
	}
	return c.readLines(in, p)
}

// enterData takes the large buffer; it is given back when all of it is used up after
// the function that enterData returns.
func (c *conn) enterData() (leave func()) {
	c.inData = true
	if c.big == nil {
		c.big = c.srv.buffers.Get().(*[dataBuffer]byte)
		c.w = copy(c.big[:], c.buf[c.r:c.w])
		c.r, c.buf = 0, c.big[:]
	}
	return func() { c.inData = false }
}

// ambiguousPause is how long the true end of an ambiguous message is waited for: a
// client that takes it for two messages waits for a reply now.
const ambiguousPause = 2 * time.Second

// readLines reads data up to the line that is one dot.
func (c *conn) readLines(in *intake, p *pace) error {
	var s scanner
	for {
		kept, used, done := s.block(c.buf[c.r:c.w])
		c.r += used
		in.write(kept)
		p.got += int64(used)
		deadline := p.deadline()
		if s.ambiguous {
			ambiguous := status.AmbiguousEnd.Wrap("data", nil)
			in.drop(ambiguous) // what will be refused needs no room
			if done || in.tooFar() {
				return ambiguous
			}
			if soon := time.Now().Add(ambiguousPause); soon.Before(deadline) {
				deadline = soon
			}
		}
		if in.tooFar() {
			c.endAfterReply = true
			return nil
		}
		if done {
			return nil
		}
		if err := c.fill(deadline); err != nil {
			if s.ambiguous && !errors.Is(err, errGone) && !c.isStopping() {
				return status.AmbiguousEnd.Wrap("data", err)
			}
			return err
		}
	}
}

// readChunks reads the chunks of a message (RFC 3030 2), the first of which c.cmd
// announced. An error of in is the reply to each chunk from there to the last.
func (c *conn) readChunks(in *intake, p *pace) error {
	for cmd := c.cmd; ; {
		if err := c.readChunk(in, p, cmd.size); err != nil || cmd.last || c.endAfterReply {
			return err
		}
		if in.err != nil {
			c.utter(c.verdict("BDAT", in.err))
		} else {
			c.utter(answer{status.ChunkReceived.Reply(), status.ChunkReceived})
		}
		waiting := time.Now()
		next, err := c.nextChunk()
		if err != nil {
			return err
		}
		p.start = p.start.Add(time.Since(waiting))
		cmd, c.cmd = next, next
	}
}

// readChunk reads n octets, no fewer: a peer that closes early is an error.
func (c *conn) readChunk(in *intake, p *pace, n int64) error {
	for n > 0 {
		if c.r == c.w {
			if err := c.fill(p.deadline()); err != nil {
				return err
			}
		}
		k := min(n, int64(c.w-c.r))
		in.write(c.buf[c.r : c.r+int(k)])
		c.r += int(k)
		p.got += k
		if n -= k; in.tooFar() {
			c.endAfterReply = true
			return nil
		}
	}
	return nil
}

// nextChunk reads commands up to the next BDAT. RSET, QUIT and a greeting give the
// message up and are left for the dialogue; all that begins or changes a transaction
// is out of sequence.
func (c *conn) nextChunk() (command, error) {
	for {
		cmd, err := c.command()
		if err != nil {
			return cmd, err
		}
		switch {
		case cmd.verb == "BDAT" && cmd.fault != nil:
			return cmd, cmd.fault.Wrap("BDAT", nil)
		case cmd.verb == "BDAT":
			return cmd, nil
		case c.aside(cmd):
		case cmd.verb == "RSET" || cmd.verb == "QUIT" || cmd.greets():
			c.pushed = &cmd
			return cmd, errAborted
		default:
			c.refuse(cmd.verb, status.BadSequence)
		}
		if c.dead {
			return cmd, errGone
		}
	}
}

// discardChunk reads the chunk of a BDAT that is refused, which follows it in any case
// (RFC 3030 2), so that nothing in it is run as a command.
func (c *conn) discardChunk(n int64) error {
	defer c.enterData()()
	limits := c.srv.cfg.Limits
	in := &intake{max: limits.MessageSize, err: errAborted}
	return c.readChunk(in, &pace{limits: limits, start: time.Now()}, n)
}
