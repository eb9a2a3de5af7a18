package smtpd

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"mxhook/inbound"
	"mxhook/inbound/status"
)

// handler is an inbound.Handler that records, and fails as a test says. The local part
// of a path chooses what happens to it.
type handler struct {
	mu       sync.Mutex
	sessions []inbound.Session
	mails    []inbound.Mail
	rcpts    []inbound.Path
	messages []string
	refs     []*inbound.MailData
	opened   int
	closed   int

	data func(ctx context.Context, d *inbound.MailData) inbound.Answer // nil: delivered
}

// failures are the errors that a local part asks for, at MAIL and at RCPT.
var failures = map[string]error{
	"plain":     errors.New("dial tcp 10.0.0.1:443: secret internal text"),
	"wrapped":   fmt.Errorf("op: %w", errors.New("secret internal text")),
	"unknown":   status.UnknownRecipient.Wrap("route", nil),
	"relay":     status.RelayDenied.Wrap("route", nil),
	"circuit":   status.SinkCircuitOpen.Wrap("route", errors.New("secret internal text")),
	"lookup":    status.LookupUnavailable.Wrap("route", nil),
	"nullmx":    status.NullMX.Wrap("mail", nil),
	"messages":  status.TooManyMessages.Wrap("mail", nil),
	"storage":   status.NoStorage.Wrap("mail", nil),
	"spf":       status.PolicySPF.Wrap("mail", nil),
	"success":   status.Delivered.Wrap("odd", nil),
	"inject":    status.RouteRejects.WithReply("route", nil, status.Reply{Code: 550, Enhanced: [3]int{5, 1, 6}, Text: "moved\r\n250 2.0.0 injected\x1b"}),
	"shutdown":  status.ShuttingDown.Wrap("route", nil),
	"configure": status.RouteRejects.WithReply("route", nil, status.Reply{Code: 550, Enhanced: [3]int{5, 1, 6}, Text: "the mailbox has moved"}),
}

func (h *handler) Mail(_ context.Context, s inbound.Session, m inbound.Mail) (inbound.Transaction, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if m.ReversePath.LocalPart == "panic" {
		panic("MAIL")
	}
	if m.ReversePath.LocalPart == "nothing" {
		return nil, nil
	}
	h.opened++
	h.sessions, h.mails = append(h.sessions, s), append(h.mails, m)
	return &tx{h: h, m: m}, failures[m.ReversePath.LocalPart]
}

func (h *handler) count() (messages, open int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.messages), h.opened - h.closed
}

type tx struct {
	h     *handler
	m     inbound.Mail
	rcpts []inbound.Path
}

func (t *tx) Rcpt(_ context.Context, p inbound.Path) error {
	if p.LocalPart == "panic" {
		panic("RCPT")
	}
	if err := failures[p.LocalPart]; err != nil {
		return err
	}
	t.h.mu.Lock()
	defer t.h.mu.Unlock()
	t.h.rcpts, t.rcpts = append(t.h.rcpts, p), append(t.rcpts, p)
	return nil
}

func (t *tx) Data(ctx context.Context, d *inbound.MailData) inbound.Answer {
	b, err := io.ReadAll(d.Open())
	if err != nil || int64(len(b)) != d.Size() {
		return inbound.Answer{Err: err}
	}
	if strings.Contains(string(b), "panic now") {
		panic("DATA")
	}
	t.h.mu.Lock()
	t.h.messages = append(t.h.messages, string(b))
	t.h.refs = append(t.h.refs, d)
	f := t.h.data
	t.h.mu.Unlock()
	if name, ok := strings.CutPrefix(strings.SplitN(string(b), "\r\n", 2)[0], "Fail: "); ok {
		return inbound.Answer{Err: failures[name]}
	}
	if f != nil {
		return f(ctx, d)
	}
	if strings.HasPrefix(string(b), "Each") {
		return t.each(string(b))
	}
	return inbound.Answer{Text: "msg_test"}
}

// each answers for each recipient: after-NAME gets the failure of that name.
func (t *tx) each(message string) (a inbound.Answer) {
	for _, p := range t.rcpts {
		if name, ok := strings.CutPrefix(p.LocalPart, "after-"); ok {
			a.Recipients = append(a.Recipients, inbound.Answer{Err: failures[name]})
			continue
		}
		a.Recipients = append(a.Recipients, inbound.Answer{Text: "msg_" + p.LocalPart})
	}
	a.Err = status.PartlyDelivered.Wrap("data", nil)
	if strings.HasPrefix(message, "Each but one") {
		a.Recipients = a.Recipients[1:]
	}
	return a
}

func (t *tx) Close() {
	t.h.mu.Lock()
	t.h.closed++
	t.h.mu.Unlock()
	if t.m.ReversePath.LocalPart == "panic-close" {
		panic("Close")
	}
}

// observer counts what a Server reports.
type observer struct {
	mu           sync.Mutex
	open, closed int
	octets       int64
	replied      map[string]int
}

func (o *observer) ConnectionOpened(string) { o.mu.Lock(); defer o.mu.Unlock(); o.open++ }
func (o *observer) ConnectionClosed(string) { o.mu.Lock(); defer o.mu.Unlock(); o.closed++ }
func (o *observer) MessageReceived(n int64) { o.mu.Lock(); defer o.mu.Unlock(); o.octets += n }
func (o *observer) Replied(c *status.Condition) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.replied == nil {
		o.replied = map[string]int{}
	}
	o.replied[c.Name()]++
}

// certificate makes a self-signed one for mx.test, once for all tests.
var certificate = sync.OnceValue(func() tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "mx.test"}, DNSNames: []string{"mx.test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		panic(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
})

func serverTLS() *tls.Config {
	return &tls.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
		c := certificate()
		return &c, nil
	}}
}

// running is a Server on a loopback listener.
type running struct {
	*Server
	t    testing.TB
	h    *handler
	obs  *observer
	addr string
	log  *lockedBuffer
}

type lockedBuffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// start runs a Server for the test; change may alter its Config.
func start(t testing.TB, change func(*Config)) *running {
	t.Helper()
	r := &running{t: t, h: &handler{}, obs: &observer{}, log: &lockedBuffer{}}
	cfg := Config{
		Listener: "test", Hostname: "mx.test", TLS: serverTLS(),
		Store: inbound.NewStore(t.TempDir(), 1<<20), Handler: r.h, Observer: r.obs,
		Log: slog.New(slog.NewJSONHandler(r.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	if change != nil {
		change(&cfg)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r.Server, r.addr = New(cfg), ln.Addr().String()
	served := make(chan error, 1)
	go func() { served <- r.Serve(ln) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := r.Stop(ctx); err != nil {
			t.Errorf("Stop: %v", err)
		}
		if err := <-served; err != nil {
			t.Errorf("Serve: %v", err)
		}
		if n := r.limiter.Open(); n != 0 && cfg.Limiter == nil {
			t.Errorf("%d connections are counted after Stop", n)
		}
		if n := cfg.Store.InMemory(); n != 0 {
			t.Errorf("%d octets of messages are held after Stop", n)
		}
		if _, open := r.h.count(); open != 0 {
			t.Errorf("%d transactions were not closed exactly once", open)
		}
	})
	return r
}

// client speaks SMTP as a test tells it to.
type client struct {
	t  testing.TB
	nc net.Conn
	r  *bufio.Reader

	greeting string // the verb of it
}

func (r *running) dial() *client {
	r.t.Helper()
	nc, err := net.Dial("tcp", r.addr)
	if err != nil {
		r.t.Fatal(err)
	}
	return newClient(r.t, nc)
}

func newClient(t testing.TB, nc net.Conn) *client {
	nc.SetDeadline(time.Now().Add(20 * time.Second))
	t.Cleanup(func() { nc.Close() })
	return &client{t: t, nc: nc, r: bufio.NewReader(nc), greeting: "EHLO"}
}

func (c *client) send(s string) *client {
	c.t.Helper()
	if _, err := io.WriteString(c.nc, s); err != nil {
		c.t.Fatalf("send %.60q: %v", s, err)
	}
	return c
}

// reply reads one whole reply; "EOF" when the connection is closed instead.
func (c *client) reply() string {
	c.t.Helper()
	var all []string
	for {
		line, err := c.r.ReadString('\n')
		if err == io.EOF && line == "" && all == nil {
			return "EOF"
		}
		if err != nil {
			return fmt.Sprintf("error %v after %q %q", err, all, line)
		}
		all = append(all, strings.TrimSuffix(line, "\r\n"))
		if len(line) < 4 || line[3] != '-' {
			return strings.Join(all, "\n")
		}
	}
}

// want sends a line and checks that the reply begins with prefix.
func (c *client) want(line, prefix string) *client {
	c.t.Helper()
	if line != "" {
		c.send(line + "\r\n")
	}
	if got := c.reply(); !strings.HasPrefix(got, prefix) {
		c.t.Fatalf("after %.80q: got %q, want %q", line, got, prefix)
	}
	return c
}

// hello reads the greeting and says EHLO.
func (c *client) hello() *client {
	c.t.Helper()
	return c.want("", "220 mx.test ").want(c.greeting+" client.test", "250-")
}

// envelope opens a transaction with one recipient.
func (c *client) envelope() *client {
	c.t.Helper()
	return c.want("MAIL FROM:<a@client.test>", "250 2.1.0").want("RCPT TO:<b@mx.test>", "250 2.1.5")
}

func (c *client) startTLS() *client {
	c.t.Helper()
	c.want("STARTTLS", "220 2.0.0")
	t := tls.Client(c.nc, &tls.Config{InsecureSkipVerify: true, ServerName: "mx.test"})
	if err := t.Handshake(); err != nil {
		c.t.Fatal(err)
	}
	c.nc, c.r = t, bufio.NewReader(t)
	return c.want(c.greeting+" client.test", "250-")
}

func TestAMessageGoesThrough(t *testing.T) {
	r := start(t, nil)
	c := r.dial().hello().envelope().want("DATA", "354 ")
	c.want("Subject: x\r\n\r\n..dot\r\nbody\r\n.", "250 2.0.0 msg_test")
	c.want("QUIT", "221 2.0.0").want("", "EOF")
	if got, want := r.h.messages, []string{"Subject: x\r\n\r\n.dot\r\nbody\r\n"}; len(got) != 1 || got[0] != want[0] {
		t.Errorf("messages %q, want %q", got, want)
	}
	s := r.h.sessions[0]
	if s.HELO != "client.test" || s.RemoteIP.String() != "127.0.0.1" || s.LocalName != "mx.test" || s.Listener != "test" || s.ID == "" || s.TLS != nil {
		t.Errorf("session %+v", s)
	}
}
