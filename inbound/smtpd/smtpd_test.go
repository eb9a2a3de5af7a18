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
