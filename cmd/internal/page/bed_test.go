package page_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"mxhook/cmd/internal/bridge"
	"mxhook/cmd/internal/config"
	"mxhook/cmd/internal/page"
	"mxhook/inbound"
	"mxhook/inbound/status"
	"mxhook/verify/dns"
)

// bed is a bridge with its page, driven without SMTP.
type bed struct {
	*bridge.Bridge
	t    testing.TB
	home string // the page's address
	got  chan string

	mu   sync.Mutex
	code int // of the application's answers
	n    int
}

const bedConfig = `
hostname: mx.in.example
state: %q
admin: {address: %q, token: "the-token"}
listeners: [{address: "127.0.0.1:0", tls: {mode: none}}]
sinks:
  disk: {type: dir, path: %q}
  app: {type: webhook, url: %q, secret: "whsec_c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXg=", attempts: 1}
limits: {disk_reserve: 0}
routes:
  - {name: tickets, recipient: "support+{ticket}@in.example", deliver: [app], mode: spool}
  - {name: direct, recipient: "direct@in.example", deliver: [app], optional: [disk]}
  - {name: invoices, recipient: "@in.example", when: {subject: "*invoice*"}, deliver: [disk]}
  - {name: rest, recipient: "@in.example", deliver: [disk]}
`

const bedZone = `
$TTL 300
sender.example.        IN TXT "v=spf1 ip4:192.0.2.0/24 -all"
_dmarc.sender.example. IN TXT "v=DMARC1; p=reject"
`

// newBed starts a bridge; its application answers 200.
func newBed(t testing.TB) *bed { return newBedAt(t, "127.0.0.1:0") }

func newBedAt(t testing.TB, address string) *bed {
	t.Helper()
	b := &bed{t: t, code: 200, got: make(chan string, 100)}
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		b.mu.Lock()
		code := b.code
		b.mu.Unlock()
		w.WriteHeader(code)
		select {
		case b.got <- r.Header.Get("webhook-id"):
		default:
		}
	}))
	t.Cleanup(app.Close)
	state := t.TempDir()
	text := fmt.Sprintf(bedConfig, state, address, state+"/mail", strings.Replace(app.URL, "http://", "http://user:geheim@", 1)+"/hook/hidden")
	c, problems := config.Parse("test.yaml", []byte(text), func(string) (string, bool) { return "", false })
	if c == nil {
		t.Fatal(problems)
	}
	zone, err := dns.ParseZone(bedZone)
	if err != nil {
		t.Fatal(err)
	}
	if b.Bridge, err = bridge.New(c, bridge.Options{Log: slog.New(slog.DiscardHandler), Resolver: zone, Version: "1.2.3", Page: page.Make}); err != nil {
		t.Fatal(err)
	}
	return b.run(t)
}

// run starts the bridge, which ends with the test.
func (b *bed) run(t testing.TB) *bed {
	t.Helper()
	if err := b.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := b.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	b.home = "http://" + b.AdminAddr().String()
	return b
}

// answer sets what the application answers from now on.
func (b *bed) answer(code int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.code = code
}

// mail is a message with a Message-ID of its own.
func (b *bed) mail(subject, fields, body string) string {
	b.n++
	return fmt.Sprintf("From: Ann <ann@sender.example>\r\nMessage-ID: <%d@sender.example>\r\nSubject: %s\r\n%s\r\n%s", b.n, subject, fields, body)
}

// send brings a message, as its sender does, and returns the reply.
func (b *bed) send(rcpt, content string) string {
	return b.sendFrom("ann@sender.example", rcpt, content)
}

func (b *bed) sendFrom(from, rcpt, content string) string {
	b.t.Helper()
	path := func(s string) inbound.Path {
		p, err := inbound.ParsePath(s, true)
		if err != nil {
			b.t.Fatal(err)
		}
		return p
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	s := inbound.Session{ID: "s", Listener: "127.0.0.1:25", RemoteIP: netip.MustParseAddr("192.0.2.1"), HELO: "mail.sender.example"}
	tx, err := b.Mail(ctx, s, inbound.Mail{ReversePath: path(from), Protocol: "ESMTP", SMTPUTF8: true})
	if err != nil {
		b.t.Fatal(err)
	}
	defer tx.Close()
	for _, r := range strings.Fields(rcpt) {
		if err := tx.Rcpt(ctx, path(r)); err != nil {
			return status.ReplyOf(err).String()
		}
	}
	data := inbound.NewMailData([]byte(content))
	defer data.Release()
	return tx.Data(ctx, data).Reply().String()
}

// ask makes a request and returns the answer with its body.
func (b *bed) ask(method, path string, change ...func(*http.Request)) (*http.Response, string) {
	b.t.Helper()
	r, err := http.NewRequest(method, b.home+path, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, c := range change {
		c(r)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	answer, err := client.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return answer, string(body)
}

func (b *bed) get(path string) string {
	b.t.Helper()
	answer, body := b.ask("GET", path)
	if answer.StatusCode != 200 {
		b.t.Fatalf("%s: %d %s", path, answer.StatusCode, body)
	}
	return body
}

// until asks for a page until it has the text: what the spool does takes its time.
func (b *bed) until(path, text string) string {
	b.t.Helper()
	for began := time.Now(); ; {
		answer, body := b.ask("GET", path)
		if answer.StatusCode == 200 && strings.Contains(body, text) {
			return body
		}
		if time.Since(began) > patience {
			b.t.Fatalf("%s never had %q: %d %s", path, text, answer.StatusCode, body)
		}
	}
}

// dead makes a dead event of a message and returns its id.
func (b *bed) dead(content string) string {
	b.t.Helper()
	b.answer(406)
	if reply := b.send("support+7@in.example", content); reply[:3] != "250" {
		b.t.Fatal(reply)
	}
	id := <-b.got
	b.until("/spool?state=dead&q="+id, `id="s-`+id)
	return id + ".app"
}
