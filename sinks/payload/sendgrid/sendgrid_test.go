package sendgrid_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"io"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"mxhook/sinks"
	"mxhook/sinks/payload"
	"mxhook/sinks/payload/payloadtest"
	"mxhook/sinks/payload/sendgrid"
	"mxhook/verify"
	"mxhook/verify/authres"
)

const plain = "From: Ann <ann@sender.example>\r\nTo: support+42@in.example\r\nCc: bob@other.example\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\nX-Fold: a\r\n b\r\n\r\nHello\r\n"

func parsedFormat(t *testing.T, key string) payload.Format {
	t.Helper()
	f, err := sendgrid.New(payload.Include{HTML: true}, key)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func get(t *testing.T, e *sinks.Event) payloadtest.Fields {
	t.Helper()
	r, p := payloadtest.Request(t, parsedFormat(t, ""), e)
	if len(r.Header) != 0 {
		t.Errorf("without a key: %v", r.Header)
	}
	return payloadtest.Form(t, r, p)
}

func TestFieldsOfAPlainMessage(t *testing.T) {
	got := get(t, payloadtest.Event(t, []byte(plain), "support+42@in.example", "b@in.example"))
	for name, want := range map[string]string{
		"to": "support+42@in.example", "cc": "bob@other.example", "from": "Ann <ann@sender.example>", "subject": "Grüße", "text": "Hello\n",
		"dkim": "{@sender.example : pass}", "SPF": "pass", "sender_ip": "192.0.2.1", "attachments": "0",
		"envelope": `{"to":["support+42@in.example","b@in.example"],"from":"ann@sender.example"}`,
		"charsets": `{"to":"UTF-8","cc":"UTF-8","from":"UTF-8","subject":"UTF-8","text":"UTF-8"}`,
	} {
		if got.Get(name) != want {
			t.Errorf("%s: %q, want %q", name, got.Get(name), want)
		}
	}
	headers := got.Get("headers")
	if names := regexp.MustCompile(`(?m)^[^:]+`).FindAllString(headers, -1); !slices.IsSorted(names) || !slices.Contains(names, "Return-Path") ||
		!strings.HasSuffix(headers, "\nX-Fold: a b\nX-Original-To: support+42@in.example\nX-Original-To: b@in.example\n") || strings.Contains(headers, "\r") {
		t.Errorf("%q", headers)
	}
	for _, name := range []string{"html", "attachment-info", "content-ids", "spam_score", "email"} {
		if got.Has(name) {
			t.Errorf("%s: %q", name, got.Get(name))
		}
	}
}

func TestSignaturesAreToldInItsNotation(t *testing.T) {
	e := payloadtest.Event(t, []byte(plain))
	for want, list := range map[string][]verify.DKIM{
		"none":                   nil,
		"{@a : pass, @b : fail}": {{Domain: "a", Result: authres.Pass}, {Domain: "b", Result: authres.TempError}},
	} {
		e.Results.DKIM = list
		if got := get(t, e).Get("dkim"); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestFilesAndWhatTellsOfThem(t *testing.T) {
	e := payloadtest.Example(t, "inline-image.eml")
	got := get(t, e)
	n := len(e.Message.Attachments)
	if n == 0 || got.Get("attachments") != strconv.Itoa(n) || len(got.Files) != n {
		t.Fatalf("%q, %d files of %d", got.Get("attachments"), len(got.Files), n)
	}
	for i := range e.Message.Attachments {
		a, name := &e.Message.Attachments[i], "attachment"+strconv.Itoa(i+1)
		content, _ := io.ReadAll(a.Open())
		if f := got.Files[name]; f.Content != string(content) || f.Type != a.ContentType || f.Name != a.Filename {
			t.Errorf("%s: %q %q", name, f.Name, f.Type)
		}
		if a.ContentID != "" && !strings.Contains(got.Get("content-ids"), `"`+a.ContentID+`":"`+name+`"`) {
			t.Errorf("content-ids %s", got.Get("content-ids"))
		}
		if !strings.Contains(got.Get("attachment-info"), `"`+name+`":{"filename":"`+a.Filename+`","name":"`+a.Filename+`","type":"`+a.ContentType+`"`) {
			t.Errorf("attachment-info %s", got.Get("attachment-info"))
		}
	}
}

func TestTheRawFormHasTheWholeMessage(t *testing.T) {
	f, err := sendgrid.NewRaw("")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range payloadtest.Messages(t) {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		e := payloadtest.Event(t, data)
		r, p := payloadtest.Request(t, f, e)
		got := payloadtest.Form(t, r, p)
		if got.Get("email") != payloadtest.RawText(t, e) {
			t.Errorf("%s: email is not the raw copy", path)
		}
		if got.Has("attachments") || got.Get("envelope") == "" {
			t.Errorf("%s: %v", path, got.Get("attachments"))
		}
		get(t, e) // the parsed form can be read too
	}
}

func TestRequestsAreSignedAnew(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	sec1, _ := x509.MarshalECPrivateKey(key)
	pkcs8, _ := x509.MarshalPKCS8PrivateKey(key)
	for kind, der := range map[string][]byte{"EC PRIVATE KEY": sec1, "PRIVATE KEY": pkcs8} {
		f := parsedFormat(t, string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})))
		r, p := payloadtest.Request(t, f, payloadtest.Event(t, []byte(plain)))
		timestamp := r.Header["X-Twilio-Email-Event-Webhook-Timestamp"]
		signature, err := base64.StdEncoding.DecodeString(r.Header["X-Twilio-Email-Event-Webhook-Signature"])
		sum := sha256.Sum256(append([]byte(timestamp), p...))
		if err != nil || timestamp != strconv.FormatInt(payloadtest.Now.Unix(), 10) || !ecdsa.VerifyASN1(&key.PublicKey, sum[:], signature) {
			t.Errorf("%s: %v, timestamp %s, or the signature doesn't verify", kind, err, timestamp)
		}
	}
}

func TestKeysOfAnotherKindAreAnErrorThatHoldsNothingOfThem(t *testing.T) {
	other, _ := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	p384, _ := x509.MarshalECPrivateKey(other)
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, _ := x509.MarshalPKCS8PrivateKey(rsaKey)
	for _, text := range []string{"s3cret", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte("s3cret")})),
		string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: p384})), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}))} {
		if _, err := sendgrid.New(payload.Include{}, text); err == nil || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%v", err)
		}
	}
}
