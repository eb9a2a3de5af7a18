package dkim_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	msgdkim "github.com/emersion/go-msgauth/dkim"

	"mxhook/verify/authres"
	"mxhook/verify/dkim"
	"mxhook/verify/dns"
)

const plain = "From: Ann <ann@sender.example>\r\nTo: support@in.example\r\nSubject: a  folded\r\n\t subject \r\n" +
	"Date: Sat, 21 Nov 2026 10:00:00 +0000\r\nMessage-ID: <1@sender.example>\r\n\r\nHello,  \tyou.\r\n \r\nBye.\t\r\n\r\n\r\n"

func newRSA(bits int) func() *rsa.PrivateKey {
	return sync.OnceValue(func() *rsa.PrivateKey {
		key, err := rsa.GenerateKey(rand.Reader, bits)
		if err != nil {
			panic(err)
		}
		return key
	})
}

var (
	rsaKey = newRSA(2048)
	edKey  = sync.OnceValue(func() ed25519.PrivateKey {
		_, key, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			panic(err)
		}
		return key
	})
)

func keyRecord(signer crypto.Signer) string {
	if public, ok := signer.Public().(ed25519.PublicKey); ok {
		return "v=DKIM1; k=ed25519; p=" + base64.StdEncoding.EncodeToString(public)
	}
	der, err := x509.MarshalPKIXPublicKey(signer.Public())
	if err != nil {
		panic(err)
	}
	return "v=DKIM1; p=" + base64.StdEncoding.EncodeToString(der)
}

func options(signer crypto.Signer, header, body msgdkim.Canonicalization) msgdkim.SignOptions {
	selector := "rsa"
	if _, ok := signer.(ed25519.PrivateKey); ok {
		selector = "ed"
	}
	return msgdkim.SignOptions{
		Domain: "sender.example", Selector: selector, Signer: signer, Hash: crypto.SHA256,
		HeaderCanonicalization: header, BodyCanonicalization: body,
	}
}

func sign(t testing.TB, message string, o msgdkim.SignOptions) string {
	t.Helper()
	var b bytes.Buffer
	if err := msgdkim.Sign(&b, strings.NewReader(message), &o); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

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

func zone(t testing.TB, extra ...string) *dns.Zone {
	t.Helper()
	z, err := dns.ParseZone(txt("rsa._domainkey.sender.example", keyRecord(rsaKey())) +
		txt("ed._domainkey.sender.example", keyRecord(edKey())) + strings.Join(extra, ""))
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func verify(t testing.TB, r dns.Resolver, message string, now time.Time) []dkim.Signature {
	t.Helper()
	content := strings.NewReader(message)
	header, body, err := dkim.ReadHeader(content, content.Size())
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	return dkim.Verify(ctx, ctx, r, dkim.Message{Header: header, Content: content, Body: body, Size: content.Size()}, now)
}

// one verifies a message with one signature.
func one(t testing.TB, r dns.Resolver, message string) dkim.Signature {
	t.Helper()
	s := verify(t, r, message, time.Now())
	if len(s) != 1 {
		t.Fatalf("%d signatures: %+v", len(s), s)
	}
	return s[0]
}

func TestEveryCanonicalizationAndAlgorithm(t *testing.T) {
	z := zone(t)
	bodies := map[string]string{
		"lines": plain, "no body": plain[:strings.Index(plain, "\r\n\r\n")+4],
		"blank lines alone":   "From: a@sender.example\r\n\r\n\r\n\r\n",
		"no last line end":    "From: a@sender.example\r\n\r\nx",
		"blanks at the end":   "From: a@sender.example\r\n\r\nx \t",
		"blanks alone":        "From: a@sender.example\r\n\r\n \t\r\n",
		"lone CR":             "From: a@sender.example\r\n\r\na\rb\r\rc\r\n",
		"a line across reads": "From: a@sender.example\r\n\r\n" + strings.Repeat("x", 65535) + "\r\n" + strings.Repeat("y \t", 40000) + "\r\n\r\n",
	}
	for _, signer := range []crypto.Signer{rsaKey(), edKey()} {
		for _, header := range []msgdkim.Canonicalization{"simple", "relaxed"} {
			for _, body := range []msgdkim.Canonicalization{"simple", "relaxed"} {
				for name, content := range bodies {
					s := one(t, z, sign(t, content, options(signer, header, body)))
					if s.Result != authres.Pass || s.Reason != "" || s.Domain != "sender.example" {
						t.Errorf("%T %s/%s, %s: %+v", signer, header, body, name, s)
					}
				}
			}
		}
	}
}

func TestWhatChangesAMessage(t *testing.T) {
	z := zone(t)
	signed := sign(t, plain, options(rsaKey(), "relaxed", "relaxed"))
	simple := sign(t, plain, options(rsaKey(), "simple", "simple"))
	headerOnly := sign(t, "From: a@sender.example\r\n\r\n", options(edKey(), "relaxed", "relaxed"))
	for _, c := range []struct {
		rule, message string
		want          authres.Result
	}{
		{"nothing", signed, authres.Pass},
		{"stored with LF", strings.ReplaceAll(signed, "\r\n", "\n"), authres.Pass},
		{"stored with LF, simple", strings.ReplaceAll(simple, "\r\n", "\n"), authres.Pass},
		{"an mbox line at the top", "From ann Sat Nov 21\r\n" + signed, authres.Pass},
		{"fields before it", "Received: x\r\nX-Spam: no\r\n" + signed, authres.Pass},
		{"no blank line after the header", strings.TrimSuffix(headerOnly, "\r\n"), authres.Pass},
		{"blank lines at the end", signed + "\r\n\r\n", authres.Pass},
		{"a word in the body", strings.Replace(signed, "Bye", "Buy", 1), authres.Fail},
		{"text at the end", signed + "P.S.\r\n", authres.Fail},
		{"a signed field", strings.Replace(signed, "subject", "object", 1), authres.Fail},
		{"a second From on top", "From: evil@bank.example\r\n" + signed, authres.Pass}, // DMARC's matter
		{"blanks in simple", strings.Replace(simple, "Hello,  ", "Hello, ", 1), authres.Fail},
		{"blanks in relaxed", strings.Replace(signed, "Hello,  ", "Hello, ", 1), authres.Pass},
	} {
		if s := one(t, z, c.message); s.Result != c.want {
			t.Errorf("%s: %s (%s), want %s", c.rule, s.Result, s.Reason, c.want)
		}
	}
}

func TestANameServerThatDoesNotAnswerIsTemperror(t *testing.T) {
	z := zone(t)
	z.ServFail("rsa._domainkey.sender.example")
	if s := one(t, z, sign(t, plain, options(rsaKey(), "relaxed", "relaxed"))); s.Result != authres.TempError {
		t.Errorf("%+v", s)
	}
}

// wrapped gives its errors wrapped, as some resolvers do.
type wrapped struct{ *dns.Zone }

func (w wrapped) LookupTXT(context.Context, string) ([]string, error) {
	return nil, fmt.Errorf("look-up: %w", context.DeadlineExceeded)
}

func TestAWrappedErrorIsTemperror(t *testing.T) {
	if s := one(t, wrapped{zone(t)}, sign(t, plain, options(rsaKey(), "relaxed", "relaxed"))); s.Result != authres.TempError {
		t.Errorf("%+v", s)
	}
}

func TestSignaturesKeepTheirOrderAndNumber(t *testing.T) {
	z := zone(t)
	message := sign(t, plain, options(edKey(), "relaxed", "relaxed"))
	message = "DKIM-Signature: nonsense\r\n" + sign(t, message, options(rsaKey(), "relaxed", "relaxed"))
	s := verify(t, z, message, time.Now())
	if len(s) != 3 || s[0].Result != authres.PermError || s[1].Selector != "rsa" || s[2].Selector != "ed" ||
		s[1].Result != authres.Pass || s[2].Result != authres.Pass {
		t.Errorf("%+v", s)
	}
	if s := verify(t, z, plain, time.Now()); len(s) != 0 {
		t.Errorf("without a signature: %+v", s)
	}
}
