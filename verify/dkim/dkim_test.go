package dkim_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"runtime"
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

// retag rewrites a signature's tags before it is signed: it signs by itself, since the
// library writes only what is right. The body is "x\r\n", the header one From.
func retag(t testing.TB, edit func(tags string) string, signer crypto.Signer) string {
	t.Helper()
	bodyHash := sha256.Sum256([]byte("x\r\n"))
	selector, algorithm := "rsa", "rsa-sha256"
	if _, ok := signer.(ed25519.PrivateKey); ok {
		selector, algorithm = "ed", "ed25519-sha256"
	}
	tags := edit("v=1; a=" + algorithm + "; d=sender.example; s=" + selector + "; c=relaxed/simple; h=From; bh=" +
		base64.StdEncoding.EncodeToString(bodyHash[:]) + "; b=")
	digest := sha256.Sum256([]byte("from:a@sender.example\r\ndkim-signature:" + tags))
	var hash crypto.SignerOpts = crypto.SHA256
	if algorithm != "rsa-sha256" {
		hash = crypto.Hash(0)
	}
	sig, err := signer.Sign(rand.Reader, digest[:], hash)
	if err != nil {
		t.Fatal(err)
	}
	return "DKIM-Signature: " + tags + base64.StdEncoding.EncodeToString(sig) + "\r\nFrom: a@sender.example\r\n\r\nx\r\n"
}

func TestTags(t *testing.T) {
	z := zone(t)
	with := func(more string) func(string) string {
		return func(tags string) string { return strings.TrimSpace(more + " " + tags) }
	}
	replace := func(old, fresh string) func(string) string {
		return func(tags string) string { return strings.Replace(tags, old, fresh, 1) }
	}
	for _, c := range []struct {
		rule   string
		edit   func(string) string
		want   authres.Result
		reason string
	}{
		{"as it should be", with(""), authres.Pass, ""},
		{"i= below d=", with("i=ann@list.sender.example;"), authres.Pass, ""},
		{"i= in other case and quoted-printable", with("i=ann=40LIST=2Esender.EXAMPLE;"), authres.Pass, ""},
		{"i= of another domain", with("i=ann@evilsender.example;"), authres.PermError, "i= is not of the domain d="},
		{"i= without @", with("i=sender.example;"), authres.PermError, "i= is not of the domain d="},
		{"d= in other case", replace("d=sender.example", "d=SENDER.Example"), authres.Pass, ""},
		{"l= that covers all", with("l=3;"), authres.Pass, "l= covers the whole body"},
		{"l= beyond the body", with("l=9;"), authres.PermError, "l= is more than the body has"},
		{"l= that is no number", with("l=-1;"), authres.PermError, "l= is malformed"},
		{"expired", with("t=1000; x=2000;"), authres.Fail, "the signature expired at 1970-01-01T00:33:20Z"},
		{"not expired", with("x=99999999999;"), authres.Pass, ""},
		{"x= of forty digits", with("x=" + strings.Repeat("9", 40) + ";"), authres.PermError, "x= is malformed"},
		{"x= before t=", with("t=99999999999; x=9999999999;"), authres.PermError, "the signature ends before it begins"},
		{"t= in the future", with("t=99999999999;"), authres.Pass, ""},
		{"a tag twice", with("s=other;"), authres.PermError, "malformed signature field"},
		{"an unknown tag", with("zz=1;"), authres.Pass, ""},
		{"no value", with("garbage;"), authres.PermError, "malformed signature field"},
		{"another version", replace("v=1", "v=2"), authres.PermError, "the signature is of another version"},
		{"rsa-sha1", replace("a=rsa-sha256", "a=rsa-sha1"), authres.Policy, "rsa-sha1 is too weak"},
		{"an unknown algorithm", replace("a=rsa-sha256", "a=rot13\x01\xff"), authres.PermError, "the algorithm is unknown"},
		{"the key of another algorithm", replace("s=rsa", "s=ed"), authres.PermError, "the key is not for rsa-sha256"},
		{"From not signed", replace("h=From", "h=To"), authres.PermError, "the From field is not signed"},
		{"no d=", replace("d=sender.example;", ""), authres.PermError, "the signature lacks d="},
		{"d= that is no domain", replace("d=sender.example", "d=a..b"), authres.PermError, "d= is no domain"},
		{"bh= that is no base64", replace("bh=", "bh=*"), authres.PermError, "bh= is malformed"},
		{"an unknown canonicalization", replace("c=relaxed/simple", "c=relaxed/none"), authres.PermError, "the canonicalization is unknown"},
		{"an unknown query method", with("q=http/xml;"), authres.PermError, "the key's query method is unknown"},
		{"more names in h= than fields", replace("h=From", "h=From:From:To"), authres.Pass, ""},
		{"ten thousand names in h=", replace("h=From", "h=From"+strings.Repeat(":x", 10_000)), authres.Pass, ""},
		{"a tag list that is too long", with("z=" + strings.Repeat("x", 70_000) + ";"), authres.PermError, "malformed signature field"},
		{"a missing key", replace("s=rsa", "s=gone"), authres.PermError, "no key at gone._domainkey.sender.example"},
	} {
		s := one(t, z, retag(t, c.edit, rsaKey()))
		if s.Result != c.want || s.Reason != c.reason {
			t.Errorf("%s: %s %q, want %s %q", c.rule, s.Result, s.Reason, c.want, c.reason)
		}
	}
	partly := strings.Replace(retag(t, with("l=3;"), rsaKey()), "\r\n\r\nx\r\n", "\r\n\r\nx\r\nmore\r\n", 1)
	if s := one(t, z, partly); s.Result != authres.Policy || s.Reason != "l= leaves 6 bytes of the body unsigned" {
		t.Errorf("l= with text behind it: %+v", s)
	}
}

func TestTheClockIsGiven(t *testing.T) {
	message := retag(t, func(tags string) string { return "t=1000; x=2000; " + tags }, edKey())
	for at, want := range map[int64]authres.Result{1500: authres.Pass, 2000: authres.Pass, 2001: authres.Fail} {
		if s := verify(t, zone(t), message, time.Unix(at, 0)); s[0].Result != want {
			t.Errorf("at %d: %+v, want %s", at, s[0], want)
		}
	}
}

func TestKeys(t *testing.T) {
	good := keyRecord(rsaKey())
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	pkcs1 := base64.StdEncoding.EncodeToString(x509.MarshalPKCS1PublicKey(&rsaKey().PublicKey))
	for _, c := range []struct {
		rule, record string
		want         authres.Result
	}{
		{"as it should be", good, authres.Pass},
		{"without a version", strings.TrimPrefix(good, "v=DKIM1; "), authres.Pass},
		{"as RSAPublicKey", "v=DKIM1; p=" + pkcs1, authres.Pass},
		{"with blanks in p=", strings.Replace(good, "p=MIIB", "p=MI \tIB ", 1), authres.Pass},
		{"testing", good + "; t=y", authres.Pass},
		{"for all services", good + "; s=*", authres.Pass},
		{"for mail", good + "; s=other:email", authres.Pass},
		{"for something else", good + "; s=tlsrpt", authres.PermError},
		{"of another version", strings.Replace(good, "DKIM1", "DKIM2", 1), authres.PermError},
		{"revoked", "v=DKIM1; p=", authres.PermError},
		{"without p=", "v=DKIM1; k=rsa", authres.PermError},
		{"sha1 alone", good + "; h=sha1", authres.PermError},
		{"sha256 among others", good + "; h=sha1:sha256", authres.Pass},
		{"of another type", good + "; k=dsa", authres.PermError},
		{"no base64", "v=DKIM1; p=****", authres.PermError},
		{"no key", "v=DKIM1; p=AAAA", authres.PermError},
		{"no tags", "hello", authres.PermError},
		{"another key of 1024 bits", keyRecord(small), authres.Fail},
		{"far too long", "v=DKIM1; p=" + base64.StdEncoding.EncodeToString(make([]byte, 3000)), authres.Policy},
	} {
		z, err := dns.ParseZone(txt("rsa._domainkey.sender.example", c.record))
		if err != nil {
			t.Fatal(err)
		}
		s := one(t, z, retag(t, func(s string) string { return s }, rsaKey()))
		if s.Result != c.want {
			t.Errorf("%s: %s (%s), want %s", c.rule, s.Result, s.Reason, c.want)
		}
		if strings.Contains(s.Reason, "asn1") || strings.Contains(s.Reason, "base64") {
			t.Errorf("%s: the reason holds a library's text: %q", c.rule, s.Reason)
		}
	}
	strict, err := dns.ParseZone(txt("rsa._domainkey.sender.example", good+"; t=s"))
	if err != nil {
		t.Fatal(err)
	}
	if s := one(t, strict, retag(t, func(s string) string { return "i=@list.sender.example; " + s }, rsaKey())); s.Result != authres.PermError {
		t.Errorf("t=s with a subdomain in i=: %+v", s)
	}
	if s := one(t, strict, retag(t, func(s string) string { return "i=@sender.example; " + s }, rsaKey())); s.Result != authres.Pass {
		t.Errorf("t=s with d= in i=: %+v", s)
	}
	double, err := dns.ParseZone(txt("rsa._domainkey.sender.example", good) + txt("rsa._domainkey.sender.example", good+";"))
	if err != nil {
		t.Fatal(err)
	}
	if s := one(t, double, retag(t, func(s string) string { return s }, rsaKey())); s.Result != authres.PermError {
		t.Errorf("two records: %+v", s)
	}
}

// modulus of a key that nobody could have made into a signature: only its size counts.
func TestKeySizesAreBounded(t *testing.T) {
	for bits, want := range map[int]authres.Result{512: authres.Policy, 1023: authres.Policy, 8193: authres.Policy, 8192: authres.Fail} {
		n := make([]byte, (bits+7)/8)
		for i := range n {
			n[i] = 0xff
		}
		n[0] >>= uint(len(n)*8 - bits)
		key := rsa.PublicKey{E: 65537}
		key.N = bigInt(n)
		z, err := dns.ParseZone(txt("rsa._domainkey.sender.example", "p="+base64.StdEncoding.EncodeToString(x509.MarshalPKCS1PublicKey(&key))))
		if err != nil {
			t.Fatal(err)
		}
		if s := one(t, z, retag(t, func(s string) string { return s }, rsaKey())); s.Result != want {
			t.Errorf("%d bits: %+v, want %s", bits, s, want)
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

func TestAThousandSignaturesCostTen(t *testing.T) {
	z := &counter{Zone: zone(t)}
	field, rest, _ := strings.Cut(sign(t, plain, options(edKey(), "relaxed", "relaxed")), "\r\nFrom:")
	s := verify(t, z, strings.Repeat(field+"\r\n", 1000)+"From:"+rest, time.Now())
	if len(s) != dkim.MaxSignatures || z.n != dkim.MaxVerified {
		t.Fatalf("%d results, %d look-ups", len(s), z.n)
	}
	for i, one := range s {
		if want := i < dkim.MaxVerified; (one.Result == authres.Pass) != want {
			t.Errorf("signature %d: %+v", i, one)
		}
	}
}

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

func TestAFloodOfLineEndsCostsNoMoreThanText(t *testing.T) {
	z := zone(t)
	flood := "From: a@sender.example\r\n\r\n" + strings.Repeat("\r\n", 5<<20)
	for _, c := range []msgdkim.Canonicalization{"simple", "relaxed"} {
		message := sign(t, "From: a@sender.example\r\n\r\n", options(edKey(), c, c))
		message = strings.TrimSuffix(message, "From: a@sender.example\r\n\r\n") + flood + "x\r\n"
		begin := cpu(t)
		s := one(t, z, message)
		// Far above what it costs, far below what a quadratic reader would take, also
		// under the race detector.
		if took := cpu(t) - begin; took > 10*time.Second {
			t.Errorf("%s: %v", c, took)
		}
		if s.Result != authres.Fail {
			t.Errorf("%s: %+v", c, s)
		}
	}
}

// TestOddBodiesCostNoMoreThanText tries what a scanner with look-ahead could trip over.
func TestOddBodiesCostNoMoreThanText(t *testing.T) {
	z := zone(t)
	for _, unit := range []string{"a  ", "a\t", "a\r", "\r", "\n", " ", "a \r\n", "a\r\n\r\n"} {
		body := strings.Repeat(unit, (1<<19)/len(unit)) + "x\r\n"
		for _, c := range []msgdkim.Canonicalization{"simple", "relaxed"} {
			message := sign(t, "From: a@sender.example\r\n\r\n", options(edKey(), c, c)) + body
			begin := cpu(t)
			one(t, z, message)
			if took := cpu(t) - begin; took > 5*time.Second {
				t.Errorf("%q %s: %v", unit, c, took)
			}
		}
	}
}

func TestAHeaderOfFoldsCostsNoMoreThanText(t *testing.T) {
	for _, fold := range []string{"\r\n ", "\n\t", "\r\n:", "\nx"} {
		message := "A: x" + strings.Repeat(fold, (dkim.MaxHeader/4)/len(fold)) + "\r\nFrom: a@sender.example\r\n\r\nx"
		begin := cpu(t)
		r := strings.NewReader(message)
		fields, _, err := dkim.ReadHeader(r, r.Size())
		if err != nil || !fields[len(fields)-1].Is("From") {
			t.Errorf("%q: %v", fold, err)
		}
		if took := cpu(t) - begin; took > 3*time.Second {
			t.Errorf("%q: %v", fold, took)
		}
	}
}

// failing ends in an error behind the header.
type failing struct {
	*strings.Reader
	at int64
}

func (f failing) ReadAt(p []byte, off int64) (int, error) {
	if off >= f.at {
		return 0, errors.New("disk on fire")
	}
	return f.Reader.ReadAt(p[:min(int64(len(p)), f.at-off)], off)
}

func TestContentThatCantBeReadIsTemperrorAndLeavesNoGoroutine(t *testing.T) {
	z := zone(t)
	message := sign(t, sign(t, plain+strings.Repeat("x\r\n", 100_000), options(edKey(), "relaxed", "relaxed")), options(rsaKey(), "simple", "simple"))
	content := strings.NewReader(message)
	header, body, err := dkim.ReadHeader(content, content.Size())
	if err != nil {
		t.Fatal(err)
	}
	before := runtime.NumGoroutine()
	for range 20 {
		m := dkim.Message{Header: header, Content: failing{content, body + 100}, Body: body, Size: content.Size()}
		for _, s := range dkim.Verify(context.Background(), context.Background(), z, m, time.Now()) {
			if s.Result != authres.TempError || strings.Contains(s.Reason, "fire") {
				t.Fatalf("%+v", s)
			}
		}
	}
	if after := runtime.NumGoroutine(); after > before+2 {
		t.Errorf("%d goroutines, before %d", after, before)
	}
}

func TestReadHeader(t *testing.T) {
	big := "A: " + strings.Repeat("x", dkim.MaxHeader)
	for _, c := range []struct {
		rule, content string
		names         string
		body          string
		fails         bool
	}{
		{"CRLF", "A: 1\r\nB : 2\r\n\r\nbody", "A,B", "body", false},
		{"LF", "A: 1\nB: 2\n x\n\nbody", "A,B", "body", false},
		{"an mbox line", "From a@b now\nA: 1\n\nbody", "A", "body", false},
		{"a byte order mark", "\xef\xbb\xbfA: 1\r\n\r\nbody", "A", "body", false},
		{"no body", "A: 1\r\n", "A", "", false},
		{"no line end", "A: 1", "A", "", false},
		{"nothing", "", "", "", false},
		{"no header", "\r\nbody", "", "body", false},
		{"a line that is no field", "A: 1\r\nwhat?\r\nB: 2\r\n\r\nbody", "A,,B", "body", false},
		{"a blank in the name", "A B: 1\r\n\r\n", "", "", false},
		{"a fold first", " x\r\nA: 1\r\n\r\n", ",A", "", false},
		{"a large body", "A: 1\r\n\r\n" + strings.Repeat("y", 2*dkim.MaxHeader), "A", strings.Repeat("y", 2*dkim.MaxHeader), false},
		{"a header of several reads", "A: " + strings.Repeat("x\r\n ", 50_000) + "\r\nB: 1\r\n\r\nbody", "A,B", "body", false},
		{"a header without end", big, "", "", true},
	} {
		r := strings.NewReader(c.content)
		fields, body, err := dkim.ReadHeader(r, r.Size())
		if (err != nil) != c.fails {
			t.Errorf("%s: %v", c.rule, err)
			continue
		}
		if c.fails {
			continue
		}
		var names []string
		for _, f := range fields {
			names = append(names, f.Name)
		}
		rest, _ := io.ReadAll(io.NewSectionReader(r, body, r.Size()-body))
		if got := strings.Join(names, ","); got != c.names || string(rest) != c.body {
			t.Errorf("%s: fields %q, body of %d bytes", c.rule, got, len(rest))
		}
	}
}
