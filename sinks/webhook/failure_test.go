package webhook_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/binary"
	"io"
	"math/big"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"mxhook/inbound"
	"mxhook/inbound/status"
	"mxhook/sinks"
	"mxhook/sinks/sinktest"
	"mxhook/sinks/webhook"
)

// check delivers an event of size octets and compares reply, attempts and detail.
func check(t *testing.T, c webhook.Config, size int, reply string, attempts int, detail string) {
	t.Helper()
	c.Backoff = time.Microsecond
	if size > 1<<20 {
		c.Format = webhook.FormatRaw // cheaper to make
	}
	o := newSink(t, c).Deliver(context.Background(), sinktest.NewEvent(size))
	if got := status.ReplyOf(o.Err).String(); !strings.HasPrefix(got, reply) || o.Attempts != attempts || !strings.Contains(o.Detail, detail) {
		t.Errorf("%q after %d attempts, detail %q, want %q after %d, %q", got, o.Attempts, o.Detail, reply, attempts, detail)
	}
}

func TestBrokenAtEachStage(t *testing.T) {
	t.Parallel()
	t.Run("refused", func(t *testing.T) {
		check(t, webhook.Config{URL: "http://" + refusing(t)}, 10, "451 4.4.1", 2, "connection refused")
	})
	t.Run("closed at once", func(t *testing.T) {
		check(t, webhook.Config{URL: "http://" + rawServer(t, func(net.Conn) {})}, 10, "451 4.4.1", 2, "conn")
	})
	t.Run("closed within the request", func(t *testing.T) {
		check(t, webhook.Config{URL: "http://" + rawServer(t, func(c net.Conn) { io.CopyN(io.Discard, c, 100) })}, 6<<20, "451 4.4.1", 2, "conn")
	})
	t.Run("reset after the request", func(t *testing.T) {
		check(t, webhook.Config{URL: "http://" + rawServer(t, func(c net.Conn) {
			readRequest(bufio.NewReader(c))
			c.(*net.TCPConn).SetLinger(0)
		})}, 10, "451 4.4.1", 2, "conn")
	})
	t.Run("closed after the request", func(t *testing.T) {
		check(t, webhook.Config{URL: "http://" + rawServer(t, saying(""))}, 10, "451 4.4.1", 2, "connection closed without an answer")
	})
	t.Run("silent after the request: not tried again", func(t *testing.T) {
		address := rawServer(t, func(c net.Conn) { io.Copy(io.Discard, c) })
		check(t, webhook.Config{URL: "http://" + address, Timeout: 300 * time.Millisecond}, 10, "451 4.4.1", 1, "no answer in time")
	})
	t.Run("silent within the answer's header section: not tried again", func(t *testing.T) {
		address := rawServer(t, func(c net.Conn) {
			readRequest(bufio.NewReader(c))
			io.WriteString(c, "HTTP/1.1 200 OK\r\nX-")
			io.Copy(io.Discard, c)
		})
		check(t, webhook.Config{URL: "http://" + address, Timeout: 300 * time.Millisecond}, 10, "451 4.4.1", 1, "no answer in time")
	})
	t.Run("a request that can't be written in time is tried again", func(t *testing.T) {
		hold := make(chan struct{})
		address := rawServer(t, func(net.Conn) { <-hold })
		check(t, webhook.Config{URL: "http://" + address, Timeout: 100 * time.Millisecond}, 12<<20, "451 4.4.1", 2, "timed out before")
		close(hold)
	})
}

func TestAYesBeforeTheRequestIsWrittenIsNone(t *testing.T) {
	t.Parallel()
	address := rawServer(t, func(c net.Conn) {
		bufio.NewReader(c).ReadString('\n')
		io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
		buf := make([]byte, 1)
		for i := 0; i < 100; i++ { // not the whole
			c.Read(buf)
		}
	})
	check(t, webhook.Config{URL: "http://" + address, Timeout: time.Second}, 8<<20, "451 4.4.1", 2, "")
}

func TestANoBeforeTheRequestIsWrittenCounts(t *testing.T) {
	t.Parallel()
	address := rawServer(t, func(c net.Conn) {
		bufio.NewReader(c).ReadString('\n')
		io.WriteString(c, "HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
		c.(*net.TCPConn).CloseWrite()
		io.Copy(io.Discard, c) // a lingering close, as servers do it
	})
	check(t, webhook.Config{URL: "http://" + address}, 8<<20, "552 5.3.4", 1, "HTTP 413")
}

// TestNothingReadsTheEventAfterDeliver scribbles over the message as soon as Deliver
// has returned, while the server has not taken all of it: the race detector sees a
// reader that is still at work.
func TestNothingReadsTheEventAfterDeliver(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]string{"early no": "HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n", "time-out": "", "broken": "nonsense"} {
		t.Run(name, func(t *testing.T) {
			hold := make(chan struct{})
			address := rawServer(t, func(c net.Conn) {
				bufio.NewReader(c).ReadString('\n')
				io.WriteString(c, answer)
				<-hold
			})
			defer close(hold)
			p := append([]byte("Subject: x\r\n\r\n"), make([]byte, 8<<20)...)
			e := sinktest.NewEvent(10)
			e.Data = inbound.NewMailData(p)
			s := newSink(t, webhook.Config{URL: "http://" + address, Format: webhook.FormatRaw, Attempts: 1, Timeout: 500 * time.Millisecond})
			if o := s.Deliver(context.Background(), e); o.Err == nil {
				t.Errorf("%+v", o)
			}
			clear(p)
		})
	}
}

func TestADeadKeptConnectionIsRenewedWithoutCounting(t *testing.T) {
	t.Parallel()
	var seen atomic.Int64
	address := rawServer(t, func(c net.Conn) {
		r := bufio.NewReader(c)
		if _, ok := readRequest(r); !ok {
			return
		}
		seen.Add(1)
		io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
		if seen.Load() == 1 {
			readRequest(r) // and dies without an answer
		}
	})
	s := newSink(t, webhook.Config{URL: "http://" + address, Attempts: 1})
	e := sinktest.NewEvent(10)
	for i, attempts := range []int{1, 2} {
		if o := s.Deliver(context.Background(), e); o.Err != nil || o.Attempts != attempts {
			t.Errorf("delivery %d: %+v", i+1, o)
		}
	}
}

// certificate returns a self-signed one for 127.0.0.1 or another name.
func certificate(t *testing.T, name string, notAfter time.Time) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: notAfter.Add(-time.Hour), NotAfter: notAfter,
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign}
	if ip := net.ParseIP(name); ip != nil {
		tmpl.IPAddresses = []net.IP{ip}
	} else {
		tmpl.DNSNames = []string{name}
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}

func TestTLSFailures(t *testing.T) {
	t.Parallel()
	soon := time.Now().Add(30 * time.Minute)
	good, goodPool := certificate(t, "127.0.0.1", soon)
	expired, expiredPool := certificate(t, "127.0.0.1", time.Now().Add(-time.Minute))
	other, otherPool := certificate(t, "other.example", soon)
	serve := func(conf *tls.Config) string {
		return rawServer(t, func(c net.Conn) {
			s := tls.Server(c, conf)
			if _, ok := readRequest(bufio.NewReader(s)); ok {
				io.WriteString(s, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
			}
			s.Close()
		})
	}
	with := func(c tls.Certificate) *tls.Config { return &tls.Config{Certificates: []tls.Certificate{c}} }
	for _, c := range []struct {
		name, address string
		pool          *x509.CertPool
		reply         string
		attempts      int
		detail        string
	}{
		{"good", serve(with(good)), goodPool, "250", 1, "HTTP 200"},
		{"unknown authority", serve(with(good)), otherPool, "451 4.3.5", 1, "unknown authority"},
		{"expired", serve(with(expired)), expiredPool, "451 4.3.5", 1, "expired"},
		{"another name", serve(with(other)), otherPool, "451 4.3.5", 1, "another name"},
		{"no certificate of ours where one is wanted", serve(&tls.Config{Certificates: []tls.Certificate{good}, ClientAuth: tls.RequireAnyClientCert}), goodPool, "451 4.3.5", 1, "our certificate was refused"},
		{"no common version", serve(&tls.Config{Certificates: []tls.Certificate{good}, MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10}), goodPool, "451 4.7.5", 2, "TLS handshake failed"},
		{"no TLS at all", rawServer(t, func(c net.Conn) { io.WriteString(c, "HTTP/1.1 400 Bad Request\r\n\r\n"); io.Copy(io.Discard, c) }), goodPool, "451 4.7.5", 2, "TLS handshake failed"},
		{"closed within the handshake", rawServer(t, func(c net.Conn) { io.CopyN(io.Discard, c, 50) }), goodPool, "451 4.7.5", 2, "TLS handshake failed"},
		{"silent within the handshake", rawServer(t, func(c net.Conn) { io.Copy(io.Discard, c) }), goodPool, "451 4.4.1", 2, "timed out before"},
	} {
		t.Run(c.name, func(t *testing.T) {
			conf := webhook.Config{URL: "https://" + c.address, TLS: &tls.Config{RootCAs: c.pool}}
			if strings.HasPrefix(c.name, "silent") {
				conf.Timeout = 100 * time.Millisecond
			}
			check(t, conf, 10, c.reply, c.attempts, c.detail)
		})
	}
}

func TestHTTP2(t *testing.T) {
	t.Parallel()
	cert, pool := certificate(t, "127.0.0.1", time.Now().Add(time.Hour))
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: []string{"h2"}})
	if err != nil {
		t.Fatal(err)
	}
	var proto atomic.Value
	answer := func(w http.ResponseWriter, r *http.Request) {
		proto.Store(r.Proto)
		switch n, err := io.Copy(io.Discard, r.Body); {
		case err != nil || n != r.ContentLength:
			w.WriteHeader(http.StatusBadRequest)
		case strings.HasSuffix(r.URL.Path, "/503"):
			w.WriteHeader(http.StatusServiceUnavailable)
		case strings.HasSuffix(r.URL.Path, "/abort"):
			panic(http.ErrAbortHandler)
		case strings.HasSuffix(r.URL.Path, "/hang"):
			<-r.Context().Done()
		}
	}
	server := &http.Server{Handler: http.HandlerFunc(answer)}
	go server.Serve(l)
	t.Cleanup(func() { server.Close() })
	for path, want := range map[string]struct {
		reply    string
		attempts int
	}{"/": {"250", 1}, "/503": {"451 4.4.5", 2}, "/abort": {"451 4.4.1", 2}, "/hang": {"451 4.4.1", 1}} {
		c := webhook.Config{URL: "https://" + l.Addr().String() + path, TLS: &tls.Config{RootCAs: pool}}
		if path == "/hang" {
			c.Timeout = 2 * time.Second
		}
		check(t, c, 300<<10, want.reply, want.attempts, "")
	}
	if proto.Load() != "HTTP/2.0" {
		t.Errorf("spoke %v", proto.Load())
	}
}

// resolver returns one whose only server answers each query with rcode, or not at
// all if it is negative.
func resolver(t *testing.T, rcode int) *net.Resolver {
	t.Helper()
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { pc.Close() })
	go func() {
		buf := make([]byte, 1500)
		for {
			n, from, err := pc.ReadFrom(buf)
			if err != nil {
				return
			}
			if rcode < 0 || n < 12 {
				continue
			}
			answer := bytes.Clone(buf[:n])
			flags := binary.BigEndian.Uint16(answer[2:]) | 0x8080 | uint16(rcode) // an answer, recursion available
			binary.BigEndian.PutUint16(answer[2:], flags)
			pc.WriteTo(answer, from)
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "udp", pc.LocalAddr().String())
	}}
}

func TestDNSFailures(t *testing.T) {
	t.Parallel()
	const nxdomain, servfail, refused, silent = 3, 2, 5, -1
	url := "http://app.sink.example./"
	t.Run("NXDOMAIN is the operator's", func(t *testing.T) {
		check(t, webhook.Config{URL: url, Resolver: resolver(t, nxdomain)}, 10, "451 4.3.5", 1, "the host has no address")
	})
	t.Run("SERVFAIL", func(t *testing.T) {
		check(t, webhook.Config{URL: url, Resolver: resolver(t, servfail)}, 10, "451 4.4.3", 2, "can't be resolved now")
	})
	t.Run("REFUSED", func(t *testing.T) {
		check(t, webhook.Config{URL: url, Resolver: resolver(t, refused)}, 10, "451 4.4.3", 2, "can't be resolved now")
	})
	t.Run("time-out", func(t *testing.T) {
		check(t, webhook.Config{URL: url, Resolver: resolver(t, silent), Timeout: 100 * time.Millisecond}, 10, "451 4.4.3", 2, "can't be resolved now")
	})
}

func TestAMessageThatCantBeReadIsOurFault(t *testing.T) {
	t.Parallel()
	address := rawServer(t, saying("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"))
	for name, secrets := range map[string][][]byte{"signing": {[]byte("key")}, "sending": nil} {
		t.Run(name, func(t *testing.T) {
			e := sinktest.NewEvent(10)
			e.Data.Release() // reading fails from now on
			s := newSink(t, webhook.Config{URL: "http://" + address, Format: webhook.FormatRaw, Secrets: secrets})
			if o := s.Deliver(context.Background(), e); status.ConditionOf(o.Err) != status.LocalError {
				t.Errorf("%+v", o)
			}
		})
	}
}

var _ sinks.Sink = (*webhook.Sink)(nil)
