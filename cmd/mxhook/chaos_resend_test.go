package main

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"net"
	"strings"
	"testing"

	"mxhook/cmd/internal/bridge"
	"mxhook/verify/dns"
)

// withKeeper is ledgerConfig for a keeper.
func withKeeper(k *keeper) string { return strings.ReplaceAll(ledgerConfig, "%URL%", k.URL) }

// TestALost250IsOneDeliveryWhereverTheClientHangsUp loses the reply at each point after
// the final dot, closing or resetting, and sends the message again.
func TestALost250IsOneDeliveryWhereverTheClientHangsUp(t *testing.T) {
	for _, reset := range []bool{false, true} {
		for _, c := range []struct {
			name string
			wait func(t *testing.T, k *keeper, conn net.Conn)
		}{
			{"right after the dot", func(*testing.T, *keeper, net.Conn) {}},
			{"when the sink has it", func(t *testing.T, k *keeper, _ net.Conn) {
				k.await(t, "the delivery", func() bool { return k.count(takes) > 0 })
			}},
			{"after half of the reply", func(t *testing.T, _ *keeper, conn net.Conn) {
				if half, err := conn.Read(make([]byte, 10)); half == 0 {
					t.Fatal(err)
				}
			}},
		} {
			t.Run(fmt.Sprintf("%s, reset %v", c.name, reset), func(t *testing.T) {
				k := startKeeper(t)
				b := startBridge(t, withKeeper(k))
				conn := dotted(t, b.smtp, smallMessage)
				c.wait(t, k, conn)
				if reset {
					conn.(*net.TCPConn).SetLinger(0)
				}
				conn.Close()
				for range 2 {
					if got := b.sendFrom(t, "127.0.0.1", []byte(smallMessage)); !strings.HasPrefix(got, "250 ") {
						t.Errorf("the resend: %q", got)
					}
				}
				if got := k.of("hello", "ann@in.example"); len(got) != 1 {
					t.Errorf("delivered %d times: %v", len(got), got)
				}
			})
		}
	}
}

// dotted makes a transaction and returns the connection when the final dot was sent.
func dotted(t testing.TB, server, message string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", server)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	read := func(end string) {
		t.Helper()
		var all bytes.Buffer
		for one := make([]byte, 1); !strings.HasSuffix(all.String(), "\r\n") || !strings.Contains(all.String(), end); all.Write(one) {
			if _, err := conn.Read(one); err != nil {
				t.Fatalf("%v after %q", err, all.String())
			}
		}
	}
	read("220 ")
	fmt.Fprint(conn, "EHLO mail.sender.example\r\n")
	read("250 ")
	fmt.Fprint(conn, "MAIL FROM:<ann@sender.example>\r\nRCPT TO:<ann@in.example>\r\nDATA\r\n")
	read("354 ")
	fmt.Fprint(conn, message+".\r\n")
	return conn
}

// TestWhoVouchesDecidesWhetherAResendIsTheSame sends a message, and again from
// elsewhere.
func TestWhoVouchesDecidesWhetherAResendIsTheSame(t *testing.T) {
	sender, err := newDemoSender()
	if err != nil {
		t.Fatal(err)
	}
	signed, err := sender.message("hello", "<signed@sender.example>")
	if err != nil {
		t.Fatal(err)
	}
	zone := func(spf string) *dns.Zone {
		public := base64.StdEncoding.EncodeToString(sender.key.Public().(ed25519.PublicKey))
		z, err := dns.ParseZone(fmt.Sprintf("$ORIGIN sender.example.\n$TTL 300\nmail IN A 127.0.0.1\n%s\ndemo._domainkey IN TXT \"v=DKIM1; k=ed25519; p=%s\"\n", spf, public))
		if err != nil {
			t.Fatal(err)
		}
		return z
	}
	unsigned := bytes.Replace(signed, []byte("DKIM-Signature:"), []byte("X-Signature:"), 1)
	for _, c := range []struct {
		name, spf  string
		message    []byte
		from       []string
		deliveries int
	}{
		{"signed, from other networks", "", signed, []string{"127.0.0.1", "127.0.7.1", "127.9.0.1"}, 1},
		{"signed, from other addresses that SPF allows", `@ IN TXT "v=spf1 ip4:127.0.0.0/8 -all"`, signed, []string{"127.0.0.1", "127.0.7.1", "127.9.0.1"}, 1},
		{"unsigned, from other addresses that SPF allows", `@ IN TXT "v=spf1 ip4:127.0.0.0/8 -all"`, unsigned, []string{"127.0.0.1", "127.0.7.1", "127.9.0.1"}, 1},
		{"unsigned, from the same /24", "", unsigned, []string{"127.0.0.1", "127.0.0.200"}, 1},
		{"unsigned, from other networks", "", unsigned, []string{"127.0.0.1", "127.0.7.1", "127.9.0.1"}, 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := startKeeper(t)
			b := startBridge(t, withKeeper(k), func(o *bridge.Options) { o.Resolver = zone(c.spf) })
			for _, from := range c.from {
				if got := b.sendFrom(t, from, c.message); !strings.HasPrefix(got, "250 ") {
					t.Errorf("from %s: %q", from, got)
				}
			}
			got := k.of("hello", "ann@in.example")
			if len(got) != c.deliveries {
				t.Errorf("%d deliveries, want %d", len(got), c.deliveries)
			}
			ids := map[string]bool{}
			for _, d := range got {
				ids[d.id] = true
			}
			if len(ids) != len(got) {
				t.Errorf("messages of different identity share an id: %v", got)
			}
		})
	}
}

// TestFieldsOfTheWayAreNoPartOfTheMessage sends it again as it looks after another way.
func TestFieldsOfTheWayAreNoPartOfTheMessage(t *testing.T) {
	k := startKeeper(t)
	b := startBridge(t, withKeeper(k))
	for _, field := range []string{
		"", "Received: from x by y; Sat, 21 Nov 2026 10:00:00 +0000", "Return-Path: <other@sender.example>", "Delivered-To: ann@in.example",
		"Authentication-Results: mx.other.example; spf=fail", "ARC-Seal: i=1; a=rsa-sha256; cv=none; d=x.example; s=s; b=AAAA",
		"DKIM-Signature: v=1; a=rsa-sha256; d=sender.example; s=none; h=from; bh=AAAA; b=AAAA",
	} {
		message := smallMessage
		if field != "" {
			message = field + "\r\n" + message
		}
		if got := b.sendFrom(t, "127.0.0.1", []byte(message)); !strings.HasPrefix(got, "250 ") {
			t.Errorf("%s: %q", field, got)
		}
		if got := k.of("hello", "ann@in.example"); len(got) != 1 {
			t.Fatalf("%q made it another message: %v", field, got)
		}
	}
}

// TestARecipientThatWasDeferredHasAnEventOfItsOwn defers the second recipient at RCPT.
// A receiver that drops what has an id that it knows keeps both.
func TestARecipientThatWasDeferredHasAnEventOfItsOwn(t *testing.T) {
	k := startKeeper(t)
	b := startBridge(t, withKeeper(k)+"limits: {recipients: 1}\n")
	l := newLetter("two", "a@in.example", "b@in.example")
	for len(l.pending) > 0 {
		a, err := l.try(t.Context(), b.smtp, nil)
		if err != nil || !strings.HasPrefix(a.reply, "250 2.0.0 OK msg_") {
			t.Fatalf("%q, %v", a.reply, err)
		}
		l.pending = a.deferred
	}
	if l.tries != 2 {
		t.Fatalf("%d tries, want 2", l.tries)
	}
	one, two := k.of("two", "a@in.example"), k.of("two", "b@in.example")
	if len(one) != 1 || len(two) != 1 || one[0].id == two[0].id {
		t.Errorf("a: %v, b: %v, want two events with two ids", one, two)
	}
}
