package smtpd

import (
	"bytes"
	"io"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/emersion/go-smtp"
)

// newDialogServer returns the go-smtp server that talks to all dialogues. Its limits
// and timeouts are off: the wire has them.
func newDialogServer(cfg Config) *smtp.Server {
	d := smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) {
		return session{c.Conn().(*dialogue).c}, nil
	}))
	d.Domain = cfg.Hostname
	d.EnableBINARYMIME = true
	d.EnableSMTPUTF8 = true
	d.ErrorLog = dialogLog{cfg.Log}
	return d
}

// dialogLog takes what go-smtp logs: panics and read errors, all of them ours.
type dialogLog struct{ log *slog.Logger }

func (l dialogLog) Printf(format string, v ...any) {
	l.log.Error("dialogue failed", "format", format, "values", v)
}
func (l dialogLog) Println(v ...any) { l.log.Error("dialogue failed", "values", v) }

// feed is the net.Listener from which go-smtp accepts dialogues.
type feed struct {
	ch     chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newFeed() *feed { return &feed{ch: make(chan net.Conn), closed: make(chan struct{})} }

// push hands d to go-smtp. It is not called after Close: Stop waits for all
// connections before it closes the feed.
func (f *feed) push(d *dialogue) { f.ch <- d }

func (f *feed) Accept() (net.Conn, error) {
	select {
	case c := <-f.ch:
		return c, nil
	case <-f.closed:
		return nil, net.ErrClosed
	}
}

func (f *feed) Close() error {
	f.once.Do(func() { close(f.closed) })
	return nil
}

func (f *feed) Addr() net.Addr { return &net.UnixAddr{Name: "feed", Net: "unix"} }

// dialogue is the net.Conn that go-smtp sees: reading gives it one canonical line
// at a time, so its own buffer is empty after each, and writing gives the wire
// go-smtp's decision, of which only the reply code is used.
//
// A panic in Read or Write would run in a goroutine of go-smtp outside its recover,
// or inside it, and end the process; so they recover themselves.
type dialogue struct {
	c      *conn
	line   []byte // what Read has still to give
	reply  []byte // what Write has of a reply that is not whole
	done   chan struct{}
	closed atomic.Bool
}

func newDialogue(c *conn) *dialogue { return &dialogue{c: c, done: make(chan struct{})} }

// Read gives the next line, or io.EOF at the end of the dialogue. After Close go-smtp
// reads once more, when the connection belongs to somebody else.
func (d *dialogue) Read(p []byte) (n int, err error) {
	if d.closed.Load() {
		return 0, io.EOF
	}
	defer func() {
		if v := recover(); v != nil {
			d.c.crash(v)
			n, err = 0, io.EOF
		}
	}()
	if len(d.line) == 0 {
		line, ok := d.c.feed()
		if !ok {
			return 0, io.EOF
		}
		d.line = append(d.line[:0], line...)
	}
	n = copy(p, d.line)
	d.line = d.line[n:]
	return n, nil
}

// Write takes go-smtp's reply. It never fails: what can't be sent shows at the next
// Read.
func (d *dialogue) Write(p []byte) (n int, err error) {
	if d.closed.Load() {
		return len(p), nil
	}
	defer func() {
		if v := recover(); v != nil {
			d.c.crash(v)
			n, err = len(p), nil
		}
	}()
	d.reply = append(d.reply, p...)
	for {
		i := bytes.IndexByte(d.reply, '\n')
		if i < 0 {
			return len(p), nil
		}
		line := d.reply[:i]
		if len(line) > 3 && line[3] != '-' {
			d.c.settle(replyCode(line))
		}
		d.reply = d.reply[i+1:]
	}
}

func replyCode(line []byte) int {
	code := 0
	for _, b := range line[:3] {
		code = code*10 + int(b-'0')
	}
	return code
}

// Close ends the dialogue; the socket lives on until the connection's goroutine
// closes it or starts another dialogue.
func (d *dialogue) Close() error {
	if d.closed.CompareAndSwap(false, true) {
		close(d.done)
	}
	return nil
}

func (d *dialogue) LocalAddr() net.Addr              { return d.c.raw.LocalAddr() }
func (d *dialogue) RemoteAddr() net.Addr             { return d.c.raw.RemoteAddr() }
func (d *dialogue) SetDeadline(time.Time) error      { return nil }
func (d *dialogue) SetReadDeadline(time.Time) error  { return nil }
func (d *dialogue) SetWriteDeadline(time.Time) error { return nil }
