package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"mxhook/cmd/internal/bridge"
	"mxhook/cmd/internal/control"
	"mxhook/sinks/spool"
	"mxhook/verify/dns"
)

// whenZone has an author's domain that 127.0.0.1 proves, and one that it doesn't.
const whenZone = testZone + `
forged.example. IN TXT "v=spf1 -all"
_dmarc.forged.example. IN TXT "v=DMARC1; p=reject"
`

const whenConfig = `
hostname: mx.in.example
delivery: {ledger: 192h}
sinks:
  tickets: {type: webhook, url: "%URL%/tickets", attempts: 1}
  rest: {type: webhook, url: "%URL%/rest", attempts: 1}
routes:
  - {name: large, recipient: "support@in.example", when: {size: ">1KiB"}, reject: "552 5.3.4 too large for a ticket"}
  - {name: busy, recipient: "support@in.example", when: {subject: "*later*"}, reject: "450 4.2.1 come again"}
  - {name: tickets, recipient: "support@in.example", when: {from_verified: true}, deliver: [tickets]}
  - {name: unproved, recipient: "support@in.example", deliver: [rest]}
  - {name: strict, recipient: "strict@in.example", when: {dmarc: [pass], from: ["*@sender.example", "*@broken.example"]}, deliver: [tickets]}
  - {name: both, recipient: "both@in.example", when: {header: {X-Copy: "yes"}}, deliver: [tickets], continue: true}
  - {name: words, recipient: "words@in.example", when: {subject: "*order*", class: [normal]}, deliver: [rest]}
  - {name: hole, recipient: "hole@in.example", when: {dmarc: [fail]}, discard: true}
  - {name: rest, recipient: ["both@in.example", "plain@in.example"], deliver: [rest]}
`

// letterOf is a message of an author; id makes it another one.
func letterOf(author, id, more string) []byte {
	return fmt.Appendf(nil, "From: <%s>\r\nMessage-ID: <%s@sender.example>\r\n%s\r\nText.\r\n", author, id, more)
}

func whenBridge(t *testing.T, options ...func(*bridge.Options)) (*running, *app) {
	t.Helper()
	return whenBridgeIn(t, t.TempDir(), options...)
}

func whenBridgeIn(t *testing.T, state string, options ...func(*bridge.Options)) (*running, *app) {
	t.Helper()
	a := startApp(t)
	zone := withZone(t, whenZone, func(z *dns.Zone) {
		z.ServFail("broken.example")
		z.ServFail("_dmarc.broken.example")
	})
	return startBridgeIn(t, state, strings.ReplaceAll(whenConfig, "%URL%", a.URL), append(options, zone)...), a
}

// routesOf returns the routes of the next n deliveries.
func (a *app) routesOf(t *testing.T, n int) string {
	t.Helper()
	routes := map[string]int{}
	for range n {
		routes[a.next(t).Header.Get("X-Mxhook-Route")]++
	}
	if len(a.got) > 0 {
		t.Errorf("%d more deliveries", len(a.got))
	}
	return fmt.Sprint(routes)
}

const (
	notMet    = "550 5.7.1 refused by the recipient's conditions"
	noVerdict = "451 4.4.3 a needed DNS answer is not available, try again later"
)

func TestWhenDecidesAfterTheData(t *testing.T) {
	b, a := whenBridge(t)
	for i, m := range []struct {
		name, author, more, rcpt, reply, routes string
	}{
		{"the first route whose conditions hold", "ann@sender.example", "", "support@in.example", "250 2.0.0 OK msg_", "map[tickets:1]"},
		{"the next where they do not", "ann@forged.example", "", "support@in.example", "250 2.0.0 OK msg_", "map[unproved:1]"},
		{"one more author proves nothing", "ann@sender.example>, <eve@forged.example", "", "support@in.example", "250 2.0.0 OK msg_", "map[unproved:1]"},
		{"a reject with conditions that hold", "ann@sender.example", "X: " + strings.Repeat("x", 900) + "\r\nY: " + strings.Repeat("y", 200) + "\r\n", "support@in.example", "552 5.3.4 too large for a ticket", "map[]"},
		{"a reject that is a 4xx", "ann@sender.example", "Subject: sooner or LATER\r\n", "support@in.example", "450 4.2.1 come again", "map[]"},
		{"every recipient is refused", "ann@forged.example", "", "strict@in.example words@in.example", notMet, "map[]"},
		{"dmarc and from hold", "ann@sender.example", "", "strict@in.example", "250 2.0.0 OK msg_", "map[strict:1]"},
		{"one is refused, others are delivered", "ann@forged.example", "", "strict@in.example plain@in.example", "250 2.0.0 OK msg_", "map[rest:1]"},
		{"one is a 4xx, others are delivered", "ann@sender.example", "Subject: later\r\n", "support@in.example plain@in.example", "451 4.3.0 partly delivered", "map[rest:1]"},
		{"a missing verdict defers", "ann@broken.example", "", "strict@in.example", noVerdict, "map[]"},
		{"and the whole message, which could not be known again", "ann@broken.example", "", "strict@in.example plain@in.example", noVerdict, "map[]"},
		{"where it decides alone", "ann@broken.example", "Subject: later\r\n", "support@in.example", "450 4.2.1", "map[]"},
		{"a verdict that nobody needs", "ann@broken.example", "", "plain@in.example", "250 2.0.0 OK msg_", "map[rest:1]"},
		{"continue whose conditions hold", "ann@sender.example", "X-Copy: Yes\r\n", "both@in.example", "250 2.0.0 OK msg_", "map[both:1 rest:1]"},
		{"continue whose conditions do not", "ann@sender.example", "X-Copy: No\r\n", "both@in.example", "250 2.0.0 OK msg_", "map[rest:1]"},
		{"subject and class", "ann@forged.example", "Subject: =?utf-8?q?My_=4Frder?=\r\n", "words@in.example", "250 2.0.0 OK msg_", "map[words:1]"},
		{"another class", "ann@forged.example", "Subject: order\r\nAuto-Submitted: auto-replied\r\n", "words@in.example", notMet, "map[]"},
		{"discard with conditions", "ann@forged.example", "", "hole@in.example", "250 2.0.0 OK", "map[]"},
		{"discard whose conditions do not hold", "ann@sender.example", "", "hole@in.example", notMet, "map[]"},
		{"postmaster is never refused", "ann@forged.example", "", "postmaster@in.example", "250 2.0.0 OK msg_", "map[tickets:1]"},
	} {
		t.Run(m.name, func(t *testing.T) {
			reply := b.send(t, "ann@sender.example", m.rcpt, letterOf(m.author, fmt.Sprint("m", i), m.more))
			if !strings.HasPrefix(reply, m.reply) {
				t.Errorf("%s, want %s", reply, m.reply)
			}
			if got := a.routesOf(t, strings.Count(m.routes, ":")); got != m.routes {
				t.Errorf("routes %s, want %s", got, m.routes)
			}
		})
	}
}

// TestARefusedRecipientIsKept wants what no sender heard of to be kept, once, and known
// when the message comes again, over a restart too.
func TestARefusedRecipientIsKept(t *testing.T) {
	state := t.TempDir()
	b, a := whenBridgeIn(t, state)
	message := letterOf("ann@forged.example", "kept", "")
	for i, want := range []string{"250 2.0.0 OK msg_", "250 2.0.0 already delivered as msg_"} {
		if got := b.send(t, "ann@sender.example", "plain@in.example strict@in.example", message); !strings.HasPrefix(got, want) {
			t.Errorf("time %d: %s", i+1, got)
		}
	}
	a.routesOf(t, 1)
	if err := b.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	b, a = whenBridgeIn(t, state)
	if got := b.send(t, "ann@sender.example", "plain@in.example strict@in.example", message); !strings.HasPrefix(got, "250 2.0.0 already delivered as msg_") || len(a.got) > 0 {
		t.Errorf("after a restart: %s", got)
	}
	var dead []spool.Item
	if err := b.List(t.Context(), control.Filter{}, func(i spool.Item) error { dead = append(dead, i); return nil }); err != nil {
		t.Fatal(err)
	}
	if len(dead) != 1 || dead[0].State != spool.Dead || dead[0].Route != "strict" || !strings.HasSuffix(dead[0].ID, ".~conditions_not_met") {
		t.Fatalf("kept: %+v", dead)
	}
	changed, err := b.Replay(t.Context(), control.Selection{Names: []string{dead[0].ID}})
	if err != nil || len(changed.Failed) != 1 || !strings.Contains(changed.Failed[0].Error, "its route did") {
		t.Errorf("replay: %+v, %v", changed, err)
	}
	if all, err := b.Replay(t.Context(), control.Selection{All: true}); err != nil || len(all.Failed) != 0 || all.Dead != 0 {
		t.Errorf("replay of all: %+v, %v", all, err)
	}
	if changed, err = b.Drop(t.Context(), control.Selection{Names: []string{dead[0].ID}}); err != nil || len(changed.Failed) > 0 {
		t.Errorf("drop: %+v, %v", changed, err)
	}
}

func TestWhenOverLMTP(t *testing.T) {
	a := startApp(t)
	socket := filepath.Join(t.TempDir(), "lmtp")
	zone := withZone(t, whenZone, func(z *dns.Zone) { z.ServFail("broken.example"); z.ServFail("_dmarc.broken.example") })
	b := startBridge(t, strings.ReplaceAll(whenConfig, "%URL%", a.URL)+fmt.Sprintf("\nlisteners: [{address: \"unix:%s\", kind: lmtp}]\n", socket), zone)
	c := dialLMTP(t, b.Addrs()[0])
	for i, m := range []struct {
		name, author, rcpt string
		want               []string
		routes             string
	}{
		{"each recipient hears its own", "ann@forged.example", "strict@in.example plain@in.example words@in.example",
			[]string{notMet, "250 2.0.0 OK msg_", notMet}, "map[rest:1]"},
		{"a missing verdict defers those who need it", "ann@broken.example", "strict@in.example plain@in.example",
			[]string{noVerdict, "250 2.0.0 OK msg_"}, "map[rest:1]"},
	} {
		t.Run(m.name, func(t *testing.T) {
			got := c.send("ann@sender.example", m.rcpt, letterOf(m.author, fmt.Sprint("l", i), ""))
			for i := range m.want {
				if len(got) != len(m.want) || !strings.HasPrefix(got[i], m.want[i]) {
					t.Fatalf("replies %q, want %q", got, m.want)
				}
			}
			if got := a.routesOf(t, 1); got != m.routes {
				t.Errorf("routes %s, want %s", got, m.routes)
			}
		})
	}
	dead := 0
	b.List(t.Context(), control.Filter{}, func(spool.Item) error { dead++; return nil })
	if dead > 0 {
		t.Errorf("%d events kept of recipients who were told", dead)
	}
}

// TestWhenWithoutVerdictsNeedsNoDNS wants conditions that ask for no verdict to work
// while no name server answers.
func TestWhenWithoutVerdictsNeedsNoDNS(t *testing.T) {
	zone := withZone(t, testZone, func(z *dns.Zone) {
		for _, name := range []string{"sender.example", "_dmarc.sender.example", "mail.sender.example", "1.0.0.127.in-addr.arpa"} {
			z.ServFail(name)
		}
	})
	b, a := whenBridge(t, zone)
	if got := b.send(t, "ann@broken.example", "words@in.example", letterOf("ann@broken.example", "n", "Subject: order\r\n")); !strings.HasPrefix(got, "250 ") {
		t.Error(got)
	}
	if got := a.routesOf(t, 1); got != "map[words:1]" {
		t.Error(got)
	}
}

// TestAcceptOfCandidates wants accept to be asked at RCPT for each candidate, and a no to
// take that one out.
func TestAcceptOfCandidates(t *testing.T) {
	ask, a := startAcceptor(t), startApp(t)
	question := func(path string) string {
		return `accept: {url: "` + ask.URL + path + `", secret: "` + acceptSecret + `", cache: 0s}`
	}
	b := startBridge(t, strings.NewReplacer("%URL%", a.URL, "%BOTH%", question("/both"), "%ASK%", question("/ask")).Replace(`
hostname: mx.in.example
sinks: {app: {type: webhook, url: "%URL%"}}
routes:
  - {name: proved, recipient: "@in.example", when: {from_verified: true}, %BOTH%, deliver: [app]}
  - {name: gone, recipient: "gone-*@in.example", reject: "550 5.1.6 gone"}
  - {name: other, recipient: "@in.example", %ASK%, deliver: [app]}
`), withZone(t, whenZone))
	for i, m := range []struct{ name, author, rcpt, reply, routes string }{
		{"all say yes, and the conditions hold", "ann@sender.example", "a-yes@in.example", "250 ", "map[proved:1]"},
		{"all say yes, and they do not", "ann@forged.example", "a-yes@in.example", "250 ", "map[other:1]"},
		{"a no takes the candidate out whose conditions hold", "ann@sender.example", "a-half@in.example", "250 ", "map[other:1]"},
		{"all say no", "ann@sender.example", "a-no@in.example", "550 5.1.1 ", "map[]"},
		{"one does not answer", "ann@sender.example", "a-mixed@in.example", "451 4.3.0 ", "map[]"},
		{"what is left is a reject without conditions", "ann@sender.example", "gone-no@in.example", "550 5.1.6 gone", "map[]"},
		{"a reject behind conditions that hold", "ann@sender.example", "gone-yes@in.example", "250 ", "map[proved:1]"},
		{"a reject behind conditions that do not", "ann@forged.example", "gone-yes@in.example", "550 5.1.6 gone", "map[]"},
	} {
		t.Run(m.name, func(t *testing.T) {
			if got := b.send(t, "ann@sender.example", m.rcpt, letterOf(m.author, fmt.Sprint("a", i), "")); !strings.HasPrefix(got, m.reply) {
				t.Errorf("%s, want %s", got, m.reply)
			}
			if got := a.routesOf(t, strings.Count(m.routes, ":")); got != m.routes {
				t.Errorf("routes %s, want %s", got, m.routes)
			}
		})
	}
	for _, m := range []struct{ rcpt, want string }{
		{"gone-yes@in.example", "250 "}, {"gone-no@in.example", "550 5.1.6 "}, {"a-no@in.example", "550 5.1.1 "},
	} {
		c := dialSMTP(t, b.smtp)
		c.say("MAIL FROM:<ann@sender.example>")
		if got := c.say("RCPT TO:<" + m.rcpt + ">"); !strings.HasPrefix(got, m.want) {
			t.Errorf("RCPT of %s: %s, want %s", m.rcpt, got, m.want)
		}
	}
}

// TestCircuitOfCandidates wants a circuit to count at RCPT only when every candidate
// needs that sink.
func TestCircuitOfCandidates(t *testing.T) {
	stuck, good := startApp(t), startApp(t)
	b := startBridge(t, strings.NewReplacer("%URL%", stuck.URL, "%GOOD%", good.URL).Replace(`
hostname: mx.in.example
sinks:
  stuck: {type: webhook, url: "%URL%", attempts: 1, circuit: {failures: 2, open: 1h}}
  other: {type: webhook, url: "%URL%", attempts: 1, circuit: {failures: 2, open: 1h}}
  good: {type: webhook, url: "%GOOD%", attempts: 1}
routes:
  - {recipient: "apart@in.example", when: {from_verified: true}, deliver: [stuck]}
  - {recipient: ["apart@in.example", "y@in.example"], deliver: [other]}
  - {recipient: "one@in.example", when: {from_verified: true}, deliver: [stuck]}
  - {recipient: ["one@in.example", "all@in.example"], when: {from_verified: false}, deliver: [good]}
  - {recipient: "all@in.example", deliver: [good]}
  - {recipient: "two@in.example", when: {from_verified: true}, deliver: [stuck]}
  - {recipient: "two@in.example", when: {class: [normal]}, deliver: [stuck, good]}
  - {recipient: "@in.example", deliver: [stuck]}
`))
	stuck.set(answering(503))
	for i := range 4 {
		rcpt := []string{"x@in.example", "y@in.example"}[i%2]
		if got := b.send(t, "ann@sender.example", rcpt, letterOf("ann@sender.example", fmt.Sprint("c", i), "")); !strings.HasPrefix(got, "451 ") {
			t.Fatal(got)
		}
	}
	d := b.begin(t)
	d.say(t, "RCPT TO:<y@in.example>", "451 4.4.1 ")
	d.say(t, "RCPT TO:<apart@in.example>", "250 ") // each of his routes needs another sink
	d.say(t, "RCPT TO:<two@in.example>", "451 4.4.1 ")
	d.say(t, "RCPT TO:<x@in.example>", "451 4.4.1 ")
	d.say(t, "RCPT TO:<all@in.example>", "250 ")
	d.say(t, "RCPT TO:<one@in.example>", "250 ")
}

// TestStoredMessagesAreNotGuessedAt wants replay FILE.eml and inspect to go through the
// same decision, and to say so where nobody asked for verdicts.
func TestStoredMessagesAreNotGuessedAt(t *testing.T) {
	b, a := whenBridge(t)
	send := func(author, rcpt string, verify bool) control.Report {
		t.Helper()
		report, err := b.Send(context.Background(), control.Stored{ReversePath: "ann@sender.example", Recipients: []string{rcpt}, RemoteIP: "127.0.0.1",
			HELO: "mail.sender.example", Verify: verify}, strings.NewReader(string(letterOf(author, "s"+rcpt, "Subject: order\r\n"))))
		if err != nil {
			t.Fatal(err)
		}
		return report
	}
	if got := send("ann@sender.example", "support@in.example", false); !strings.HasPrefix(got.Reply, "451 4.4.3 ") || !strings.Contains(got.Reply, "not verified") || got.Complete {
		t.Errorf("without verdicts: %+v", got)
	}
	if got := send("ann@sender.example", "support@in.example", true); !strings.HasPrefix(got.Reply, "250 ") {
		t.Errorf("with verdicts: %+v", got)
	}
	if got := a.routesOf(t, 1); got != "map[tickets:1]" {
		t.Error(got)
	}
	if got := send("ann@forged.example", "strict@in.example", true); got.Complete || !strings.HasPrefix(got.Recipients[0].Reply, notMet) || got.Recipients[0].Accepted {
		t.Errorf("refused after the data: %+v", got)
	}
	if got := send("ann@sender.example", "words@in.example", false); !strings.HasPrefix(got.Reply, "250 ") {
		t.Errorf("without a need for verdicts: %+v", got)
	}
	a.routesOf(t, 1)
}
