package senders

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"mxhook/cmd/internal/bridge"
	"mxhook/cmd/internal/config"
	"mxhook/verify/dns"
)

// patience is how long a test waits for something that must happen.
const patience = 90 * time.Second

// app takes webhooks in the raw format, and defers each message as often as deferrals
// says. Messages are told apart by their field X-Test, and counted by recipient.
type app struct {
	*httptest.Server
	deferrals int
	came      chan struct{} // something arrived

	mu       sync.Mutex
	deferred map[string]int
	got      map[string][]string
}

func startApp(t *testing.T, deferrals int) *app {
	a := &app{deferrals: deferrals, came: make(chan struct{}, 1), deferred: map[string]int{}, got: map[string][]string{}}
	a.Server = httptest.NewServer(a)
	t.Cleanup(a.Close)
	return a
}

func (a *app) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	name := field(string(body), "X-Test")
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.deferred[name] < a.deferrals {
		a.deferred[name]++
		w.Header().Set("Smtp-Reply", "451 4.2.1 later")
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	a.got[name] = append(a.got[name], string(body))
	select {
	case a.came <- struct{}{}:
	default:
	}
}

// copies returns what arrived of a message.
func (a *app) copies(name string) []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.got[name]
}

// arrived tells how many different messages are here.
func (a *app) arrived() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.got)
}

func field(message, name string) string {
	header, _, _ := strings.Cut(message, "\r\n\r\n")
	for line := range strings.SplitSeq(header, "\r\n") {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.EqualFold(key, name) {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// testZone is the DNS of the senders. What it lacks does not exist.
const testZone = `
$ORIGIN sender.example.
$TTL 300
@     IN TXT "v=spf1 ip4:127.0.0.1 -all"
mail  IN A   127.0.0.1
1.0.0.127.in-addr.arpa. IN PTR mail.sender.example.
`

const bridgeConfig = `
hostname: mx.in.example
state: %q
listeners: [{address: "127.0.0.1:0", tls: %s}]
sinks:
  app: {type: webhook, url: %q, format: raw, attempts: 1, fan_out: message}
routes:
  - {recipient: "@in.example", deliver: [app]}
delivery: {ledger: 0}
%s
`

// startBridge runs a bridge before a and returns the address of its listener. extra is
// more of its configuration.
func startBridge(t *testing.T, a *app, secure bool, extra string) string {
	t.Helper()
	mode := "{mode: none}"
	if secure {
		certFile, keyFile := certificate(t, "mx.in.example")
		mode = fmt.Sprintf("{mode: starttls, cert_file: %q, key_file: %q}", certFile, keyFile)
	}
	text := fmt.Sprintf(bridgeConfig, t.TempDir(), mode, a.URL, extra)
	c, problems := config.Parse("test.yaml", []byte(text), func(string) (string, bool) { return "", false })
	for _, p := range problems {
		if !p.Warning {
			t.Fatal(p)
		}
	}
	zone, err := dns.ParseZone(testZone)
	if err != nil {
		t.Fatal(err)
	}
	var log lockedBuffer
	b, err := bridge.New(c, bridge.Options{Log: slog.New(slog.NewJSONHandler(&log, nil)), Resolver: zone, Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		b.Stop(ctx) // a sender that keeps its connection may hold it back
		if t.Failed() {
			t.Logf("the bridge logged:\n%s", log.String())
		}
	})
	return b.Addrs()[0].String()
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
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

// certificate writes a self-signed certificate and its key, and returns the files.
func certificate(t *testing.T, name string) (certFile, keyFile string) {
	t.Helper()
	cert, key := selfSigned(t, name)
	dir := t.TempDir()
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for file, text := range map[string][]byte{certFile: cert, keyFile: key} {
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return certFile, keyFile
}

func portOf(t *testing.T, address string) string {
	t.Helper()
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	return port
}
