package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"mxhook/cmd/internal/config"
)

// lmtpClient speaks LMTP over a unix socket or TCP.
type lmtpClient struct {
	t  testing.TB
	nc net.Conn
	r  *bufio.Reader
}

func dialLMTP(t testing.TB, address net.Addr) *lmtpClient {
	t.Helper()
	nc, err := net.Dial(address.Network(), address.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	nc.SetDeadline(time.Now().Add(patience))
	c := &lmtpClient{t, nc, bufio.NewReader(nc)}
	c.reply()
	c.say("LHLO relay.in.example")
	return c
}

// reply returns the last line of a reply.
func (c *lmtpClient) reply() string {
	c.t.Helper()
	for {
		line, err := c.r.ReadString('\n')
		if err != nil {
			c.t.Fatalf("after %q: %v", line, err)
		}
		if len(line) > 3 && line[3] == ' ' {
			return strings.TrimSuffix(line, "\r\n")
		}
	}
}

func (c *lmtpClient) say(line string) string {
	c.t.Helper()
	if _, err := io.WriteString(c.nc, line+"\r\n"); err != nil {
		c.t.Fatal(err)
	}
	return c.reply()
}

// send makes one transaction: the reply to each RCPT that was refused stands in its
// place, and that to the message in the place of each other.
func (c *lmtpClient) send(from, rcpts string, message []byte) []string {
	c.t.Helper()
	line := "MAIL FROM:<" + from + ">"
	if strings.ContainsFunc(from+rcpts, func(r rune) bool { return r > '~' }) {
		line += " SMTPUTF8"
	}
	if r := c.say(line); !strings.HasPrefix(r, "250 ") {
		return []string{r}
	}
	var replies []string
	for rcpt := range strings.FieldsSeq(rcpts) {
		r := c.say("RCPT TO:<" + rcpt + ">")
		if strings.HasPrefix(r, "250 ") {
			r = ""
		}
		replies = append(replies, r)
	}
	if r := c.say("DATA"); !strings.HasPrefix(r, "354 ") {
		c.t.Fatal(r)
	}
	if !bytes.HasSuffix(message, []byte("\r\n")) {
		c.t.Fatal("the message has no last line end")
	}
	if _, err := fmt.Fprintf(c.nc, "%s.\r\n", bytes.ReplaceAll(message, []byte("\r\n."), []byte("\r\n.."))); err != nil {
		c.t.Fatal(err)
	}
	for i, r := range replies {
		if r == "" {
			replies[i] = c.reply()
		}
	}
	return replies
}

const eachConfig = `
hostname: mx.in.example
sinks:
  good: {type: webhook, url: "%URL%/good", attempts: 1}
  never: {type: webhook, url: "%URL%/never", attempts: 1}
  later: {type: webhook, url: "%URL%/later", attempts: 1}
routes:
  - {recipient: "never@in.example", deliver: [never]}
  - {recipient: "later@in.example", deliver: [later]}
  - {recipient: "moved@in.example", reject: "550 5.1.6 the mailbox has moved"}
  - {recipient: "hole@in.example", discard: true}
  - {recipient: "@in.example", deliver: [good]}
`

// answerEach lets each sink of eachConfig answer as its name says.
func (a *app) answerEach(later int) {
	a.set(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		switch r.URL.Path {
		case "/never":
			w.WriteHeader(http.StatusNotAcceptable)
		case "/later":
			w.WriteHeader(later)
		}
		if r.URL.Path == "/good" || r.URL.Path == "/later" && later == http.StatusOK {
			a.got <- delivery{r, body}
		}
	})
}

// TestLMTPRepliesAreEachRecipientsOwn sends one message to recipients of whom each ends
// in another way, also with an address beyond ASCII.
func TestLMTPRepliesAreEachRecipientsOwn(t *testing.T) {
	for _, good := range []string{"good", "gut.ä"} {
		a := startApp(t)
		a.answerEach(http.StatusServiceUnavailable)
		listeners, _ := unixListener(t)
		b := startBridge(t, strings.ReplaceAll(eachConfig, "%URL%", a.URL)+listeners)
		got := dialLMTP(t, b.Addrs()[0]).send("ann@sender.example", strings.ReplaceAll(
			"never@in.example %@in.example moved@in.example later@in.example hole@in.example %@in.example x@other.example", "%", good), []byte(smallMessage))
		want := []string{"550 5.7.1 ", "250 2.0.0 OK msg_", "550 5.1.6 ", "451 4.4.5 ", "250 2.0.0 OK", "250 2.0.0 OK msg_", "550 5.7.1 "}
		for i := range want {
			if !strings.HasPrefix(got[i], want[i]) {
				t.Errorf("%s: reply %d: %q, want %q", good, i, got[i], want[i])
			}
		}
		id := a.next(t).Header.Get("webhook-id")
		if log := b.log.String(); !strings.Contains(log, `"replies":["550 5.7.1 refused by the destination","250 2.0.0 OK `+id+`","451 4.4.5 `) {
			t.Errorf("%s: the log does not tell each reply:\n%s", good, log)
		}
		if len(a.got) > 0 {
			t.Errorf("%s: a recipient that was named twice was delivered twice", good)
		}
	}
}

// TestLMTPOverReloadAndDrain reloads and stops while a message is with its sinks: each
// recipient gets the reply that the configuration of MAIL leads to, then 421.
func TestLMTPOverReloadAndDrain(t *testing.T) {
	a := startApp(t)
	reached, leave := make(chan bool, 3), make(chan bool)
	a.set(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		reached <- true
		<-leave
		if r.URL.Path == "/never" {
			w.WriteHeader(http.StatusNotAcceptable)
		}
	})
	listeners, _ := unixListener(t)
	yaml := strings.ReplaceAll(eachConfig, "%URL%", a.URL) + listeners
	b := startBridge(t, yaml)
	c := dialLMTP(t, b.Addrs()[0])
	replies := make(chan []string)
	go func() {
		replies <- c.send("ann@sender.example", "good@in.example never@in.example", []byte(smallMessage))
	}()
	<-reached
	<-reached
	changed, problems := config.Parse("test.yaml", []byte(strings.ReplaceAll(yaml, "deliver: [never]", "deliver: [good]")), func(string) (string, bool) { return "", false })
	if changed == nil {
		t.Fatal(problems)
	}
	changed.Delivery.Ledger = 0
	if err := b.Reload(changed); err != nil {
		t.Fatal(err)
	}
	stopped := make(chan error, 1)
	go func() { stopped <- b.Stop(context.Background()) }()
	b.await(t, "draining")
	close(leave)
	if got := <-replies; !strings.HasPrefix(got[0], "250 2.0.0 OK msg_") || !strings.HasPrefix(got[1], "550 5.7.1 ") {
		t.Error(got)
	}
	if last := c.reply(); last != "421 4.3.2 shutting down, try again later" {
		t.Error(last)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}
