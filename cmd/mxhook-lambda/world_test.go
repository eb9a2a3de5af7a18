package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"mxhook/cmd/internal/bridge"
	"mxhook/cmd/internal/config"
	"mxhook/cmd/internal/worker/workertest"
	"mxhook/verify/dns"
)

const sesID = "o3vrnil0e2ic28trm7dfhrc2v0clambda4nbp0g1"

// zone: 192.0.2.1 may send for sender.example, whose DMARC wants rejection.
const zone = `
$TTL 300
sender.example.        IN TXT "v=spf1 ip4:192.0.2.1 -all"
_dmarc.sender.example. IN TXT "v=DMARC1; p=reject"
evil.example.          IN TXT "v=spf1 ip4:198.51.100.7 -all"
`

// app is a receiver of webhooks.
type app struct {
	*httptest.Server
	mu    sync.Mutex
	codes map[string]int // by recipient; 200 for all others
	hang  chan struct{}  // not nil: no answer before it is closed
	got   []request
}

type request struct {
	id      string
	payload payload
}

// payload is what the tests look at.
type payload struct {
	Envelope struct {
		ReversePath string `json:"reverse_path"`
		RemoteIP    string `json:"remote_ip"`
		Recipients  []struct{ Address string }
		Provider    *struct {
			Name      string
			MessageID string `json:"message_id"`
			SPF       string
			Spam      string
			Virus     string
		}
	}
	Authentication struct {
		SPF          struct{ Result, Reason string }
		DMARC        struct{ Result string }
		FromVerified bool `json:"from_verified"`
	}
	Message struct {
		Subject     string
		Attachments []struct{ SHA256 string }
	}
}

func newApp(t *testing.T) *app {
	a := &app{codes: map[string]int{}}
	a.Server = httptest.NewServer(http.HandlerFunc(a.serve))
	t.Cleanup(a.Close)
	return a
}

func (a *app) serve(w http.ResponseWriter, r *http.Request) {
	var p payload
	if err := json.NewDecoder(r.Body).Decode(&p); err != nil {
		http.Error(w, "no payload", http.StatusBadRequest)
		return
	}
	a.mu.Lock()
	hang := a.hang
	code := http.StatusOK
	for _, r := range p.Envelope.Recipients {
		if c, ok := a.codes[r.Address]; ok {
			code = c
		}
	}
	a.got = append(a.got, request{r.Header.Get("webhook-id"), p})
	a.mu.Unlock()
	if hang != nil {
		select {
		case <-hang:
		case <-r.Context().Done():
		}
	}
	w.WriteHeader(code)
}

func (a *app) requests() []request {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]request(nil), a.got...)
}

func (a *app) set(recipient string, code int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.codes[recipient] = code
}

// store is a server that speaks enough of S3 to get objects.
type store struct {
	*httptest.Server
	mu      sync.Mutex
	objects map[string]string // by bucket/key
	code    int               // 0: as it should be
	meta    http.Header
}

func newStore(t *testing.T) *store {
	s := &store{objects: map[string]string{}, meta: http.Header{}}
	s.Server = httptest.NewServer(http.HandlerFunc(s.serve))
	t.Cleanup(s.Close)
	return s
}

func (s *store) serve(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	content, ok := s.objects[strings.TrimPrefix(r.URL.Path, "/")]
	code, name := s.code, "SlowDown"
	switch {
	case code != 0:
	case r.Method != http.MethodGet || !strings.HasPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 "):
		code, name = http.StatusForbidden, "AccessDenied"
	case !ok:
		code, name = http.StatusNotFound, "NoSuchKey"
	default:
		for k, v := range s.meta {
			w.Header()[k] = v
		}
		w.Header().Set("Content-Length", fmt.Sprint(len(content)))
		io.WriteString(w, content)
		return
	}
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(code)
	fmt.Fprintf(w, "<Error><Code>%s</Code><Message>secret words of the server</Message></Error>", name)
}

func (s *store) put(content string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.objects["ses-inbound/in/"+sesID] = content
}

// world is a Lambda with everything around it.
type world struct {
	*handler
	t     *testing.T
	app   *app
	store *store
	log   *workertest.Log
}

func configText(state, app string) string {
	return fmt.Sprintf(`
hostname: mx.in.example
state: %q
limits: {disk_reserve: 0, message_size: 1MiB}
delivery: {ledger: 0, budget: 10s}
sinks: {app: {type: webhook, url: %q, attempts: 1, timeout: 5s, circuit: {failures: 0}}}
sources: [{name: jobs, type: sqs, queue_url: "https://sqs.eu-central-1.amazonaws.com/123456789012/jobs", deliver: [app]}]
routes: [{name: mail, recipient: "@in.example", deliver: [app]}]
`, state, app)
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, app: newApp(t), store: newStore(t), log: &workertest.Log{}}
	c, problems := config.Parse("test", []byte(configText(t.TempDir(), w.app.URL)), func(string) (string, bool) { return "", false })
	if c == nil {
		t.Fatal(problems)
	}
	z, err := dns.ParseZone(zone)
	if err != nil {
		t.Fatal(err)
	}
	sdk := aws.Config{
		Region: "eu-central-1", BaseEndpoint: aws.String(w.store.URL), Credentials: credentials.NewStaticCredentialsProvider("AKIA", "secret", ""),
		RetryMaxAttempts: 1,
	}
	env := map[string]string{envSESBucket: "ses-inbound", envSESPrefix: "in/"}
	w.handler, err = build(c, sdk, func(name string) (string, bool) { v, ok := env[name]; return v, ok }, bridge.Options{
		Log: slog.New(slog.NewJSONHandler(w.log, nil)), Resolver: z,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// quoted is text as it stands within a JSON string.
func quoted(text string) string {
	b, _ := json.Marshal(text)
	return strings.Trim(string(b), `"`)
}

// notification is what SES tells of a message for bob.
func notification(t *testing.T) string {
	return strings.NewReplacer(`"bcc@in.example"`, `"bob@in.example"`).Replace(read(t, "../../inbound/ses/testdata/sns-s3.json"))
}

// record is one message of a batch.
func record(t *testing.T, id, body string) string {
	return strings.NewReplacer("@ID@", id, "@BODY@", quoted(body)).Replace(read(t, "testdata/sqs.json"))
}

// batch invokes the function with messages, and returns the ids of those that must come
// again.
func (w *world) invokeBatch(ctx context.Context, records ...string) string {
	w.t.Helper()
	out, err := w.Invoke(ctx, []byte(`{"Records": [`+strings.Join(records, ",")+`]}`))
	if err != nil {
		w.t.Fatal(err)
	}
	var answer events.SQSEventResponse
	if err := json.Unmarshal(out, &answer); err != nil || !strings.Contains(string(out), `"batchItemFailures":[`) {
		w.t.Fatalf("%v of %s", err, out)
	}
	var ids []string
	for _, f := range answer.BatchItemFailures {
		ids = append(ids, f.ItemIdentifier)
	}
	return strings.Join(ids, " ")
}

// written is what SES puts before a message of a client.
func written(ip string) string {
	return "Return-Path: <ann@sender.example>\r\n" +
		"Received: from mail.sender.example (mail.sender.example [" + ip + "])\r\n by inbound-smtp.eu-central-1.amazonaws.com with SMTP id " + sesID + "\r\n" +
		" for support@in.example;\r\n Sat, 21 Nov 2026 10:00:00 +0000 (UTC)\r\n" +
		"X-SES-Spam-Verdict: PASS\r\nX-SES-Virus-Verdict: FAIL\r\n" +
		"Received-SPF: pass (spfCheck: ok) client-ip=" + ip + "; envelope-from=ann@sender.example; helo=mail.sender.example;\r\n" +
		"Authentication-Results: amazonses.com;\r\n spf=pass client-ip=" + ip + ";\r\n dmarc=pass header.from=sender.example;\r\n" +
		"X-SES-RECEIPT: AEFBQUFB\r\nX-SES-DKIM-SIGNATURE: a=rsa-sha256; d=amazonses.com; b=x\r\n"
}

const sent = "From: Ann <ann@sender.example>\r\nTo: support@in.example\r\nMessage-ID: <1@sender.example>\r\nSubject: Hello\r\n\r\nHello.\r\n"
