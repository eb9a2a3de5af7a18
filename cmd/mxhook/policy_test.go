package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mxhook/cmd/internal/bridge"
	"mxhook/cmd/internal/control"
	"mxhook/verify/dns"
)

// policyZone is the DNS of senders whose domain or address says something: 127.0.0.1 has
// no name.
const policyZone = `
$TTL 300
no-mail.example.   IN MX 0 .
alias.example.     IN CNAME no-mail.example.
mail.example.      IN MX 10 mail.example.
half.example.      IN MX 0 .
half.example.      IN MX 10 mail.example.
www.example.       IN A  192.0.2.1
`

const policyConfig = `
hostname: mx.in.example
sinks: {app: {type: webhook, url: "%URL%"}}
routes: [{recipient: "support@in.example", deliver: [app]}]
`

// withZone gives a bridge the DNS of a text, changed by change.
func withZone(t testing.TB, text string, change ...func(*dns.Zone)) func(*bridge.Options) {
	t.Helper()
	zone, err := dns.ParseZone(text)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range change {
		c(zone)
	}
	return func(o *bridge.Options) { o.Resolver = zone }
}

// client says lines to an SMTP server.
type client struct {
	t  testing.TB
	nc net.Conn
	r  *bufio.Reader
}

func dialSMTP(t testing.TB, address string) *client {
	t.Helper()
	nc, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	nc.SetDeadline(time.Now().Add(patience))
	c := &client{t, nc, bufio.NewReader(nc)}
	c.reply()
	c.say("EHLO mail.sender.example")
	return c
}

// say sends a line and returns the last line of its reply.
func (c *client) say(line string) string {
	c.t.Helper()
	if _, err := io.WriteString(c.nc, line+"\r\n"); err != nil {
		c.t.Fatal(err)
	}
	return c.reply()
}

func (c *client) reply() string {
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

const nullMXReply = "550 5.7.27 the sender's domain does not accept mail"

func TestNullMX(t *testing.T) {
	a := startApp(t)
	config := strings.ReplaceAll(policyConfig, "%URL%", a.URL)
	zone := withZone(t, policyZone, func(z *dns.Zone) { z.ServFail("broken.example"); z.Timeout("slow.example") })
	b := startBridge(t, config+"verify: {reject: {null_mx: true}}", zone)
	c := dialSMTP(t, b.smtp)
	for _, m := range []struct{ name, from, want string }{
		{"a null MX", "ann@no-mail.example", nullMXReply},
		{"a null MX, in other words", "ann@NO-Mail.example.", nullMXReply},
		{"a null MX behind an alias", "ann@alias.example", nullMXReply},
		{"the null reverse-path", "", "250 "},
		{"an MX", "ann@mail.example", "250 "},
		{"one MX of two is null, which says nothing", "ann@half.example", "250 "},
		{"no MX", "ann@www.example", "250 "},
		{"no domain of that name", "ann@missing.example", "250 "},
		{"a server that fails", "ann@broken.example", "250 "},
		{"a server that doesn't answer", "ann@slow.example", "250 "},
		{"an address literal", "ann@[192.0.2.1]", "250 "},
	} {
		if got := c.say("MAIL FROM:<" + m.from + ">"); !strings.HasPrefix(got, m.want) {
			t.Errorf("%s: %s", m.name, got)
		}
		c.say("RSET")
	}
	off := dialSMTP(t, startBridge(t, config, zone).smtp)
	if got := off.say("MAIL FROM:<ann@no-mail.example>"); !strings.HasPrefix(got, "250 ") {
		t.Errorf("off by default: %s", got)
	}
}

const noPTRReply = "550 5.7.25 your address has no name (PTR record)"

func TestNoPTR(t *testing.T) {
	a := startApp(t)
	config := strings.ReplaceAll(policyConfig, "%URL%", a.URL)
	on := config + "verify: {reject: {no_ptr: true}}"
	const reversed = "1.0.0.127.in-addr.arpa"
	for _, c := range []struct{ name, config, zone, rcpt, want string }{
		{"no name", on, policyZone, "support@in.example", noPTRReply},
		{"no name, off by default", config, policyZone, "support@in.example", "250 "},
		{"no name, to postmaster", on, policyZone, "postmaster@in.example", "250 "},
		{"no name, to bare postmaster", on, policyZone, "Postmaster", "250 "},
		{"no name, and no such recipient", on, policyZone, "nobody@in.example", "550 5.1.1"},
		{"no name, from a trusted relay", config + "verify: {reject: {no_ptr: true}, trusted_relays: [127.0.0.0/8]}", policyZone, "support@in.example", "250 "},
		{"a name that leads back", on, testZone, "support@in.example", "250 "},
		{"a name that leads elsewhere", on, policyZone + reversed + ". IN PTR www.example.", "support@in.example", "250 "},
		{"a name that doesn't exist", on, policyZone + reversed + ". IN PTR missing.example.", "support@in.example", "250 "},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := dialSMTP(t, startBridge(t, c.config, withZone(t, c.zone)).smtp)
			p.say("MAIL FROM:<ann@mail.example>")
			for range 2 {
				if got := p.say("RCPT TO:<" + c.rcpt + ">"); !strings.HasPrefix(got, c.want) {
					t.Errorf("%s, want %s", got, c.want)
				}
			}
		})
	}
	for name, change := range map[string]func(*dns.Zone){
		"a server that fails":          func(z *dns.Zone) { z.ServFail(reversed) },
		"a server that doesn't answer": func(z *dns.Zone) { z.Timeout(reversed) },
	} {
		p := dialSMTP(t, startBridge(t, on, withZone(t, policyZone, change)).smtp)
		p.say("MAIL FROM:<ann@mail.example>")
		if got := p.say("RCPT TO:<support@in.example>"); !strings.HasPrefix(got, "250 ") {
			t.Errorf("%s: %s", name, got)
		}
	}
}

// A user's address and that of a relay say nothing of the sender.
func TestNoPTRRefusesNeitherUsersNorLMTP(t *testing.T) {
	a := startApp(t)
	no := withZone(t, policyZone)
	b := startBridge(t, submissionConfig(t, "starttls", a.URL)+"verify: {reject: {no_ptr: true}}\n", no)
	if err := submit(t, b.smtp, "open sesame", "support@in.example", "Subject: scan\r\n\r\nA page.\r\n"); err != nil {
		t.Errorf("a user: %v", err)
	}
	for _, address := range []string{"127.0.0.1:0", "unix:" + filepath.Join(t.TempDir(), "s")} {
		l := startBridge(t, strings.ReplaceAll(policyConfig, "%URL%", a.URL)+
			fmt.Sprintf("verify: {reject: {no_ptr: true}}\nlisteners: [{address: %q, kind: lmtp}]\n", address), no)
		c := dialLMTP(t, l.Addrs()[0])
		c.say("MAIL FROM:<ann@mail.example>")
		if got := c.say("RCPT TO:<support@in.example>"); !strings.HasPrefix(got, "250 ") {
			t.Errorf("LMTP at %s: %s", address, got)
		}
	}
}

// What an operator puts through the routes was taken once; nobody knows from whom.
func TestReplayOfAFileIsNotJudgedByItsSender(t *testing.T) {
	a := startApp(t)
	b := startBridge(t, strings.ReplaceAll(policyConfig, "%URL%", a.URL)+"verify: {reject: {no_ptr: true, null_mx: true}}", withZone(t, policyZone))
	m := control.Stored{ReversePath: "ann@no-mail.example", Recipients: []string{"support@in.example"}}
	report, err := b.Send(t.Context(), m, strings.NewReader("Subject: x\r\n\r\nx\r\n"))
	if err != nil || !strings.HasPrefix(report.Reply, "250 ") {
		t.Errorf("%+v, %v", report, err)
	}
}
