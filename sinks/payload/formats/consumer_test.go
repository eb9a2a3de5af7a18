package formats_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"mxhook/inbound/message"
	"mxhook/sinks"
	"mxhook/sinks/payload"
	"mxhook/sinks/payload/formats"
	"mxhook/sinks/payload/payloadtest"
	"mxhook/sinks/webhook"
)

// consumer is a program around software that was written elsewhere for a provider's
// requests. It takes them on loopback and prints a line of JSON for each message: what
// an app would have read.
type consumer struct {
	address string
	lines   chan []byte
}

// read is such a line.
type read struct {
	Consumer     string    `json:"consumer"`
	Subject      string    `json:"subject"`
	From         []mailbox `json:"from"`
	To           []mailbox `json:"to"`
	Text         string    `json:"text"`
	HTML         string    `json:"html"`
	Stripped     string    `json:"stripped"`
	MessageID    string    `json:"message_id"`
	EnvelopeFrom string    `json:"envelope_from"`
	EnvelopeTo   string    `json:"envelope_to"`
	EventID      string    `json:"event_id"`
	SPF          string    `json:"spf"`
	SHA256       string    `json:"sha256"` // of the raw message that it stored
	Files        []file    `json:"files"`
}

type mailbox struct {
	Name    string `json:"name"`
	Address string `json:"address"`
}

type file struct {
	Filename    string `json:"filename"`
	ContentType string `json:"content_type"`
	ContentID   string `json:"content_id"`
	SHA256      string `json:"sha256"`
	Size        int64  `json:"size"`
}

// python is Debian's interpreter, where its modules are.
const python = "/usr/bin/python3"

// start runs a program that prints its port first. probe is a command that fails where
// the program can't run; the test is then skipped, or fails where all must be there.
func start(t *testing.T, what string, probe []string, environment []string, command ...string) *consumer {
	t.Helper()
	if testing.Short() {
		t.Skip("short")
	}
	if os.Getenv("MXHOOK_INTEROP") == "skip" {
		t.Skip("MXHOOK_INTEROP=skip")
	}
	check := exec.Command(probe[0], probe[1:]...)
	check.Env = append(os.Environ(), environment...)
	if out, err := check.CombinedOutput(); err != nil {
		if os.Getenv("MXHOOK_INTEROP") == "require" {
			t.Fatalf("%s is not installed, and MXHOOK_INTEROP=require: %v\n%s", what, err, out)
		}
		t.Skipf("%s is not installed", what)
	}
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Env = append(os.Environ(), environment...)
	var errors strings.Builder
	cmd.Stderr = &errors
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	c := &consumer{lines: make(chan []byte, 100)}
	t.Cleanup(func() {
		cmd.Process.Kill()
		for range c.lines { // until it is gone
		}
		cmd.Wait()
		if t.Failed() {
			t.Logf("%s said: %s", what, errors.String())
		}
	})
	go func() {
		defer close(c.lines)
		lines := bufio.NewScanner(out)
		lines.Buffer(nil, 32<<20)
		for lines.Scan() {
			c.lines <- bytes.Clone(lines.Bytes())
		}
	}()
	c.address = "127.0.0.1:" + string(c.line(t))
	return c
}

// line is the next line that the program prints.
func (c *consumer) line(t *testing.T) []byte {
	t.Helper()
	select {
	case p, ok := <-c.lines:
		if ok {
			return p
		}
		t.Fatal("the consumer has ended")
	case <-time.After(time.Minute):
		t.Fatal("the consumer prints nothing")
	}
	return nil
}

// next is what the consumer read last. It has printed before it answers.
func (c *consumer) next(t *testing.T) (r read) {
	t.Helper()
	if p := c.line(t); json.Unmarshal(p, &r) != nil {
		t.Fatalf("%s is no JSON", p)
	}
	return r
}

// post delivers e to url through the webhook sink.
func post(t *testing.T, format, url, secret string, e *sinks.Event) sinks.Outcome {
	t.Helper()
	f, err := formats.New(format, formats.Options{Include: payload.Include{HTML: true, Raw: "inline"}, Secret: secret})
	if err != nil {
		t.Fatal(err)
	}
	s, err := webhook.New(webhook.Config{Name: "app", URL: url, Format: f, FanOut: sinks.FanOutRecipient, Backoff: time.Millisecond, Timeout: 2 * time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	return s.Deliver(context.Background(), e)
}

// front stands before a consumer, answers its first request with 503 and passes the others
// on.
type front struct {
	address string
	mu      sync.Mutex
	bodies  []string
}

// body is that of the request with that number.
func (f *front) body(i int) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.bodies[i]
}

func newFront(t *testing.T, address string) *front {
	f := &front{}
	proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: address})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		f.mu.Lock()
		f.bodies = append(f.bodies, string(body))
		first := len(f.bodies) == 1
		f.mu.Unlock()
		if first {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	f.address = s.Listener.Addr().String()
	return f
}

// letters are the messages that every consumer must read as they are.
func letters(t *testing.T) map[string]*sinks.Event {
	t.Helper()
	all := map[string]*sinks.Event{}
	for _, name := range []string{
		"plain", "alternative", "attachment-pdf", "inline-image", "headers-encoded-words", "filename-rfc2231", "winmail-dat",
		"charset-iso-8859-1", "charset-iso-2022-jp", "thread-reply",
	} {
		all[name] = payloadtest.Example(t, name+".eml")
	}
	all["8-bit files"] = payloadtest.Event(t, eightBit())
	all["large"] = payloadtest.Event(t, large(2<<20))
	all["doubtful name"] = payloadtest.Event(t, []byte("From: =?utf-8?q?ceo=40bank=2Eexample=2C?= <ann@sender.example>\r\nTo: \"Support, \\\"all\\\" of it\" <support+42@in.example>\r\n"+
		"Subject: =?utf-8?q?a=0D=0AX-Mailgun-Spf=3A_Pass?=\r\nMessage-ID: <1@sender.example>\r\n\r\nHello\r\n"))
	return all
}

// eightBit is a message with texts and a file of which nothing is UTF-8, nor encoded.
func eightBit() []byte {
	return []byte("From: J\xfcrgen <ann@sender.example>\r\nTo: support+42@in.example\r\nSubject: Gr\xfc\xdfe\r\nMessage-ID: <8@sender.example>\r\nMIME-Version: 1.0\r\n" +
		"Content-Type: multipart/mixed; boundary=x\r\n\r\nNo \xfc here\r\n--x\r\nContent-Type: multipart/alternative; boundary=y\r\n\r\n" +
		"--y\r\nContent-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: 8bit\r\n\r\nGr\xfc\xdfe\r\n--y\r\nContent-Type: text/html; charset=koi8-r\r\n\r\n<p>\xf0\xd2\xc9\xd7\xc5\xd4</p>\r\n--y--\r\n" +
		"--x\r\nContent-Type: application/octet-stream\r\nContent-Disposition: attachment; filename=a.bin\r\nContent-Transfer-Encoding: 8bit\r\n\r\n\xff\x01\x80 \r\n\xfe\xfd\r\n" +
		"--x\r\nContent-Type: text/csv; charset=iso-8859-1; name=b.csv\r\nContent-Disposition: attachment; filename=b.csv\r\n\r\n\xe9;\xe8 \r\n--x--\r\n")
}

// large is a message with an attachment of n octets.
func large(n int) []byte {
	var b strings.Builder
	b.WriteString("From: Ann <ann@sender.example>\r\nTo: support+42@in.example\r\nSubject: large\r\nMessage-ID: <large@sender.example>\r\nMIME-Version: 1.0\r\n" +
		"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nHello\r\n--x\r\n" +
		"Content-Type: application/octet-stream\r\nContent-Disposition: attachment; filename=large.bin\r\nContent-Transfer-Encoding: base64\r\n\r\n")
	for line := 0; line*57 < n; line++ {
		fmt.Fprintf(&b, "%s\r\n", strings.Repeat("QUJD"+string(rune('A'+line%26))+"0tM", 9)+"QUJD")
	}
	b.WriteString("--x--\r\n")
	return []byte(b.String())
}

// expected is what an app should read of e.
func expected(e *sinks.Event) read {
	m := e.Message
	r := read{
		Subject: m.Subject, From: mailboxes(m.From), To: mailboxes(m.To), Text: m.Text, HTML: m.HTML, MessageID: m.MessageID,
		Stripped: m.Reply.Text, EnvelopeFrom: e.Mail.ReversePath.String(), EnvelopeTo: e.Recipients[0].Path.String(), EventID: e.ID,
		Files: []file{},
	}
	for _, a := range m.Attachments {
		r.Files = append(r.Files, file{a.Filename, a.ContentType, a.ContentID, hex.EncodeToString(a.SHA256[:]), a.Size})
	}
	return r
}

func mailboxes(list []message.Address) (all []mailbox) {
	for _, a := range list {
		all = append(all, mailbox{a.Name, a.Address})
	}
	return all
}

// digest is the SHA-256 of octets, in hexadecimal.
func digest(p []byte) string {
	sum := sha256.Sum256(p)
	return hex.EncodeToString(sum[:])
}

// same makes texts comparable: line ends and what stands at the end differ with the
// formats.
func same(s string) string {
	return strings.TrimRight(strings.ReplaceAll(s, "\r\n", "\n"), "\n ")
}

// text is a value as it is shown in a failure.
func text(v any) string {
	s := fmt.Sprintf("%+q", v)
	return s[:min(len(s), 400)]
}
