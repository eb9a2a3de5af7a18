package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mxhook/cmd/internal/bridge"
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

// relayed is what the tests look at in a payload.
type relayed struct {
	Envelope struct {
		RemoteIP   string `json:"remote_ip"`
		RemoteName string `json:"remote_name"`
		Protocol   string
		HELO       string
	}
	Authentication struct {
		SPF     struct{ Result, Reason string }
		SPFHelo struct{ Result, Reason string } `json:"spf_helo"`
		DKIM    []struct{ Result string }
		DMARC   struct {
			Result      string
			Reason      string
			SPFAligned  bool `json:"spf_aligned"`
			DKIMAligned bool `json:"dkim_aligned"`
		}
		IPRev          struct{ Result string }
		FromVerified   bool   `json:"from_verified"`
		FromVerifiedBy string `json:"from_verified_by"`
		Header         string
	}
}

func (a *app) relayed(t *testing.T) (p relayed) {
	t.Helper()
	if err := json.Unmarshal(a.next(t).body, &p); err != nil {
		t.Fatal(err)
	}
	return p
}

const lmtpConfig = `
hostname: mx.in.example
sinks:
  app: {type: webhook, url: "%URL%", attempts: 1}
routes:
  - {recipient: "@in.example", deliver: [app]}
`

func unixListener(t *testing.T) (yaml, path string) {
	dir, err := os.MkdirTemp("", "mxhook-lmtp-") // t.TempDir may be too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	path = filepath.Join(dir, "lmtp.sock")
	return fmt.Sprintf("\nlisteners: [{address: %q, kind: lmtp}]\n", "unix:"+path), path
}

// TestLMTPOnAUnixSocket checks what is said of a peer that has no address.
func TestLMTPOnAUnixSocket(t *testing.T) {
	a := startApp(t)
	listeners, path := unixListener(t)
	b := startBridge(t, strings.ReplaceAll(lmtpConfig, "%URL%", a.URL)+listeners)
	replies := dialLMTP(t, b.Addrs()[0]).send("ann@sender.example", "support@in.example unknown@elsewhere.example", []byte(smallMessage))
	if !strings.HasPrefix(replies[0], "250 2.0.0 OK msg_") || !strings.HasPrefix(replies[1], "550 5.7.1") {
		t.Fatal(replies)
	}
	p := a.relayed(t)
	if e := p.Envelope; e.RemoteIP != "" || e.RemoteName != "" || e.Protocol != "LMTP" || e.HELO != "relay.in.example" {
		t.Errorf("envelope %+v", e)
	}
	wantNoVerdictOfTheRelay(t, p)
	if strings.Contains(b.log.String(), "invalid") {
		t.Errorf("the log shows an address where there is none:\n%s", b.log)
	}
	if err := b.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(path); !os.IsNotExist(err) {
		t.Error("the socket is left after Stop:", err)
	}
}

func wantNoVerdictOfTheRelay(t *testing.T, p relayed) {
	t.Helper()
	const reason = "behind a relay"
	if v := p.Authentication; v.SPF.Result != "none" || v.SPF.Reason != reason || v.SPFHelo.Result != "none" || v.SPFHelo.Reason != reason || v.IPRev.Result != "none" {
		t.Errorf("verdicts of the relay's address: %+v", v)
	}
}

// TestBehindARelayDKIMAloneVouches sends a signed message by a relay: over LMTP, and over
// SMTP from one that is trusted. The zone's SPF would pass for its address.
func TestBehindARelayDKIMAloneVouches(t *testing.T) {
	for name, listeners := range map[string]string{
		"lmtp":           "\nlisteners: [{address: \"127.0.0.1:0\", kind: lmtp}]\n",
		"trusted relay":  "\nverify: {trusted_relays: [\"127.0.0.0/8\"]}\n",
		"nobody's relay": "\nverify: {trusted_relays: [\"10.0.0.0/8\"]}\n",
	} {
		t.Run(name, func(t *testing.T) {
			a := startApp(t)
			sender, err := newDemoSender()
			if err != nil {
				t.Fatal(err)
			}
			signed, err := sender.message("hello", "<signed@sender.example>")
			if err != nil {
				t.Fatal(err)
			}
			b := startBridge(t, strings.ReplaceAll(lmtpConfig, "%URL%", a.URL)+listeners, func(o *bridge.Options) { o.Resolver = sender.zone })
			send := func(message []byte) {
				var reply string
				if name == "lmtp" {
					reply = dialLMTP(t, b.Addrs()[0]).send("ann@sender.example", "support@in.example", message)[0]
				} else {
					reply = b.send(t, "ann@sender.example", "support@in.example", message)
				}
				if !strings.HasPrefix(reply, "250 2.0.0 ") {
					t.Fatal(reply)
				}
			}
			send(signed)
			p := a.relayed(t)
			if v := p.Authentication; v.DMARC.Result != "pass" || !v.DMARC.DKIMAligned || !v.FromVerified || v.FromVerifiedBy != "dkim" {
				t.Errorf("signed: %+v", v)
			}
			send([]byte(smallMessage))
			unsigned := a.relayed(t)
			if name == "nobody's relay" {
				if v := unsigned.Authentication; v.SPF.Result != "pass" || v.IPRev.Result != "pass" || v.FromVerifiedBy != "spf" {
					t.Errorf("unsigned: %+v", v)
				}
				return
			}
			wantNoVerdictOfTheRelay(t, p)
			wantNoVerdictOfTheRelay(t, unsigned)
			if v := unsigned.Authentication; v.DMARC.Result != "fail" || !strings.Contains(v.DMARC.Reason, "behind a relay") || v.DMARC.SPFAligned || v.FromVerified {
				t.Errorf("unsigned: %+v", v)
			}
			if unsigned.Envelope.RemoteIP != "127.0.0.1" || unsigned.Envelope.RemoteName != "" {
				t.Errorf("envelope %+v", unsigned.Envelope)
			}
		})
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
