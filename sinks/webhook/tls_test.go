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

	"mxhook/sinks/webhook"
)

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
			if _, ok := readRequest(bufio.NewReader(s)); !ok {
				io.Copy(io.Discard, c) // or the alert may be lost in a reset
				return
			}
			io.WriteString(s, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
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
		{"no certificate of ours where one is wanted", serve(&tls.Config{Certificates: []tls.Certificate{good}, ClientAuth: tls.RequireAnyClientCert}), goodPool, "451 4.3.5", 0, "our certificate was refused"},
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
		size := 300 << 10
		if path == "/hang" {
			c.Timeout, size = time.Second, 10
		}
		check(t, c, size, want.reply, want.attempts, "")
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
