package verify_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"net/netip"
	"reflect"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	msgdkim "github.com/emersion/go-msgauth/dkim"

	"mxhook/verify"
	"mxhook/verify/authres"
	"mxhook/verify/dns"
)

const plain = "From: Ann <ann@sender.example>\r\nTo: support@in.example\r\nSubject: hello\r\n" +
	"Date: Sat, 21 Nov 2026 10:00:00 +0000\r\nMessage-ID: <1@sender.example>\r\n\r\nHello.\r\n"

var rsaKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

var edKey = sync.OnceValue(func() ed25519.PrivateKey {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		panic(err)
	}
	return key
})

// keyRecord is the TXT text of a signer's public key.
func keyRecord(t testing.TB, signer crypto.Signer) string {
	t.Helper()
	if public, ok := signer.Public().(ed25519.PublicKey); ok {
		return "v=DKIM1; k=ed25519; p=" + base64.StdEncoding.EncodeToString(public)
	}
	der, err := x509.MarshalPKIXPublicKey(signer.Public())
	if err != nil {
		t.Fatal(err)
	}
	return "v=DKIM1; k=rsa; p=" + base64.StdEncoding.EncodeToString(der)
}

// sign puts a signature before a message.
func sign(t testing.TB, message string, o msgdkim.SignOptions) string {
	t.Helper()
	var b bytes.Buffer
	if err := msgdkim.Sign(&b, strings.NewReader(message), &o); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func relaxed(domain, selector string, signer crypto.Signer) msgdkim.SignOptions {
	return msgdkim.SignOptions{
		Domain: domain, Selector: selector, Signer: signer, Hash: crypto.SHA256,
		HeaderCanonicalization: msgdkim.CanonicalizationRelaxed, BodyCanonicalization: msgdkim.CanonicalizationRelaxed,
	}
}

// txt quotes a long TXT text in strings of at most 255 bytes.
func txt(name, text string) string {
	var b strings.Builder
	b.WriteString(name + " TXT")
	for len(text) > 0 {
		n := min(len(text), 250)
		b.WriteString(` "` + text[:n] + `"`)
		text = text[n:]
	}
	return b.String() + "\n"
}

func zone(t testing.TB, extra string) *dns.Zone {
	t.Helper()
	z, err := dns.ParseZone(`
sender.example TXT "v=spf1 ip4:192.0.2.1 -all"
mail.sender.example TXT "v=spf1 a -all"
mail.sender.example A 192.0.2.1
1.2.0.192.in-addr.arpa PTR mail.sender.example.
_dmarc.sender.example TXT "v=DMARC1; p=reject"
` + txt("rsa._domainkey.sender.example", keyRecord(t, rsaKey())) +
		txt("ed._domainkey.sender.example", keyRecord(t, edKey())) + extra)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func message(content string) verify.Message {
	return verify.Message{
		RemoteIP: netip.MustParseAddr("::ffff:192.0.2.1"), HELO: "mail.sender.example",
		MailFromLocal: "ann", MailFromDomain: "sender.example",
		Content: strings.NewReader(content), Size: int64(len(content)),
	}
}

func TestEverythingPassesForASignedMessage(t *testing.T) {
	content := sign(t, sign(t, plain, relaxed("sender.example", "ed", edKey())), relaxed("sender.example", "rsa", rsaKey()))
	v := verify.New(verify.Config{Resolver: zone(t, ""), AuthservID: "mx.in.example"})
	r := v.Verify(context.Background(), message(content))
	if r.SPF.Result != authres.Pass || r.SPF.Domain != "sender.example" {
		t.Errorf("spf = %+v", r.SPF)
	}
	if r.SPFHelo.Result != authres.Pass {
		t.Errorf("spf helo = %+v", r.SPFHelo)
	}
	if len(r.DKIM) != 2 {
		t.Fatalf("dkim = %+v", r.DKIM)
	}
	for i, want := range []verify.DKIM{
		{Result: authres.Pass, Domain: "sender.example", Selector: "rsa", Algorithm: "rsa-sha256", Aligned: true, Identity: "@sender.example", KeyBits: 2048},
		{Result: authres.Pass, Domain: "sender.example", Selector: "ed", Algorithm: "ed25519-sha256", Aligned: true, Identity: "@sender.example", KeyBits: 256},
	} {
		if age := time.Since(r.DKIM[i].Signed); age < -time.Minute || age > time.Hour {
			t.Errorf("dkim[%d] was signed at %v", i, r.DKIM[i].Signed)
		}
		r.DKIM[i].Signed = time.Time{}
		if !reflect.DeepEqual(r.DKIM[i], want) {
			t.Errorf("dkim[%d] = %+v, want %+v", i, r.DKIM[i], want)
		}
	}
	if want := (verify.DMARC{
		Result: authres.Pass, Domain: "sender.example", PolicyDomain: "sender.example",
		OrganizationalDomain: "sender.example", Policy: "reject", Disposition: "none",
		SPFAligned: true, DKIMAligned: true,
	}); !reflect.DeepEqual(r.DMARC, want) {
		t.Errorf("dmarc = %+v", r.DMARC)
	}
	if r.IPRev.Result != authres.Pass || r.IPRev.Name != "mail.sender.example" {
		t.Errorf("iprev = %+v", r.IPRev)
	}
	if !r.FromVerified || r.FromVerifiedBy != "dkim" || r.Fault != nil {
		t.Errorf("from_verified = %v by %q, fault %v", r.FromVerified, r.FromVerifiedBy, r.Fault)
	}
	const header = `mx.in.example; spf=pass reason="matched an address range" smtp.mailfrom=ann@sender.example; ` +
		`spf=pass reason="matched a" smtp.helo=mail.sender.example; ` +
		`dkim=pass (2048-bit key) header.d=sender.example header.i=@sender.example header.s=rsa header.a=rsa-sha256 header.b=*; ` +
		`dkim=pass (256-bit key) header.d=sender.example header.i=@sender.example header.s=ed header.a=ed25519-sha256 header.b=*; ` +
		`dmarc=pass (p=reject dis=none) header.from=sender.example policy.dmarc=reject; arc=none; iprev=pass (mail.sender.example) policy.iprev=192.0.2.1`
	if got := regexp.MustCompile(`header\.b="?[A-Za-z0-9+/]{8}"?`).ReplaceAllString(r.Header, "header.b=*"); got != header {
		t.Errorf("header\n%s\nwant\n%s", got, header)
	}
	if r.FromVerifiedReason != "DMARC passes for sender.example by DKIM" || r.HELO.Result != authres.Pass || r.IPRev.Reason == "" {
		t.Errorf("%q, %+v, %+v", r.FromVerifiedReason, r.HELO, r.IPRev)
	}
	const received = `pass (mx.in.example: matched an address range) identity=mailfrom; client-ip=192.0.2.1; ` +
		`envelope-from="ann@sender.example"; helo=mail.sender.example; receiver=mx.in.example; mechanism=ip4`
	if r.ReceivedSPF != received {
		t.Errorf("received-spf\n%s\nwant\n%s", r.ReceivedSPF, received)
	}
}
