package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"strings"
	"time"

	"github.com/emersion/go-msgauth/dkim"

	"mxhook/verify/dns"
)

// The sender of the demo.
const (
	demoAuthor = "ann@sender.example"
	demoHELO   = "mail.sender.example"
)

// demoZone is the DNS of the sender's domain: the address that may send, the key of
// its signatures, its policy, and the name of the address.
const demoZone = `
$ORIGIN sender.example.
$TTL 300
@             IN TXT "v=spf1 ip4:127.0.0.1 -all"
mail          IN TXT "v=spf1 ip4:127.0.0.1 -all"
mail          IN A   127.0.0.1
demo._domainkey IN TXT "v=DKIM1; k=ed25519; p=%s"
_dmarc        IN TXT "v=DMARC1; p=reject"
1.0.0.127.in-addr.arpa. IN PTR mail.sender.example.
`

// demoSender writes signed messages, and holds the zone that proves them.
type demoSender struct {
	key  ed25519.PrivateKey
	zone *dns.Zone
	kept []byte // a message that was deferred
}

func newDemoSender() (*demoSender, error) {
	public, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	zone, err := dns.ParseZone(fmt.Sprintf(demoZone, base64.StdEncoding.EncodeToString(public)))
	if err != nil {
		return nil, err
	}
	return &demoSender{key: key, zone: zone}, nil
}

// demoMessage is what the sender writes: text, HTML and a file.
const demoMessage = `From: Ann Author <ann@sender.example>
To: Support <support+42@in.example>
Subject: %s
Date: %s
Message-ID: %s
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary="outer"

--outer
Content-Type: multipart/alternative; boundary="inner"

--inner
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: quoted-printable

Hello, the invoice for =E2=82=AC 42 is attached.

--inner
Content-Type: text/html; charset=utf-8

<p>Hello, the invoice for <b>&euro; 42</b> is attached.</p>

--inner--
--outer
Content-Type: text/csv; name="invoice.csv"
Content-Disposition: attachment; filename="invoice.csv"
Content-Transfer-Encoding: base64

aXRlbSxhbW91bnQKdGhlIGFuc3dlciw0Mgo=

--outer--
`

// message returns a message with the sender's signature.
func (s *demoSender) message(subject, id string) ([]byte, error) {
	text := fmt.Sprintf(demoMessage, subject, time.Now().Format(time.RFC1123Z), id)
	var signed bytes.Buffer
	err := dkim.Sign(&signed, strings.NewReader(strings.ReplaceAll(text, "\n", "\r\n")), &dkim.SignOptions{
		Domain: "sender.example", Selector: "demo", Signer: s.key,
		HeaderCanonicalization: dkim.CanonicalizationRelaxed, BodyCanonicalization: dkim.CanonicalizationRelaxed,
		HeaderKeys: []string{"From", "To", "Subject", "Date", "Message-ID", "MIME-Version", "Content-Type"},
	})
	return signed.Bytes(), err
}
