package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"mxhook/cmd/internal/config"
)

// spooledConfig has a route of each kind to one app; %URL% is the app.
const spooledConfig = `
hostname: mx.in.example
delivery: {ledger: 1h, budget: 20s}
sinks:
  app: {type: webhook, url: "%URL%", attempts: 1, circuit: {failures: 0}}
routes:
  - {name: slow, recipient: "slow@in.example", deliver: [app], mode: spool}
  - {name: patient, recipient: "patient@in.example", deliver: [app], spill_after: 30ms}
  - {name: rest, recipient: "@in.example", deliver: [app]}
`

func withSpool(a *app) string { return strings.ReplaceAll(spooledConfig, "%URL%", a.URL) }

// accepted returns the id of an event that was just taken.
func accepted(t testing.TB, reply string) string {
	t.Helper()
	id, ok := strings.CutPrefix(reply, "250 2.0.0 OK ")
	if !ok || strings.Contains(id, " ") {
		t.Fatalf("reply %q", reply)
	}
	return id
}

// only checks that the app gets an event once, and nothing else.
func (a *app) only(t testing.TB, b *running, id string) {
	t.Helper()
	if got := a.next(t).Header.Get("webhook-id"); got != id {
		t.Errorf("the app got %s, want %s", got, id)
	}
	if len(a.got) > 0 {
		t.Errorf("and then %s", (<-a.got).Header.Get("webhook-id"))
	}
}

func TestTheSpoolTakesMailWhileTheAppIsDown(t *testing.T) {
	for _, restart := range []bool{false, true} {
		t.Run(fmt.Sprint("restart ", restart), func(t *testing.T) {
			a := startApp(t)
			a.set(answering(http.StatusServiceUnavailable))
			state := t.TempDir()
			b := startBridgeIn(t, state, withSpool(a))
			id := accepted(t, b.send(t, "ann@sender.example", "slow@in.example", []byte(smallMessage)))
			known := "250 2.0.0 already delivered as " + id
			if got := b.send(t, "ann@sender.example", "slow@in.example", []byte(smallMessage)); got != known {
				t.Errorf("again: %q", got)
			}
			if got := b.send(t, "ann@sender.example", "any@in.example", []byte(smallMessage)); !strings.HasPrefix(got, "451 ") {
				t.Errorf("a direct route: %q", got)
			}
			if restart {
				if err := b.Stop(t.Context()); err != nil {
					t.Fatal(err)
				}
				b = startBridgeIn(t, state, withSpool(a))
			}
			a.set(nil)
			a.only(t, b, id)
			b.await(t, "delivered")
			if got := b.send(t, "ann@sender.example", "slow@in.example", []byte(smallMessage)); got != known {
				t.Errorf("after the delivery: %q", got)
			}
			if len(a.got) > 0 {
				t.Error("it was sent again")
			}
		})
	}
}

func TestAFullSpoolIsNoYes(t *testing.T) {
	a := startApp(t)
	a.set(answering(http.StatusServiceUnavailable))
	b := startBridge(t, withSpool(a)+"spool: {max_bytes: 1MiB}\n")
	large := func(id string) []byte {
		return []byte(strings.Replace(smallMessage, "Message-ID: <", "Message-ID: <"+id, 1) + strings.Repeat(strings.Repeat("x", 70)+"\r\n", 6000))
	}
	accepted(t, b.send(t, "ann@sender.example", "slow@in.example", large("1")))
	accepted(t, b.send(t, "ann@sender.example", "slow@in.example", large("2")))
	for range 2 {
		if got := b.send(t, "ann@sender.example", "slow@in.example", large("3")); !strings.HasPrefix(got, "452 4.3.1 ") {
			t.Errorf("full: %q", got)
		}
	}
	a.set(nil)
	for range 2 {
		a.next(t)
	}
	deadline := time.Now().Add(patience)
	for { // the files go after the deliveries
		got := b.send(t, "ann@sender.example", "slow@in.example", large("3"))
		if strings.HasPrefix(got, "250 2.0.0 OK ") {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("with space again: %q", got)
		}
	}
	a.next(t)
}

func TestMailThatWaitedLongEnoughSpills(t *testing.T) {
	a := startApp(t)
	a.set(answering(http.StatusServiceUnavailable))
	b := startBridge(t, withSpool(a))
	began := time.Now()
	deferred := 0
	reply := b.send(t, "ann@sender.example", "patient@in.example", []byte(smallMessage))
	for ; strings.HasPrefix(reply, "451 4.4.5 "); deferred++ {
		if time.Since(began) > patience {
			t.Fatal("it never spills")
		}
		reply = b.send(t, "ann@sender.example", "patient@in.example", []byte(smallMessage))
	}
	id := accepted(t, reply)
	if took := time.Since(began); deferred == 0 || took < 30*time.Millisecond {
		t.Errorf("after %d deferrals in %v", deferred, took)
	}
	if got := b.send(t, "ann@sender.example", "patient@in.example", []byte(smallMessage)); got != "250 2.0.0 already delivered as "+id {
		t.Errorf("again: %q", got)
	}
	a.set(nil)
	a.only(t, b, id)
}

func TestAnOpenCircuitKeepsNoMailFromTheSpool(t *testing.T) {
	a := startApp(t)
	a.set(answering(http.StatusServiceUnavailable))
	b := startBridge(t, strings.Replace(withSpool(a), "failures: 0", "failures: 2, open: 1h", 1))
	for n := range 2 {
		b.send(t, "ann@sender.example", "any@in.example", []byte(strings.Replace(smallMessage, "Message-ID: <", fmt.Sprint("Message-ID: <", n), 1)))
	}
	if got := b.send(t, "ann@sender.example", "any@in.example", []byte(smallMessage)); !strings.HasPrefix(got, "451 4.4.1 ") || !strings.Contains(b.log.String(), `"recipient refused"`) {
		t.Errorf("direct: %q", got)
	}
	accepted(t, b.send(t, "ann@sender.example", "slow@in.example", []byte(smallMessage)))
	reply := b.send(t, "ann@sender.example", "patient@in.example", []byte(smallMessage))
	for began := time.Now(); strings.HasPrefix(reply, "451 4.4.1 ") && time.Since(began) < patience; {
		reply = b.send(t, "ann@sender.example", "patient@in.example", []byte(smallMessage))
	}
	accepted(t, reply)
}

func TestARecipientThatComesAloneLaterIsAnotherEvent(t *testing.T) {
	a := startApp(t)
	b := startBridge(t, withLedger(a)+"limits: {recipients: 1}\n")
	s := b.begin(t)
	s.say(t, "RCPT TO:<ann@in.example>", "250 ")
	s.say(t, "RCPT TO:<bob@in.example>", "452 4.5.3 ")
	first := accepted(t, s.data(t, smallMessage))
	second := accepted(t, b.send(t, "ann@sender.example", "bob@in.example", []byte(smallMessage)))
	if first == second {
		t.Error("another recipient has the same id")
	}
	for _, want := range []string{first, second} {
		if got := a.next(t).Header.Get("webhook-id"); got != want {
			t.Errorf("the app got %s, want %s", got, want)
		}
	}
}

func TestATransactionKeepsTheModeOfItsMail(t *testing.T) {
	a := startApp(t)
	a.set(answering(http.StatusServiceUnavailable))
	b := startBridge(t, withSpool(a))
	before := b.begin(t)
	text := strings.Replace(withSpool(a), ", mode: spool", "", 1) + "listeners: [{address: \"127.0.0.1:0\", tls: {mode: none}}]\n"
	c, problems := config.Parse("test.yaml", []byte(text), func(string) (string, bool) { return "", false })
	if c == nil {
		t.Fatal(problems)
	}
	if err := b.Reload(c); err != nil {
		t.Fatal(err)
	}
	before.say(t, "RCPT TO:<slow@in.example>", "250 ")
	id := accepted(t, before.data(t, smallMessage))
	other := strings.Replace(smallMessage, "Message-ID: <", "Message-ID: <other.", 1)
	if got := b.send(t, "ann@sender.example", "slow@in.example", []byte(other)); !strings.HasPrefix(got, "451 ") {
		t.Errorf("after the reload: %q", got)
	}
	// What is in the spool is known to the route that is direct now.
	if got := b.send(t, "ann@sender.example", "slow@in.example", []byte(smallMessage)); got != "250 2.0.0 already delivered as "+id {
		t.Errorf("%q", got)
	}
	a.set(nil)
	a.only(t, b, id)
}

// data sends the message and returns the reply to it.
func (d dialogue) data(t *testing.T, message string) string {
	t.Helper()
	d.say(t, "DATA", "354 ")
	w := d.DotWriter()
	w.Write([]byte(message))
	w.Close()
	return d.answer(t)
}
