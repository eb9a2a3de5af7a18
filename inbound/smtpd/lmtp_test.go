package smtpd

import (
	"context"
	"net"
	"path/filepath"
	"testing"
	"time"

	"mxhook/inbound"
)

// TestLMTPNamesItsProtocol checks the names of RFC 3848 and RFC 6531 4.3.
func TestLMTPNamesItsProtocol(t *testing.T) {
	r := start(t, func(c *Config) { c.LMTP = true })
	c := r.dial()
	c.greeting = "LHLO"
	c.hello()
	c.want("MAIL FROM:<>", "250 ").want("RSET", "250 ").want("MAIL FROM:<> SMTPUTF8", "250 ").want("RSET", "250 ")
	c.startTLS()
	c.want("MAIL FROM:<>", "250 ").want("RSET", "250 ").want("MAIL FROM:<> SMTPUTF8", "250 ").want("QUIT", "221 ").want("", "EOF")
	r.h.mu.Lock()
	defer r.h.mu.Unlock()
	for i, want := range []string{"LMTP", "UTF8LMTP", "LMTPS", "UTF8LMTPS"} {
		if m := r.h.mails[i]; m.Protocol != want || !m.LMTP() {
			t.Errorf("transaction %d: protocol %q, want %q", i, m.Protocol, want)
		}
	}
	if (inbound.Mail{Protocol: "UTF8SMTPSA"}).LMTP() {
		t.Error("UTF8SMTPSA is no LMTP")
	}
}

func TestEachReplyToAMessageIsCounted(t *testing.T) {
	r := start(t, func(c *Config) { c.LMTP = true })
	c := r.dial()
	c.greeting = "LHLO"
	c.hello().want("MAIL FROM:<>", "250 ")
	for _, rcpt := range []string{"a", "after-circuit", "b", "after-unknown"} {
		c.want("RCPT TO:<"+rcpt+"@mx.test>", "250 ")
	}
	c.want("DATA", "354 ").want("Each\r\n.", "250 2.0.0 msg_a").want("", "451 ").want("", "250 2.0.0 msg_b").want("", "550 ")
	c.want("QUIT", "221 ").want("", "EOF")
	r.obs.mu.Lock()
	defer r.obs.mu.Unlock()
	for name, want := range map[string]int{"delivered": 2, "sink_circuit_open": 1, "unknown_recipient": 1} {
		if r.obs.replied[name] != want {
			t.Errorf("%s was counted %d times, want %d", name, r.obs.replied[name], want)
		}
	}
}

// TestAUnixPeerHasNoAddress also checks that peers without an address are not counted
// as one.
func TestAUnixPeerHasNoAddress(t *testing.T) {
	r := start(t, func(c *Config) { c.LMTP, c.Limits.ConnectionsPerIP = true, 1 })
	ln, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- r.Serve(ln) }()
	for range 3 {
		nc, err := net.Dial("unix", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		c := newClient(t, nc)
		c.greeting = "LHLO"
		c.hello().envelope().want("DATA", "354 ").want("x\r\n.", "250 ")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := r.Stop(ctx); err != nil {
		t.Error(err)
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
	for _, s := range r.h.sessions {
		if s.RemoteIP.IsValid() || s.RemotePort != 0 {
			t.Errorf("a peer on a unix socket has the address %s", s.RemoteIP)
		}
	}
}

// TestStopWaitsForEachRecipientsReply checks that a session whose message is with the
// Handler says all its replies first.
func TestStopWaitsForEachRecipientsReply(t *testing.T) {
	r := start(t, func(c *Config) { c.LMTP = true })
	entered, leave := make(chan struct{}), make(chan struct{})
	r.h.data = func(context.Context, *inbound.MailData) inbound.Answer {
		close(entered)
		<-leave
		return inbound.Answer{Recipients: []inbound.Answer{{Text: "one"}, {Text: "two"}}}
	}
	c := r.dial()
	c.greeting = "LHLO"
	c.hello().envelope().want("RCPT TO:<c@mx.test>", "250 ").want("DATA", "354 ").send("x\r\n.\r\n")
	<-entered
	stopped := make(chan error, 1)
	go func() { stopped <- r.Stop(context.Background()) }()
	<-r.stopping
	close(leave)
	c.want("", "250 2.0.0 one").want("", "250 2.0.0 two").want("", "421 4.3.2").want("", "EOF")
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}
