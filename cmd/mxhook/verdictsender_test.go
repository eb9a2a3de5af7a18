package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"strings"
	"sync"
	"testing"

	"github.com/emersion/go-msgauth/dkim"

	"mxhook/cmd/internal/bridge"
	"mxhook/verify/dns"
)

// verdictZone has authors and senders whose peer is 127.0.0.1: bank.example is never
// sent from there, list.example is.
const verdictZone = `
$TTL 300
bank.example.               IN TXT "v=spf1 ip4:192.0.2.1 -all"
_dmarc.bank.example.        IN TXT "v=DMARC1; p=reject"
ed._domainkey.bank.example. IN TXT "v=DKIM1; k=ed25519; p=%KEY%"
shop.example.               IN TXT "v=spf1 ip4:192.0.2.1 ~all"
_dmarc.shop.example.        IN TXT "v=DMARC1; p=quarantine"
list.example.               IN TXT "v=spf1 ip4:127.0.0.1 -all"
ed._domainkey.list.example. IN TXT "v=DKIM1; k=ed25519; p=r5c6xu3prOVvujQLmI+FCU4pSIS4tJpGYrBjgXS4hl8="
broken.example.             IN TXT "v=spf1 ip4:nonsense -all"
`

// sealedMessage was changed by list.example, which sealed what it had found: DMARC pass
// for bank.example.
var sealedMessage = strings.ReplaceAll(`ARC-Seal: i=1; a=ed25519-sha256; cv=none; d=list.example; s=ed; b=c4o0MTTDG26++b8+Umo69nY1Nk+44mr85b0VYOHnhZBsHvok1sAW+417q2QyEqE3HORDt36UEhaszToVqHHlDQ==
ARC-Message-Signature: i=1; a=ed25519-sha256; c=relaxed/relaxed; d=list.example; s=ed; h=From:To:Subject:Date;
 bh=6FOOWhHzP4copNba0jljQYkKcoUh9O2/NhFLOnqzWU4=; b=zvmHu+ZA0Hh7QwthNuFC3D8xXzg4jJqGSFFC10ni+fbKF2FD8c8N+6OSC2JAebjNxdNQwhfohpNiU1b8HbEoDQ==
ARC-Authentication-Results: i=1; mx.list.example; dmarc=pass header.from=bank.example
Received: from mail.bank.example by mx.list.example; Sat, 21 Nov 2026 10:00:00 +0000
From: Ann <ann@bank.example>
To: list@list.example
Subject: [list] hello
Date: Sat, 21 Nov 2026 09:59:58 +0000
Message-ID: <sealed@bank.example>

Hello.
`+"-- \n"+`list.example, all about lists
`, "\n", "\r\n")

// bankKey signs for bank.example.
var bankKey = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, ed25519.SeedSize))

func verdicts(t testing.TB, change ...func(*dns.Zone)) func(*bridge.Options) {
	public := base64.StdEncoding.EncodeToString(bankKey.Public().(ed25519.PublicKey))
	return withZone(t, strings.ReplaceAll(verdictZone, "%KEY%", public), change...)
}

func writtenBy(author string) string {
	return "From: Ann <ann@" + author + ">\r\nTo: ann@in.example\r\nSubject: hello\r\nDate: Sat, 21 Nov 2026 09:59:58 +0000\r\n" +
		"Message-ID: <1@" + author + ">\r\n\r\nHello.\r\n"
}

// signedByBank is bank.example's with its signature.
func signedByBank(t testing.TB) string {
	t.Helper()
	var signed bytes.Buffer
	if err := dkim.Sign(&signed, strings.NewReader(writtenBy("bank.example")), &dkim.SignOptions{
		Domain: "bank.example", Selector: "ed", Signer: bankKey, HeaderKeys: []string{"From", "To", "Subject", "Date", "Message-ID"},
	}); err != nil {
		t.Fatal(err)
	}
	return signed.String()
}

// transfer is how a message goes over the wire.
type transfer struct{ tls, bdat bool }

var transfers = []transfer{{false, false}, {false, true}, {true, false}, {true, true}}

// sendAs makes a transaction and returns the reply that ends it: the first that refuses,
// or that to the message.
func (x transfer) sendAs(t testing.TB, address, from, rcpts, message string) string {
	t.Helper()
	c := dialSMTP(t, address)
	if x.tls {
		c.say("STARTTLS")
		secure := tls.Client(c.nc, &tls.Config{InsecureSkipVerify: true})
		c.nc = secure
		c.r.Reset(secure)
		c.say("EHLO mail.sender.example")
	}
	for _, line := range append([]string{"MAIL FROM:<" + from + ">"}, recipientLines(rcpts)...) {
		if got := c.say(line); got[0] != '2' {
			return got
		}
	}
	if x.bdat {
		return c.say(fmt.Sprintf("BDAT %d LAST\r\n%s", len(message), strings.TrimSuffix(message, "\r\n")))
	}
	if got := c.say("DATA"); got[0] != '3' {
		return got
	}
	w := textproto.NewWriter(bufio.NewWriter(c.nc)).DotWriter()
	io.WriteString(w, message)
	w.Close()
	return c.reply()
}

func recipientLines(rcpts string) (lines []string) {
	for r := range strings.FieldsSeq(rcpts) {
		lines = append(lines, "RCPT TO:<"+r+">")
	}
	return lines
}

const (
	dmarcReply   = "550 5.7.1 refused by the DMARC policy of the author's domain"
	spfReply     = "550 5.7.23 refused by the SPF record of the sender's domain"
	verdictReply = "451 4.4.3 a needed DNS answer is not available, try again later"
)

// questions counts the questions for the text of one name.
type questions struct {
	dns.Resolver
	name      string
	failFirst bool // the first has no answer
	mu        sync.Mutex
	n         int
}

func countQuestions(t testing.TB, name string) *questions {
	var o bridge.Options
	verdicts(t)(&o)
	return &questions{Resolver: o.Resolver, name: name}
}

func (q *questions) option(o *bridge.Options) { o.Resolver = q }

func (q *questions) count() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.n
}

// LookupTXT implements dns.Resolver.
func (q *questions) LookupTXT(ctx context.Context, name string) ([]string, error) {
	if strings.TrimSuffix(name, ".") == q.name {
		q.mu.Lock()
		q.n++
		n := q.n
		q.mu.Unlock()
		if n == 1 && q.failFirst {
			return nil, &net.DNSError{Err: "server failure", Name: name, IsTemporary: true}
		}
	}
	return q.Resolver.LookupTXT(ctx, name)
}
