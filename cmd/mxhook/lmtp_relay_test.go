package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mxhook/cmd/internal/bridge"
)

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
