package main

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	webhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"mxhook/cmd/internal/bridge"
	"mxhook/verify/dns"
)

const testSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYqr"

// document is what these tests look at.
type document struct {
	ID       string
	Route    string
	Envelope struct {
		Recipients []struct {
			Address  string
			Captures map[string]string
		}
		Protocol string
		RemoteIP string `json:"remote_ip"`
		TLS      *struct{ Version string }
	}
	Authentication struct {
		SPF, DMARC   struct{ Result string }
		FromVerified bool `json:"from_verified"`
		Header       string
	}
	Message struct {
		Headers []struct{ Name, Value string }
		Defects []struct{ Code string }
	}
	Raw struct {
		Size   int64
		SHA256 string
	}
}

func (d delivery) document(t *testing.T) (p document) {
	t.Helper()
	if err := json.Unmarshal(d.body, &p); err != nil {
		t.Fatalf("%v in %s", err, d.body)
	}
	return p
}

func TestRequestIsSignedAndWhole(t *testing.T) {
	a := startApp(t)
	b := startBridge(t, fmt.Sprintf(`
hostname: mx.in.example
sinks:
  app: {type: webhook, url: "%s/mail/{ticket}?t={ticket}", secret: "%s"}
routes:
  - {name: tickets, recipient: "support+{ticket}@in.example", deliver: [app]}
  - {name: postmaster, recipient: "postmaster@in.example", discard: true}
`, a.URL, testSecret))
	if got := b.send(t, "ann@sender.example", "support+a/b@in.example", []byte(smallMessage)); !strings.HasPrefix(got, "250 2.0.0 OK msg_") {
		t.Fatal(got)
	}
	d := a.next(t)
	verifier, err := webhooks.NewWebhook(testSecret)
	if err != nil {
		t.Fatal(err)
	}
	if err := verifier.Verify(d.body, d.Header); err != nil {
		t.Error("the published library does not accept the signature:", err)
	}
	digest := sha256.Sum256(d.body)
	want := map[string]string{
		"Content-Digest":  "sha-256=:" + base64.StdEncoding.EncodeToString(digest[:]) + ":",
		"Content-Length":  fmt.Sprint(len(d.body)),
		"Content-Type":    "application/json",
		"Idempotency-Key": d.Header.Get("webhook-id"), "User-Agent": "mxhook/test", "Accept": "*/*",
		"X-Mxhook-Attempt": "1", "X-Mxhook-Route": "tickets",
	}
	for name, value := range want {
		if got := d.Header.Get(name); got != value {
			t.Errorf("%s: %q, want %q", name, got, value)
		}
	}
	if got := d.RequestURI; got != "/mail/a%2Fb?t=a%2Fb" {
		t.Errorf("the request goes to %s", got)
	}
	p := d.document(t)
	if p.ID != d.Header.Get("webhook-id") || p.Envelope.Recipients[0].Captures["ticket"] != "a/b" {
		t.Errorf("%+v", p)
	}
}

func TestResendHasTheSameIDAndAnotherMessageAnother(t *testing.T) {
	a := startApp(t)
	b := startBridge(t, strings.ReplaceAll(interopConfig, "%URL%", a.URL))
	id := func(message string) string {
		t.Helper()
		if got := b.send(t, "ann@sender.example", "support@in.example", []byte(message)); !strings.HasPrefix(got, "250 ") {
			t.Fatal(got)
		}
		return a.next(t).document(t).ID
	}
	first := id(smallMessage)
	for name, c := range map[string]struct {
		message string
		same    bool
	}{
		"the same again":         {smallMessage, true},
		"another Received field": {"Received: from x by y; Sat, 21 Nov 2026 10:00:00 +0000\r\n" + smallMessage, true},
		"another body":           {smallMessage + "more\r\n", false},
		"another subject":        {strings.Replace(smallMessage, "hello", "other", 1), false},
		"another author":         {strings.Replace(smallMessage, "From: ann", "From: bob", 1), false},
		"another Message-ID":     {strings.Replace(smallMessage, "<hello@", "<other@", 1), false},
	} {
		if got := id(c.message); (got == first) != c.same {
			t.Errorf("%s: ids %s and %s, the same is %v", name, first, got, c.same)
		}
	}
	nameless := strings.Replace(smallMessage, "Message-ID: <hello@sender.example>\r\n", "", 1)
	if first, second := id(nameless), id(nameless); first == second {
		t.Error("two messages without a Message-ID have the same id")
	}
}

func TestForgedResultsAreRemovedAndTold(t *testing.T) {
	a := startApp(t)
	b := startBridge(t, strings.ReplaceAll(interopConfig, "%URL%", a.URL))
	forged := "Authentication-Results: MX.in.example (really) ; dmarc=pass header.from=bank.example\r\n" +
		"Authentication-Results: other.example; spf=pass\r\nReturn-Path: <x@bank.example>\r\n" + smallMessage
	if got := b.send(t, "ann@sender.example", "support@in.example", []byte(forged)); !strings.HasPrefix(got, "250 ") {
		t.Fatal(got)
	}
	p := a.next(t).document(t)
	var results []string
	for _, h := range p.Message.Headers {
		if strings.EqualFold(h.Name, "Authentication-Results") {
			results = append(results, h.Value)
		}
	}
	if !slices.Equal(results, []string{"other.example; spf=pass"}) {
		t.Errorf("the payload's Authentication-Results are %q", results)
	}
	if !slices.ContainsFunc(p.Message.Defects, func(d struct{ Code string }) bool { return d.Code == "forged-authentication-results" }) {
		t.Errorf("the defects are %v", p.Message.Defects)
	}
	if p.Raw.SHA256 != fmt.Sprintf("%x", sha256.Sum256([]byte(forged))) || p.Raw.Size != int64(len(forged)) {
		t.Error("raw does not speak of the bytes as received")
	}
}

func TestDeadNameServerIsTemperrorAndStillDelivered(t *testing.T) {
	a := startApp(t)
	b := startBridge(t, strings.ReplaceAll(interopConfig, "%URL%", a.URL)+"verify: {timeout: 1s}\n", func(o *bridge.Options) {
		o.Resolver = dns.New(dns.Config{Servers: []string{closedPort(t)}})
	})
	if got := b.send(t, "ann@sender.example", "support@in.example", []byte(smallMessage)); !strings.HasPrefix(got, "250 ") {
		t.Fatal(got)
	}
	p := a.next(t).document(t)
	if p.Authentication.SPF.Result != "temperror" || p.Authentication.DMARC.Result != "temperror" || p.Authentication.FromVerified {
		t.Errorf("%+v", p.Authentication)
	}
}

// A name server that never answers takes no more than half of the budget, and what is
// left is enough to deliver.
func TestTheBudgetHoldsVerificationAndDelivery(t *testing.T) {
	a := startApp(t)
	silent, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	config := strings.Replace(strings.ReplaceAll(interopConfig, "%URL%", a.URL), "attempts: 1", "attempts: 1, timeout: 3s", 1) + "delivery: {budget: 2s}\n"
	b := startBridge(t, config, func(o *bridge.Options) {
		o.Resolver = dns.New(dns.Config{Servers: []string{silent.LocalAddr().String()}})
	})
	began := time.Now()
	if got := b.send(t, "ann@sender.example", "support@in.example", []byte(smallMessage)); !strings.HasPrefix(got, "250 ") {
		t.Errorf("reply %q", got)
	}
	if p := a.next(t).document(t); p.Authentication.SPF.Result != "temperror" {
		t.Errorf("%+v", p.Authentication)
	}
	a.set(func(_ http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	})
	if got := b.send(t, "ann@sender.example", "support@in.example", []byte(smallMessage)); !strings.HasPrefix(got, "451 4.4.5 ") {
		t.Errorf("reply %q", got)
	}
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("two messages with a budget of 2 s took %s", took)
	}
}

func TestMailLoop(t *testing.T) {
	a := startApp(t)
	b := startBridge(t, strings.ReplaceAll(interopConfig, "%URL%", a.URL))
	hop := "Received: from x by y; Sat, 21 Nov 2026 10:00:00 +0000\r\n"
	own := "Received: from x ([127.0.0.1]) by mx.in.example with ESMTP\r\n id msg_aaaaaaaaaaaaaaaaaaaaaaaaaa; Sat, 21 Nov 2026 10:00:00 +0000\r\n"
	for name, c := range map[string]struct{ fields, want string }{
		"100 hops":         {strings.Repeat(hop, 100), "250 "},
		"101 hops":         {strings.Repeat(hop, 101), "554 5.4.6 "},
		"three times here": {strings.Repeat(own, 3), "250 "},
		"four times here":  {strings.Repeat(own, 4), "554 5.4.6 "},
	} {
		if got := b.send(t, "ann@sender.example", "support@in.example", []byte(c.fields+smallMessage)); !strings.HasPrefix(got, c.want) {
			t.Errorf("%s: reply %q, want %q", name, got, c.want)
		}
	}
}

func TestLargeMessageGoesThroughAFileAndLeavesNone(t *testing.T) {
	a := startApp(t)
	state := t.TempDir()
	b := startBridgeIn(t, state, strings.ReplaceAll(interopConfig, "%URL%", a.URL)+"limits: {memory: 1MiB}\n")
	big := append([]byte("Message-ID: <big@sender.example>\r\n"), benchMessage(5<<20)...)
	if got := b.send(t, "ann@sender.example", "support@in.example", big); !strings.HasPrefix(got, "250 ") {
		t.Fatal(got)
	}
	if p := a.next(t).document(t); p.Raw.Size != int64(len(big)) {
		t.Errorf("%d octets instead of %d", p.Raw.Size, len(big))
	}
	if left, _ := os.ReadDir(filepath.Join(state, "tmp")); len(left) > 0 {
		t.Errorf("%d files are left", len(left))
	}
	// A folder that somebody removed is made again.
	if err := os.RemoveAll(filepath.Join(state, "tmp")); err != nil {
		t.Fatal(err)
	}
	if got := b.send(t, "ann@sender.example", "support@in.example", big); !strings.HasPrefix(got, "250 ") {
		t.Errorf("without the folder: %q", got)
	}
	// When the file can't be written and there is no memory for it, the sender keeps the message.
	if err := os.RemoveAll(filepath.Join(state, "tmp")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(state, "tmp"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := b.send(t, "ann@sender.example", "support@in.example", big); !strings.HasPrefix(got, "452 4.3.1 ") {
		t.Errorf("reply %q, want 452 4.3.1", got)
	}
	if got := b.send(t, "ann@sender.example", "support@in.example", []byte(smallMessage)); !strings.HasPrefix(got, "250 ") {
		t.Errorf("a small message afterwards: %q", got)
	}
}

func TestMetricsTellWhatHappened(t *testing.T) {
	a := startApp(t)
	b := startBridge(t, strings.ReplaceAll(interopConfig, "%URL%", a.URL)+"admin: {address: \"127.0.0.1:0\"}\n")
	b.send(t, "ann@sender.example", "support@in.example", []byte(smallMessage))
	b.send(t, "ann@sender.example", "x@elsewhere.example", []byte(smallMessage))
	a.set(answering(503))
	b.send(t, "ann@sender.example", "support@in.example", []byte(smallMessage))

	text := metricsOf(t, b)
	for _, want := range []string{
		`mxhook_connections_total{listener="127.0.0.1:0"} 3`,
		`mxhook_transactions_total{reply="2xx"} 1`, `mxhook_transactions_total{reply="4xx"} 1`, `mxhook_transactions_total{reply="5xx"} 0`,
		`mxhook_replies_total{condition="relay_denied"} 1`, `mxhook_replies_total{condition="sink_busy"} 1`,
		`mxhook_route_matches_total{route="1"} 2`,
		`mxhook_sink_attempts_total{outcome="accepted",sink="app"} 1`, `mxhook_sink_attempts_total{outcome="temporary",sink="app"} 1`,
		`mxhook_sink_seconds_count{sink="app"} 2`, `mxhook_verify_results_total{method="spf",result="pass"} 2`,
		`mxhook_verify_seconds_count 2`, fmt.Sprintf("mxhook_message_bytes_total %d", 2*len(smallMessage)), `mxhook_memory_bytes `, // the last message may be given back a moment after its reply
		`mxhook_build_info{commit="",go="go`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%s is missing", want)
		}
	}
	if t.Failed() {
		t.Logf("%s", text)
	}
}
