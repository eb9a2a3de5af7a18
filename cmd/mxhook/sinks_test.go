package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestRecipientsDecideWhoGetsAMessage(t *testing.T) {
	one, two := startApp(t), startApp(t)
	b := startBridge(t, fmt.Sprintf(`
hostname: mx.in.example
sinks:
  one: {type: webhook, url: "%s"}
  two: {type: webhook, url: "%s", fan_out: recipient}
routes:
  - {name: copy, recipient: "*@in.example", sender: "*@sender.example", deliver: [two], continue: true}
  - {name: gone, recipient: "gone@in.example", reject: "550 5.1.6 the mailbox has moved"}
  - {name: hole, recipient: "hole@in.example", discard: true}
  - {name: rest, recipient: "@in.example", deliver: [one]}
`, one.URL, two.URL))

	// Two recipients, one of them twice, and in another case: three events in all.
	got := b.send(t, "ann@sender.example", "a@in.example B@in.example A@IN.example", []byte(smallMessage))
	if !strings.HasPrefix(got, "250 2.0.0 OK msg_") || !strings.HasSuffix(got, " +2") {
		t.Errorf("reply %q, want an id and +2", got)
	}
	if p := one.next(t).document(t); len(p.Envelope.Recipients) != 2 || p.Route != "rest" {
		t.Errorf("sink one got %+v", p)
	}
	ids := []string{two.next(t).document(t).ID, two.next(t).document(t).ID}
	if ids[0] == ids[1] {
		t.Error("two recipients' events have the same id")
	}

	// A route that only discards says yes and delivers nothing.
	if got := b.send(t, "x@elsewhere.example", "hole@in.example", []byte(smallMessage)); !strings.HasPrefix(got, "250 2.0.0 ") {
		t.Errorf("discard: %q", got)
	}
	for rcpt, want := range map[string]string{
		"gone@in.example": "550 5.1.6 the mailbox has moved", "a@other.example": "550 5.7.1 ", "postmaster@other.example": "550 5.7.1 ",
	} {
		if got := b.send(t, "x@elsewhere.example", rcpt, []byte(smallMessage)); !strings.HasPrefix(got, want) {
			t.Errorf("%s: reply %q, want %q", rcpt, got, want)
		}
	}
	for _, rcpt := range []string{"postmaster@in.example", "Postmaster"} {
		if got := b.send(t, "", rcpt, []byte(smallMessage)); !strings.HasPrefix(got, "250 2.0.0 ") {
			t.Errorf("%s: %q", rcpt, got)
		}
		one.next(t)
	}
	if len(one.got)+len(two.got) > 0 {
		t.Errorf("%d deliveries too many", len(one.got)+len(two.got))
	}
}

func TestOneReplyForAllSinks(t *testing.T) {
	good, bad := startApp(t), startApp(t)
	b := startBridge(t, fmt.Sprintf(`
hostname: mx.in.example
delivery: {budget: 5s}
sinks:
  good: {type: webhook, url: "%s", attempts: 1}
  bad: {type: webhook, url: "%s", attempts: 1, timeout: 4s}
routes:
  - {recipient: "both@in.example", deliver: [good, bad]}
  - {recipient: "@in.example", deliver: [good], optional: [bad]}
`, good.URL, bad.URL))
	cases := []struct {
		name, rcpt string
		answer     http.HandlerFunc
		want       string
	}{
		{"a temporary failure beside a success", "both@in.example", answering(500), "451 4.3.0 "},
		{"a refusal beside a success", "both@in.example", answering(406), "250 2.0.0 OK msg_"},
		{"an optional failure", "a@in.example", answering(500), "250 2.0.0 OK msg_"},
		{"an optional refusal", "a@in.example", answering(406), "250 2.0.0 OK msg_"},
		{"an optional sink that hangs", "a@in.example", func(_ http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			<-r.Context().Done()
		}, "250 2.0.0 OK msg_"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			bad.set(c.answer)
			if got := b.send(t, "ann@sender.example", c.rcpt, []byte(smallMessage)); !strings.HasPrefix(got, c.want) {
				t.Errorf("reply %q, want %q", got, c.want)
			}
			good.next(t)
		})
	}
}

func TestARefusedEventIsKeptBeforeThe250(t *testing.T) {
	good, bad := startApp(t), startApp(t)
	bad.set(answering(406))
	state := t.TempDir()
	text := fmt.Sprintf(`
hostname: mx.in.example
sinks:
  good: {type: webhook, url: "%s"}
  bad: {type: webhook, url: "%s"}
routes:
  - {recipient: "@in.example", deliver: [good, bad]}
`, good.URL, bad.URL)
	b := startBridgeIn(t, state, text)
	if got := b.send(t, "ann@sender.example", "a@in.example", []byte(smallMessage)); !strings.HasPrefix(got, "250 ") {
		t.Fatal(got)
	}
	id := good.next(t).document(t).ID
	kept, err := os.ReadFile(filepath.Join(state, "dead", id+".bad.eml"))
	if err != nil {
		t.Fatal(err)
	}
	if string(kept) != smallMessage {
		t.Errorf("the dead event's bytes are not those received:\n%s", kept)
	}
	// Without a place to keep it there is no 250.
	if err := os.RemoveAll(filepath.Join(state, "dead")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(state, "dead"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := b.send(t, "ann@sender.example", "a@in.example", []byte(smallMessage)); !strings.HasPrefix(got, "452 4.3.1 ") {
		t.Errorf("reply %q, want 452 4.3.1", got)
	}
}

func TestOneMailboxInSeveralSpellingsIsOneRecipient(t *testing.T) {
	a := startApp(t)
	b := startBridge(t, fmt.Sprintf(`
hostname: mx.in.example
sinks:
  app: {type: webhook, url: "%s", fan_out: recipient}
routes:
  - {recipient: "@bücher.example", deliver: [app]}
`, a.URL))
	ids := map[string]bool{}
	for _, rcpts := range []string{"x@bücher.example X@xn--bcher-kva.example x@BÜCHER.example", "x@xn--bcher-kva.example.", "x@bücher.example"} {
		m := mailing{server: b.smtp, helo: "mail.sender.example", from: "ann@sender.example", rcpts: strings.Fields(rcpts), utf8: true}
		if _, err := m.send(t.Context(), strings.NewReader(smallMessage)); err != nil {
			t.Fatal(err)
		}
		ids[a.next(t).document(t).ID] = true
	}
	if len(ids) != 1 || len(a.got) > 0 {
		t.Errorf("%d ids and %d deliveries too many", len(ids), len(a.got))
	}
}
