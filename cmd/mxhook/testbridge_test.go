package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"mxhook/cmd/internal/bridge"
	"mxhook/cmd/internal/config"
	"mxhook/cmd/internal/page"
	"mxhook/verify/dns"
)

// patience is how long a test waits for something that must happen.
const patience = 60 * time.Second

// testZone is the DNS of the tests' senders. What it lacks does not exist.
const testZone = `
$ORIGIN sender.example.
$TTL 300
@     IN TXT "v=spf1 ip4:127.0.0.1 -all"
mail  IN A   127.0.0.1
_dmarc IN TXT "v=DMARC1; p=reject"
1.0.0.127.in-addr.arpa. IN PTR mail.sender.example.
`

// app is an application that takes webhooks. What it answers can be changed.
type app struct {
	*httptest.Server
	got    chan delivery
	mu     sync.Mutex
	answer http.HandlerFunc
}

// delivery is a webhook request that was read to its end.
type delivery struct {
	*http.Request
	body []byte
}

func startApp(t testing.TB) *app {
	a := &app{got: make(chan delivery, 1000)}
	a.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.mu.Lock()
		answer := a.answer
		a.mu.Unlock()
		if answer != nil {
			answer(w, r)
			return
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		a.got <- delivery{r, body}
	}))
	t.Cleanup(a.Close)
	return a
}

// set changes the answer; nil takes deliveries and answers 200.
func (a *app) set(answer http.HandlerFunc) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.answer = answer
}

func answering(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		w.WriteHeader(code)
	}
}

// next waits for a delivery.
func (a *app) next(t testing.TB) delivery {
	t.Helper()
	select {
	case d := <-a.got:
		return d
	case <-time.After(patience):
		t.Fatal("no delivery came")
		panic("unreachable")
	}
}

// running is a bridge with what it logged.
type running struct {
	*bridge.Bridge
	smtp   string
	events chan string
	log    *syncBuffer
}

// startBridge runs a bridge with a configuration in YAML. The listener is added. There
// is a ledger only if the configuration speaks of one, since most tests send the same
// message again.
func startBridge(t testing.TB, yaml string, options ...func(*bridge.Options)) *running {
	t.Helper()
	return startBridgeIn(t, t.TempDir(), yaml, options...)
}

// startBridgeIn is startBridge with a state folder.
func startBridgeIn(t testing.TB, state, yaml string, options ...func(*bridge.Options)) *running {
	t.Helper()
	if !strings.Contains(yaml, "listeners:") {
		yaml += "\nlisteners: [{address: \"127.0.0.1:0\", tls: {mode: none}}]\n"
	}
	yaml += fmt.Sprintf("\nstate: %q\n", state)
	c, problems := config.Parse("test.yaml", []byte(yaml), func(string) (string, bool) { return "", false })
	for _, p := range problems {
		if !p.Warning {
			t.Fatal(p)
		}
	}
	if !strings.Contains(yaml, "ledger:") {
		c.Delivery.Ledger = 0
	}
	if !strings.Contains(yaml, "disk_reserve:") {
		c.Limits.DiskReserve = 0 // a full disk of the machine is no fault of ours
	}
	zone, err := dns.ParseZone(testZone)
	if err != nil {
		t.Fatal(err)
	}
	r := &running{events: make(chan string, 10000), log: &syncBuffer{}}
	o := bridge.Options{Log: slog.New(recorder{slog.NewJSONHandler(r.log, nil), r.events}), Resolver: zone, Version: "test", Page: page.Make}
	for _, set := range options {
		set(&o)
	}
	if r.Bridge, err = bridge.New(c, o); err != nil {
		t.Fatal(err)
	}
	if err := r.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := r.Stop(ctx); err != nil {
			t.Error("stop:", err)
		}
	})
	r.smtp = r.Addrs()[0].String()
	return r
}

// await waits until the bridge has logged event.
func (r *running) await(t testing.TB, event string) {
	t.Helper()
	r.awaitAny(t, event)
}

// awaitAny waits until the bridge has logged one of the events.
func (r *running) awaitAny(t testing.TB, events ...string) {
	t.Helper()
	deadline := time.After(patience)
	for {
		select {
		case e := <-r.events:
			if slices.Contains(events, e) {
				return
			}
		case <-deadline:
			t.Fatalf("%q was not logged:\n%s", events, r.log)
		}
	}
}

// awaitEach waits until the bridge has logged each event as often as is wanted.
func (r *running) awaitEach(t testing.TB, wanted map[string]int) {
	t.Helper()
	left := maps.Clone(wanted)
	maps.DeleteFunc(left, func(_ string, n int) bool { return n == 0 })
	for deadline := time.After(patience); len(left) > 0; {
		select {
		case e := <-r.events:
			if left[e]--; left[e] <= 0 {
				delete(left, e)
			}
		case <-deadline:
			t.Fatalf("still to be logged: %v\n%s", left, r.log)
		}
	}
}

// send makes one transaction and returns the last reply.
func (r *running) send(t testing.TB, from, rcpt string, message []byte) string {
	t.Helper()
	m := mailing{server: r.smtp, helo: "mail.sender.example", from: from, rcpts: strings.Fields(rcpt)}
	reply, err := m.send(t.Context(), bytes.NewReader(message))
	if refused, isReply := replyOf(err); isReply {
		return refused
	}
	if err != nil {
		t.Fatal(err)
	}
	return reply
}

// recorder is a log handler that also tells the names of the events.
type recorder struct {
	slog.Handler
	events chan string
}

func (h recorder) Handle(ctx context.Context, r slog.Record) error {
	select {
	case h.events <- r.Message:
	default:
	}
	return h.Handler.Handle(ctx, r)
}

func (h recorder) WithAttrs(a []slog.Attr) slog.Handler {
	return recorder{h.Handler.WithAttrs(a), h.events}
}
func (h recorder) WithGroup(n string) slog.Handler { return recorder{h.Handler.WithGroup(n), h.events} }

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// tool returns the path of a program that a test needs. Without it the test skips,
// or fails where MXHOOK_INTEROP=require says that all must be there.
func tool(t testing.TB, name string) string {
	t.Helper()
	if os.Getenv("MXHOOK_INTEROP") == "skip" {
		t.Skip("MXHOOK_INTEROP=skip")
	}
	path, err := exec.LookPath(name)
	if err != nil {
		path, err = exec.LookPath("/usr/sbin/" + name)
	}
	if err == nil {
		return path
	}
	missing(t, name)
	panic("unreachable")
}

// missing ends a test whose program is not installed.
func missing(t testing.TB, name string) {
	t.Helper()
	if os.Getenv("MXHOOK_INTEROP") == "require" {
		t.Fatalf("%s is not installed, and MXHOOK_INTEROP=require", name)
	}
	t.Skipf("%s is not installed", name)
}

func port(t testing.TB, address string) string {
	t.Helper()
	_, p, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	return p
}
