package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/textproto"
	"strings"
	"testing"
	"time"

	"mxhook/cmd/internal/bridge"
	"mxhook/verify/dns"
)

// ledgerConfig has a ledger; %URL% is the app.
const ledgerConfig = `
hostname: mx.in.example
delivery: {ledger: 1h, budget: 20s}
sinks:
  app: {type: webhook, url: "%URL%", attempts: 1}
routes:
  - {name: again, recipient: "again@in.example", deliver: [app], deduplicate: false}
  - {name: rest, recipient: "@in.example", deliver: [app]}
`

func withLedger(a *app) string { return strings.ReplaceAll(ledgerConfig, "%URL%", a.URL) }

// transmit makes a transaction from an address of loopback, up to the final dot.
func transmit(t testing.TB, server, localIP, rcpt string, message []byte) *textproto.Conn {
	t.Helper()
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(localIP)}, Timeout: patience}
	conn, err := dialer.DialContext(t.Context(), "tcp", server)
	if err != nil {
		t.Skipf("no connection from %s: %v", localIP, err)
	}
	conn.SetDeadline(time.Now().Add(patience))
	c := textproto.NewConn(conn)
	expect := func(code int) {
		t.Helper()
		if _, text, err := c.ReadResponse(code); err != nil {
			t.Fatal(text, err)
		}
	}
	expect(220)
	for _, step := range []struct {
		line string
		code int
	}{{"EHLO mail.sender.example", 250}, {"MAIL FROM:<ann@sender.example>", 250}, {"RCPT TO:<" + rcpt + ">", 250}, {"DATA", 354}} {
		c.PrintfLine("%s", step.line)
		expect(step.code)
	}
	w := c.DotWriter()
	w.Write(message)
	w.Close()
	return c
}

// sendFrom is send from an address of loopback.
func (r *running) sendFrom(t testing.TB, localIP string, message []byte) string {
	t.Helper()
	c := transmit(t, r.smtp, localIP, "ann@in.example", message)
	defer c.Close()
	code, text, err := c.ReadResponse(0)
	var reply *textproto.Error
	if err != nil && !errors.As(err, &reply) {
		t.Fatal(err)
	}
	return fmt.Sprint(code, " ", text)
}

func TestAResendIsNotDeliveredAgain(t *testing.T) {
	a := startApp(t)
	state := t.TempDir()
	b := startBridgeIn(t, state, withLedger(a)+"admin: {address: \"127.0.0.1:0\"}\n")
	first := b.sendFrom(t, "127.0.0.1", []byte(smallMessage))
	id := a.next(t).Header.Get("webhook-id")
	if first != "250 2.0.0 OK "+id {
		t.Errorf("reply %q", first)
	}
	known := "250 2.0.0 already delivered as " + id
	if got := b.sendFrom(t, "127.0.0.1", []byte(smallMessage)); got != known {
		t.Errorf("again: %q", got)
	}
	hop := "Received: from x by y; Sat, 21 Nov 2026 10:00:00 +0000\r\n"
	if got := b.sendFrom(t, "127.0.0.1", []byte(hop+smallMessage)); got != known {
		t.Errorf("with another Received field: %q", got)
	}
	text := metricsOf(t, b)
	for _, want := range []string{`mxhook_ledger_suppressed_total{sink="app"} 2`, `mxhook_replies_total{condition="already_delivered"} 2`, `mxhook_transactions_total{reply="2xx"} 3`} {
		if !strings.Contains(text, want) {
			t.Errorf("%s is missing", want)
		}
	}
	for _, c := range []struct{ name, rcpt, message string }{
		{"another body", "ann@in.example", smallMessage + "more\r\n"},
		{"another author", "ann@in.example", strings.Replace(smallMessage, "From: ann", "From: bob", 1)},
		{"another recipient", "bob@in.example", smallMessage},
		{"a route without deduplication", "again@in.example", smallMessage},
		{"a route without deduplication, again", "again@in.example", smallMessage},
		{"no Message-ID", "ann@in.example", strings.Replace(smallMessage, "Message-ID", "X-ID", 1)},
		{"no Message-ID, again", "ann@in.example", strings.Replace(smallMessage, "Message-ID", "X-ID", 1)},
	} {
		if got := b.send(t, "ann@sender.example", c.rcpt, []byte(c.message)); !strings.HasPrefix(got, "250 2.0.0 OK msg_") {
			t.Errorf("%s: %q", c.name, got)
		}
		a.next(t)
	}

	// After a restart.
	if err := b.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	b = startBridgeIn(t, state, withLedger(a))
	if got := b.sendFrom(t, "127.0.0.1", []byte(smallMessage)); got != known {
		t.Errorf("after a restart: %q", got)
	}
	if len(a.got) > 0 {
		t.Errorf("%d deliveries too many", len(a.got))
	}
}

func metricsOf(t *testing.T, b *running) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "GET", "http://"+b.AdminAddr().String()+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultTransport.(*http.Transport).RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestALost250IsNotDeliveredAgain(t *testing.T) {
	a := startApp(t)
	b := startBridge(t, withLedger(a))
	reached, gone := make(chan bool), make(chan bool)
	a.set(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		reached <- true
		<-gone
		a.got <- delivery{r, body}
	})
	c := transmit(t, b.smtp, "127.0.0.1", "ann@in.example", []byte(smallMessage))
	<-reached
	c.Close() // the client hangs up before the reply
	close(gone)
	id := a.next(t).Header.Get("webhook-id")
	b.await(t, "message accepted")
	if got := b.sendFrom(t, "127.0.0.1", []byte(smallMessage)); got != "250 2.0.0 already delivered as "+id {
		t.Errorf("the resend: %q", got)
	}
	if len(a.got) > 0 {
		t.Error("it was delivered again")
	}
}

// TestAForgedCopyNeverSuppressesTheGenuineMessage sends copies of one message. Who
// vouches for a copy decides whether it is the same.
func TestAForgedCopyNeverSuppressesTheGenuineMessage(t *testing.T) {
	sender, err := newDemoSender()
	if err != nil {
		t.Fatal(err)
	}
	genuine, err := sender.message("hello", "<signed@sender.example>")
	if err != nil {
		t.Fatal(err)
	}
	broken := bytes.Replace(genuine, []byte("To: Support"), []byte("To: Suppor7"), 1) // a signed field that is no part of the identity
	unsigned := bytes.Replace(genuine, []byte("DKIM-Signature:"), []byte("X-Signature:"), 1)
	noSPF, err := dns.ParseZone("$ORIGIN sender.example.\n$TTL 300\nmail IN A 127.0.0.1\n")
	if err != nil {
		t.Fatal(err)
	}
	type copyOf struct {
		name, from string
		message    []byte
		known      bool
	}
	for _, c := range []struct {
		name   string
		zone   *dns.Zone
		copies []copyOf
	}{
		{"a forged copy first", sender.zone, []copyOf{
			{"from elsewhere, the signature fails", "127.0.0.2", broken, false},
			{"from elsewhere, unsigned", "127.0.0.2", unsigned, true}, // vouched for by the same network alone
			{"the genuine", "127.0.0.1", genuine, false},
			{"the genuine again", "127.0.0.1", genuine, true},
		}},
		{"a signature that fails", sender.zone, []copyOf{
			{"the genuine", "127.0.0.1", genuine, false},
			{"the signature fails", "127.0.0.1", broken, false},
		}},
		{"nobody vouches", noSPF, []copyOf{
			{"unsigned", "127.0.0.1", unsigned, false},
			{"from the same /24", "127.0.0.77", unsigned, true},
			{"from another /24", "127.0.1.1", unsigned, false},
		}},
		{"a replay of the genuine bytes", sender.zone, []copyOf{
			{"from elsewhere, signed", "127.0.2.1", genuine, false},
			{"from another such address", "127.0.3.1", genuine, true},
			{"the genuine", "127.0.0.1", genuine, false},
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := startApp(t)
			b := startBridge(t, withLedger(a), func(o *bridge.Options) { o.Resolver = c.zone })
			for _, m := range c.copies {
				got := b.sendFrom(t, m.from, m.message)
				if known := strings.HasPrefix(got, "250 2.0.0 already delivered as msg_"); known != m.known || !strings.HasPrefix(got, "250 ") {
					t.Errorf("%s: %q", m.name, got)
				}
				if !m.known {
					a.next(t)
				}
			}
			if len(a.got) > 0 {
				t.Errorf("%d deliveries too many", len(a.got))
			}
		})
	}
}

func TestALateYesIsNotDeliveredAgain(t *testing.T) {
	a := startApp(t)
	b := startBridge(t, strings.Replace(withLedger(a), "budget: 20s", "budget: 300ms", 1))
	proceed := make(chan bool)
	a.set(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		a.got <- delivery{r, body}
		<-proceed
	})
	if got := b.sendFrom(t, "127.0.0.1", []byte(smallMessage)); !strings.HasPrefix(got, "451 4.4.5 ") {
		t.Errorf("the budget is over: %q", got)
	}
	id := a.next(t).Header.Get("webhook-id")
	if got := b.sendFrom(t, "127.0.0.1", []byte(smallMessage)); !strings.HasPrefix(got, "451 4.4.5 the same message is being delivered") {
		t.Errorf("while the attempt still runs: %q", got)
	}
	close(proceed)
	b.await(t, "delivered")
	if got := b.sendFrom(t, "127.0.0.1", []byte(smallMessage)); got != "250 2.0.0 already delivered as "+id {
		t.Errorf("after the late yes: %q", got)
	}
	if len(a.got) > 0 {
		t.Error("it was delivered again")
	}
}

func TestTwoSessionsWithOneMessageMakeOneDelivery(t *testing.T) {
	a := startApp(t)
	b := startBridge(t, withLedger(a))
	reached, proceed := make(chan bool, 2), make(chan bool)
	a.set(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		a.got <- delivery{r, body}
		reached <- true
		<-proceed
	})
	one := transmit(t, b.smtp, "127.0.0.1", "ann@in.example", []byte(smallMessage))
	defer one.Close()
	<-reached
	two := transmit(t, b.smtp, "127.0.0.1", "ann@in.example", []byte(smallMessage))
	defer two.Close()
	close(proceed)
	id := a.next(t).Header.Get("webhook-id")
	if _, got, err := one.ReadResponse(250); err != nil || got != "2.0.0 OK "+id {
		t.Errorf("one: %q, %v", got, err)
	}
	if _, got, err := two.ReadResponse(250); err != nil || got != "2.0.0 already delivered as "+id {
		t.Errorf("two: %q, %v", got, err)
	}
	if len(a.got) > 0 {
		t.Error("it was delivered twice")
	}
}
