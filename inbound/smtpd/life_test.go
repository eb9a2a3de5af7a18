package smtpd

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"mxhook/inbound"
	"mxhook/inbound/status"
)

func stopAsync(s *Server, ctx context.Context) <-chan error {
	done := make(chan error, 1)
	go func() { done <- s.Stop(ctx) }()
	return done
}

// Sessions that wait for their peer hear 421, wherever they are.
func TestStopTellsIdleSessions(t *testing.T) {
	bdat := strings.Replace(opening, "DATA", "BDAT 10 LAST", 1)
	for _, sent := range []string{"", "EHLO a.te", "EHLO a.test\r\n", opening, opening + "x\r\n.", bdat, bdat + "12345", strings.Replace(opening, "DATA", "BDAT 0", 1)} {
		synctest.Test(t, func(t *testing.T) {
			p, stop := startPiped(t, nil)
			l := p.dial()
			l.send(sent)
			synctest.Wait()
			stop()
			<-l.closed
			if said := l.finish(); !strings.HasSuffix(said, "421 4.3.2 shutting down, try again later\r\n") {
				t.Errorf("after %q: said %q", sent, said)
			}
		})
	}
}

// A message that is being delivered has its true reply; nothing after it is answered.
func TestStopWaitsForTheReplyThatIsOwed(t *testing.T) {
	for _, data := range []string{"DATA\r\nx\r\n.\r\n", "BDAT 3 LAST\r\nx\r\n"} {
		synctest.Test(t, func(t *testing.T) {
			p, stop := startPiped(t, nil)
			release := make(chan struct{})
			p.h.data = func(ctx context.Context, _ *inbound.MailData) inbound.Answer {
				<-release
				if ctx.Err() != nil {
					return inbound.Answer{Err: ctx.Err()}
				}
				return inbound.Answer{Text: "msg_late"}
			}
			l := p.dial()
			l.send(strings.Replace(opening, "DATA\r\n", data, 1) + smuggled + "NOOP\r\n")
			synctest.Wait()
			done := stopAsync(p.Server, context.Background())
			synctest.Wait()
			close(release)
			if err := <-done; err != nil {
				t.Error(err)
			}
			stop()
			<-l.closed
			if said := l.finish(); !strings.HasSuffix(said, "250 2.0.0 msg_late\r\n421 4.3.2 shutting down, try again later\r\n") {
				t.Errorf("said %q", said)
			}
			if n, _ := p.h.count(); n != 1 {
				t.Errorf("%d messages", n)
			}
		})
	}
}

// When the time to stop is over the Handler's context ends, and Stop with it.
func TestStopEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, stop := startPiped(t, nil)
		p.h.data = func(ctx context.Context, _ *inbound.MailData) inbound.Answer {
			<-ctx.Done()
			return inbound.Answer{Err: ctx.Err()}
		}
		l := p.dial()
		l.send(opening + "x\r\n.\r\n")
		synctest.Wait()
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		if err := <-stopAsync(p.Server, ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Stop: %v", err)
		}
		<-l.closed
		if said := l.finish(); strings.Contains(said, "msg_") || strings.Count(said, "250 2.0.0") != 0 {
			t.Errorf("said %q", said)
		}
		stop()
	})
}

// A client that hangs up after the final dot has sent its message: the delivery goes
// on (RFC 1047), and its context lives.
func TestHangingUpAfterTheFinalDotChangesNothing(t *testing.T) {
	r := start(t, nil)
	got := make(chan error, 1)
	gone := make(chan struct{})
	r.h.data = func(ctx context.Context, _ *inbound.MailData) inbound.Answer {
		<-gone
		got <- ctx.Err()
		return inbound.Answer{Text: "msg_x"}
	}
	c := r.dial().hello().envelope().want("DATA", "354").send("x\r\n.\r\n")
	c.nc.Close()
	close(gone)
	if err := <-got; err != nil {
		t.Errorf("the Handler's context: %v", err)
	}
}

func TestConnectionLimits(t *testing.T) {
	shared := NewLimiter(3, 2, 0)
	a := start(t, func(c *Config) { c.Limiter = shared })
	one, two := a.dial().hello(), a.dial().hello()
	a.dial().want("", "421 4.7.0 too many connections from your address").want("", "EOF")
	two.want("QUIT", "221").want("", "EOF")
	one.want("NOOP", "250")

	full := NewLimiter(1, 0, 0)
	b := start(t, func(c *Config) { c.Limiter = full })
	c := start(t, func(c *Config) { c.Limiter = full })
	b.dial().hello()
	c.dial().want("", "421 4.4.5 too many connections, try again later").want("", "EOF")
	if a.obs.replied["too_many_connections_per_ip"] != 1 || c.obs.replied["too_many_connections"] != 1 {
		t.Errorf("counted %v and %v", a.obs.replied, c.obs.replied)
	}
}

func TestLimiterCountsIPv6ByNetwork(t *testing.T) {
	l := NewLimiter(0, 1, 0)
	for _, c := range []struct {
		ip   string
		want *status.Condition
	}{
		{"192.0.2.1", nil},
		{"192.0.2.1", status.TooManyConnectionsPerPeer},
		{"192.0.2.2", nil},
		{"2001:db8::1", nil},
		{"2001:db8::ffff", status.TooManyConnectionsPerPeer},
		{"2001:db8:0:1::1", nil},
	} {
		if got := l.take(netip.MustParseAddr(c.ip)); got != c.want {
			t.Errorf("%s: %v", c.ip, got)
		}
	}
	l.give(netip.MustParseAddr("2001:db8::1"))
	if l.take(netip.MustParseAddr("2001:db8::2")) != nil {
		t.Error("a connection that ended still counts")
	}
}

// badConn panics or fails where a test says.
type badConn struct {
	net.Conn
	reads atomic.Int32
	at    int32
}

func (c *badConn) Read(p []byte) (int, error) {
	if c.reads.Add(1) >= c.at {
		panic("read")
	}
	return c.Conn.Read(p)
}

type badListener struct {
	*pipeListener
	at int32
}

func (l badListener) Accept() (net.Conn, error) {
	c, err := l.pipeListener.Accept()
	if err != nil {
		return nil, err
	}
	return &badConn{Conn: c, at: l.at}, nil
}

type panickingLog struct{ slog.Handler }

func (panickingLog) Handle(context.Context, slog.Record) error { panic("log") }

// A panic in the wire's own Read happens outside go-smtp's recover.
func TestPanicsNeverEndTheProcess(t *testing.T) {
	for at := int32(1); at <= 6; at++ {
		for _, log := range []*slog.Logger{nil, slog.New(panickingLog{slog.DiscardHandler})} {
			h := &handler{}
			s := New(Config{Hostname: "mx.test", Store: inbound.NewStore(t.TempDir(), 1<<20), Handler: h, Log: log})
			ln := newPipeListener()
			var serving sync.WaitGroup
			serving.Go(func() { s.Serve(badListener{ln, at}) })
			p := &piped{s, h, ln}
			l := p.dial()
			l.send("EHLO a.test\r\n", "MAIL FROM:<panic-close@b.test>\r\n", "RCPT TO:<b@mx.test>\r\n", "DATA\r\n", "x\r\n", ".\r\n", "QUIT\r\n")
			<-l.closed
			if said := l.finish(); !strings.HasSuffix(said, "421 4.3.0 internal error\r\n") {
				t.Errorf("read %d: said %q", at, said)
			}
			if err := s.Stop(context.Background()); err != nil {
				t.Error(err)
			}
			serving.Wait()
			if n, open := h.count(); n != 0 || open != 0 {
				t.Errorf("read %d: %d messages, %d transactions left", at, n, open)
			}
		}
	}
}

func TestAPanicHurtsNoOtherSession(t *testing.T) {
	r := start(t, nil)
	other := r.dial().hello().envelope()
	r.dial().hello().want("MAIL FROM:<panic@b.test>", "421 4.3.0").want("", "EOF")
	r.dial().hello().want("MAIL FROM:<panic-close@b.test>", "250").want("QUIT", "221")
	r.dial().hello().want("MAIL FROM:<panic-close@b.test>", "250").nc.Close()
	other.want("DATA", "354").want("x\r\n.", "250")
}

// No transaction sees the calls of another one, though a BDAT was given up.
func TestTransactionsDoNotOverlap(t *testing.T) {
	r := start(t, nil)
	c := r.dial().hello()
	for range 50 {
		c.send("MAIL FROM:<a@b.test>\r\nRCPT TO:<b@mx.test>\r\nBDAT 3\r\n123RSET\r\nMAIL FROM:<>\r\nRCPT TO:<b@mx.test>\r\nBDAT 3 LAST\r\n456")
		for _, want := range []string{"250 2.1.0", "250 2.1.5", "250 2.0.0 chunk", "250 2.0.0 OK", "250 2.1.0", "250 2.1.5", "250 2.0.0 msg_test"} {
			c.want("", want)
		}
	}
	for _, m := range r.h.messages {
		if m != "456" {
			t.Fatalf("a message is %q", m)
		}
	}
}

// A disk that is full is temporary, and the body doesn't run as commands.
func TestAFullDiskIsTemporary(t *testing.T) {
	r := start(t, func(c *Config) { c.Store = inbound.NewStore("/dev/null/tmp", 10) })
	c := r.dial().hello().envelope().want("DATA", "354")
	c.send(strings.Repeat("NOOP\r\n", 1000)).want(".", "452 4.3.1 insufficient storage").want("NOOP", "250 2.0.0 OK")
	c.envelope().send("BDAT 6\r\nNOOP\r\nBDAT 6\r\nNOOP\r\nBDAT 6 LAST\r\nNOOP\r\nVRFY x\r\n")
	c.want("", "250").want("", "452 4.3.1").want("", "452 4.3.1").want("", "252")
	if n, _ := r.h.count(); n != 0 {
		t.Errorf("%d messages", n)
	}
}

// Recipients beyond the limit are temporary, and the others get the message.
func TestAHundredAndFiftyRecipients(t *testing.T) {
	r := start(t, nil)
	c := r.dial().hello().want("MAIL FROM:<>", "250")
	for i := range 150 {
		want := "250 2.1.5"
		if i >= 100 {
			want = "452 4.5.3"
		}
		c.want("RCPT TO:<b@mx.test>", want)
	}
	c.want("DATA", "354").want("x\r\n.", "250")
	if len(r.h.rcpts) != 100 {
		t.Errorf("%d recipients", len(r.h.rcpts))
	}
}

func TestObserverCounts(t *testing.T) {
	r := start(t, nil)
	c := r.dial().hello().envelope().want("RCPT TO:<unknown@mx.test>", "550").want("DATA", "354").want("12345\r\n.", "250")
	c.want("NOPE", "500").want("QUIT", "221").want("", "EOF")
	if err := r.Stop(context.Background()); err != nil {
		t.Fatal(err)
	}
	o := r.obs
	want := map[string]int{"sender_accepted": 1, "recipient_accepted": 1, "unknown_recipient": 1, "start_mail_input": 1,
		"delivered": 1, "unknown_command": 1, "bye": 1}
	if o.open != 1 || o.closed != 1 || o.octets != 7 || !maps.Equal(o.replied, want) {
		t.Errorf("counted %d %d %d %v", o.open, o.closed, o.octets, o.replied)
	}
}

func TestAMessageMayBeKeptAfterData(t *testing.T) {
	r := start(t, nil)
	r.h.data = func(_ context.Context, d *inbound.MailData) inbound.Answer {
		d.Retain()
		return inbound.Answer{Text: "kept"}
	}
	r.dial().hello().envelope().want("DATA", "354").want("x\r\n.", "250 2.0.0 kept").want("QUIT", "221")
	d := r.h.refs[0]
	if b, err := io.ReadAll(d.Open()); err != nil || string(b) != "x\r\n" {
		t.Errorf("%q, %v", b, err)
	}
	d.Release()
	if _, err := d.ReadAt(make([]byte, 1), 0); err == nil {
		t.Error("a message can be read after its last Release")
	}
}

func TestStopEndsAHandshake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, stop := startPiped(t, func(c *Config) { c.TLSMode = TLSImplicit })
		l, began := p.dial(), time.Now()
		synctest.Wait()
		stop()
		if said := l.finish(); said != "" || time.Since(began) > 0 {
			t.Errorf("said %q after %v", said, time.Since(began))
		}
	})
}

func TestAPanicInAHandshakeClosesInSilence(t *testing.T) {
	r := start(t, func(c *Config) {
		c.TLS = &tls.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { panic("certificate") }}
	})
	c := r.dial().hello().want("STARTTLS", "220 2.0.0")
	if err := tls.Client(c.nc, &tls.Config{InsecureSkipVerify: true}).Handshake(); err == nil || strings.Contains(err.Error(), "first record does not look like") {
		t.Errorf("handshake: %v", err)
	}
	r.dial().hello()
}

func TestServeAfterStopClosesTheListener(t *testing.T) {
	s := New(Config{Hostname: "mx.test"})
	if err := s.Stop(context.Background()); err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Serve(ln); err != nil {
		t.Error(err)
	}
	if _, err := ln.Accept(); err == nil {
		t.Error("the listener is open")
	}
}

func TestServeTellsWhyItEnds(t *testing.T) {
	ln := newPipeListener()
	s := New(Config{Hostname: "mx.test"})
	ln.Close()
	if err := s.Serve(ln); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Serve on a closed listener: %v", err)
	}
	if err := s.Stop(context.Background()); err != nil {
		t.Error(err)
	}
}

// The last reply gets through to a client that is still sending: a plain close would
// reset the connection and take the reply away.
func TestTheLastReplyReachesAClientThatIsStillSending(t *testing.T) {
	rest := strings.Repeat(strings.Repeat("x", 78)+"\r\n", 1<<20/80)
	for _, secure := range []bool{false, true} {
		for _, c := range []struct{ first, want string }{
			{"DATA\r\n", "552 5.3.4"},
			{"BDAT 100000000 LAST\r\n", "552 5.3.4"},
			{"BDAT x\r\n", "521 5.5.4"},
		} {
			r := start(t, func(c *Config) { c.Limits.MessageSize = 100 })
			cl := r.dial().hello()
			if secure {
				cl.startTLS()
			}
			cl.envelope().send(c.first)
			if strings.HasPrefix(c.first, "DATA") {
				cl.want("", "354")
			}
			if _, err := io.WriteString(cl.nc, rest); err != nil {
				t.Errorf("tls %v, %q: the rest: %v", secure, c.first, err)
			}
			if got, end := cl.reply(), cl.reply(); !strings.HasPrefix(got, c.want) || end != "EOF" {
				t.Errorf("tls %v, %q: got %q, %q", secure, c.first, got, end)
			}
		}
	}
}

// closing is a Handler whose transactions take long to close.
type closing struct{ wait chan struct{} }

type closingTx struct {
	failingTx
	wait chan struct{}
}

func (c closing) Mail(context.Context, inbound.Session, inbound.Mail) (inbound.Transaction, error) {
	return closingTx{wait: c.wait}, nil
}
func (c closingTx) Close() { <-c.wait }

func TestTheReplyDoesNotWaitForTheEndOfTheTransaction(t *testing.T) {
	wait := make(chan struct{})
	r := start(t, func(c *Config) { c.Handler = closing{wait} })
	c := r.dial().hello().envelope().want("DATA", "354").want("x\r\n.", "250 2.0.0")
	close(wait)
	c.want("QUIT", "221")
}
