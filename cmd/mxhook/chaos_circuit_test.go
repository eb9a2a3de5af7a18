package main

import (
	"fmt"
	"strings"
	"testing"
)

// TestOnePoisonousMessageDefersNoOther sends a message that the app can't digest fifty
// times among good mail, on the same sink and on another route of it.
func TestOnePoisonousMessageDefersNoOther(t *testing.T) {
	for _, poison := range []mood{broken, busy, resets, hangs} {
		t.Run(string(poison), func(t *testing.T) {
			k := startKeeper(t)
			k.be(func(a arrival) mood {
				if a.Subject == "poison" {
					return poison
				}
				return takes
			})
			timeout, times := "20s", 50
			if poison == hangs {
				timeout, times = "150ms", 11
			}
			b := startBridge(t, fmt.Sprintf(`
hostname: mx.in.example
delivery: {ledger: 1h, budget: 20s}
sinks:
  app: {type: webhook, url: %q, attempts: 1, timeout: %s, circuit: {failures: 5, open: 5s}}
routes:
  - {name: tickets, recipient: "tickets@in.example", deliver: [app]}
  - {name: rest, recipient: "@in.example", deliver: [app]}
`, k.URL, timeout))
			bad := newLetter("poison", "tickets@in.example")
			for n := range times {
				if a, err := bad.try(t.Context(), b.smtp, nil); err != nil || !strings.HasPrefix(a.reply, "451 4.") {
					t.Fatalf("poison: %q, %v, deferred %q", a.reply, err, a.deferred)
				}
				if n%10 > 0 { // ten in a row without a success between them
					continue
				}
				for _, rcpt := range []string{"tickets@in.example", "other@in.example"} {
					good := newLetter(fmt.Sprint("good-", n), rcpt)
					if a, err := good.try(t.Context(), b.smtp, nil); err != nil || !strings.HasPrefix(a.reply, "250 ") {
						t.Fatalf("good mail for %s after %d times poison: %q, %v, deferred %q", rcpt, n+1, a.reply, err, a.deferred)
					}
				}
			}
			if got := k.count(poison); got != times {
				t.Errorf("the app was asked %d times about the poison, want %d", got, times)
			}
		})
	}
}

// TestAnOpenCircuitDefersItsRecipientsAlone: the others of the same message go through,
// and those that were deferred are events of their own afterwards.
func TestAnOpenCircuitDefersItsRecipientsAlone(t *testing.T) {
	app, sick := startKeeper(t), startKeeper(t)
	sick.be(always(busy))
	b := startBridge(t, fmt.Sprintf(`
hostname: mx.in.example
delivery: {ledger: 1h, budget: 20s}
sinks:
  app: {type: webhook, url: %q}
  sick: {type: webhook, url: %q, attempts: 1, circuit: {failures: 3, open: 50ms}}
routes:
  - {name: a, recipient: "a@in.example", deliver: [app]}
  - {name: b, recipient: "b@in.example", deliver: [app, sick]}
`, app.URL, sick.URL))
	for n := range 3 {
		newLetter(fmt.Sprint("opens-", n), "b@in.example").try(t.Context(), b.smtp, nil)
	}
	b.await(t, "circuit opened")
	l := newLetter("both", "a@in.example", "b@in.example")
	a, err := l.try(t.Context(), b.smtp, nil)
	for n := 0; len(a.deferred) == 0; n++ { // that one was the probe
		l = newLetter(fmt.Sprint("both-", n), "a@in.example", "b@in.example")
		a, err = l.try(t.Context(), b.smtp, nil)
	}
	if err != nil || !strings.HasPrefix(a.reply, "250 2.0.0 OK msg_") || len(a.deferred) != 1 || a.deferred[0] != "b@in.example" {
		t.Fatalf("%+v, %v", a, err)
	}
	sick.be(nil)
	s := &mta{t: t, server: func() string { return b.smtp }, replies: map[string]int{}}
	l.pending = a.deferred
	s.bring(l)
	one, two := app.of(l.name, "a@in.example"), app.of(l.name, "b@in.example")
	if len(one) != 1 || len(two) != 1 || one[0].id == two[0].id || len(sick.of(l.name, "b@in.example")) != 1 {
		t.Errorf("a: %v, b: %v: want one event each with ids of their own", one, two)
	}
}
