package arc_test

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"strings"
	"sync"
	"testing"
	"time"

	"mxhook/verify/arc"
	"mxhook/verify/dkim"
	"mxhook/verify/dns"
	"mxhook/verify/sealer"
)

const plain = "From: Ann <ann@sender.example>\r\nTo: list@in.example\r\nSubject: hello\r\n" +
	"Date: Sat, 21 Nov 2026 10:00:00 +0000\r\n\r\nHello.\r\n"

var now = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

var rsaKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(nil, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

var edKey = sync.OnceValue(func() ed25519.PrivateKey {
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		panic(err)
	}
	return key
})

// record is a TXT record with a signer's public key.
func record(name string, signer crypto.Signer, tags string) string {
	text := "v=DKIM1; " + tags
	if public, ok := signer.Public().(ed25519.PublicKey); ok {
		text += "k=ed25519; p=" + base64.StdEncoding.EncodeToString(public)
	} else {
		der, err := x509.MarshalPKIXPublicKey(signer.Public())
		if err != nil {
			panic(err)
		}
		text += "p=" + base64.StdEncoding.EncodeToString(der)
	}
	return txt(name, text)
}

func txt(name, text string) string {
	var b strings.Builder
	b.WriteString(name + " TXT")
	for len(text) > 0 {
		n := min(len(text), 250)
		b.WriteString(` "` + strings.ReplaceAll(text[:n], `"`, `\"`) + `"`)
		text = text[n:]
	}
	return b.String() + "\n"
}

// counter is a resolver that counts its questions.
type counter struct {
	*dns.Zone
	mu sync.Mutex
	n  int
}

func (c *counter) LookupTXT(ctx context.Context, name string) ([]string, error) {
	c.mu.Lock()
	c.n++
	c.mu.Unlock()
	return c.Zone.LookupTXT(ctx, name)
}

func zone(t testing.TB) *counter {
	t.Helper()
	z, err := dns.ParseZone(record("ed._domainkey.one.example", edKey(), "") + record("ed._domainkey.two.example", edKey(), "") +
		record("rsa._domainkey.three.example", rsaKey(), "t=s; ") + record("ed._domainkey.testing.example", edKey(), "t=y; "))
	if err != nil {
		t.Fatal(err)
	}
	return &counter{Zone: z}
}

func ed(domain string) sealer.Sealer {
	return sealer.Sealer{Domain: domain, Selector: "ed", Signer: edKey(),
		Results: "mx." + domain + "; dmarc=pass header.from=sender.example"}
}

// three is a message with three sets.
func three() string {
	third := sealer.Sealer{Domain: "three.example", Selector: "rsa", Signer: rsaKey(), Simple: true, Results: "mx.three.example; dmarc=fail header.from=sender.example"}
	return third.Seal(ed("two.example").Seal(ed("one.example").Seal(plain)))
}

// validate takes all steps.
func validate(t testing.TB, r dns.Resolver, message string) (*arc.Chain, arc.Evaluation) {
	t.Helper()
	content := strings.NewReader(message)
	header, body, err := dkim.ReadHeader(content, content.Size())
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	c := arc.Read(header, now)
	c.FetchNewest(ctx, r)
	dkim.Verify(ctx, ctx, r, dkim.Message{Header: header, Content: content, Body: body, Size: content.Size()}, now, c.Bodies()...)
	return c, c.Evaluate(ctx, r)
}
