package main

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"mxhook/cmd/internal/control"
	"mxhook/verify/dns"
)

func TestDMARCSaysReject(t *testing.T) {
	const (
		ann    = "ann@in.example"
		list   = "bounces@list.example"
		reject = "reject: {dmarc: true}"
		relays = reject + ", trusted_relays: [127.0.0.0/8]"
	)
	forged, quarantined, signed := writtenBy("bank.example"), writtenBy("shop.example"), signedByBank(t)
	changed := strings.Replace(signed, "Hello.", "Hello, list.", 1)
	a := startApp(t)
	for _, c := range []struct{ name, verify, from, rcpts, message, want string }{
		{"forged", reject, list, ann, forged, dmarcReply},
		{"forged with the author's reverse-path", reject, "ann@bank.example", ann, forged, dmarcReply},
		{"forged with a null reverse-path", reject, "", ann, forged, dmarcReply},
		{"off by default", "timeout: 10s", list, ann, forged, "250 "},
		{"signed", reject, list, ann, signed, "250 "},
		{"a list has broken the signature", reject, list, ann, changed, dmarcReply},
		{"a list that nobody trusts has sealed it", reject, list, ann, sealedMessage, dmarcReply},
		{"a trusted list has sealed it", reject + ", trusted_arc_sealers: [list.example]", list, ann, sealedMessage, "250 "},
		{"and somebody has changed it then", reject + ", trusted_arc_sealers: [list.example]", list, ann, strings.Replace(sealedMessage, "Hello.", "Hullo.", 1), dmarcReply},
		{"quarantine is told", reject, list, ann, quarantined, "250 "},
		{"no policy", reject, list, ann, writtenBy("list.example"), "250 "},
		{"two authors have no policy", reject, list, ann, "From: eve@list.example\r\n" + forged, "250 "},
		{"to postmaster", reject, list, "Postmaster@in.example", forged, "250 "},
		{"to bare postmaster", reject, list, "postmaster", forged, "250 "},
		{"to postmaster among others", reject, list, "postmaster@in.example " + ann, forged, dmarcReply},
		{"behind a relay, SPF could not help", relays, list, ann, forged, dmarcReply},
		{"behind a relay, SPF could help", relays, "ann@bank.example", ann, forged, "250 "},
		{"behind a relay, SPF of a subdomain could help", relays, "ann@mail.Bank.example", ann, forged, "250 "},
		{"behind a relay, SPF of a name that ends alike could not", relays, "ann@notbank.example", ann, forged, dmarcReply},
		{"behind a relay, null reverse-path", relays, "", ann, forged, "250 "},
		{"behind a relay, rewritten reverse-path", relays, "SRS0=8a4c=PV=bank.example=ann@list.example", ann, forged, "250 "},
		{"behind a relay, signed", relays, list, ann, signed, "250 "},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := startBridge(t, strings.ReplaceAll(interopConfig, "%URL%", a.URL)+"verify: {"+c.verify+"}\n", verdicts(t))
			if got := (transfer{}).sendAs(t, b.smtp, c.from, c.rcpts, c.message); !strings.HasPrefix(got, c.want) {
				t.Errorf("%s, want %s", got, c.want)
			}
			if refused := c.want == dmarcReply; refused != strings.Contains(b.log.String(), `"reason":"dmarc=fail p=reject for \"bank.example\"`) {
				t.Errorf("the log: %s", b.log)
			}
		})
	}
}

func TestWhatATrustedSealerOverridesIsTold(t *testing.T) {
	a := startApp(t)
	b := startBridge(t, strings.ReplaceAll(interopConfig, "%URL%", a.URL)+"verify: {reject: {dmarc: true}, trusted_arc_sealers: [list.example]}\n", verdicts(t))
	if got := (transfer{}).sendAs(t, b.smtp, "bounces@list.example", "ann@in.example", sealedMessage); !strings.HasPrefix(got, "250 ") {
		t.Fatal(got)
	}
	var p struct {
		Authentication struct {
			DMARC          struct{ Result, Disposition string }
			FromVerifiedBy string `json:"from_verified_by"`
		}
	}
	if err := json.Unmarshal(a.next(t).body, &p); err != nil {
		t.Fatal(err)
	}
	if d := p.Authentication; d.DMARC.Result != "fail" || d.DMARC.Disposition != "reject" || d.FromVerifiedBy != "arc" {
		t.Errorf("%+v", d)
	}
}

// Each row, by DATA and by BDAT, in clear and over TLS, with its line of metrics.
func TestVerdictRepliesOnEveryWay(t *testing.T) {
	a := startApp(t)
	cert, key := certificate(t, "mx.in.example")
	b := startBridge(t, strings.ReplaceAll(interopConfig, "%URL%", a.URL)+fmt.Sprintf(`
verify: {reject: {dmarc: true, spf: true}}
admin: {address: "127.0.0.1:0"}
listeners: [{address: "127.0.0.1:0", tls: {mode: starttls, cert_file: %q, key_file: %q}}]
`, cert, key), verdicts(t, func(z *dns.Zone) { z.ServFail("_dmarc.sick.example") }))
	for _, x := range transfers {
		for _, c := range []struct{ from, author, want string }{
			{"bounces@list.example", "bank.example", dmarcReply},
			{"ann@bank.example", "list.example", spfReply},
			{"bounces@list.example", "sick.example", verdictReply},
			{"bounces@list.example", "list.example", "250 2.0.0 OK msg_"},
		} {
			if got := x.sendAs(t, b.smtp, c.from, "ann@in.example", writtenBy(c.author)); !strings.HasPrefix(got, c.want) {
				t.Errorf("%+v: %s, want %s", x, got, c.want)
			}
		}
	}
	metrics := metricsOf(t, b)
	for _, condition := range []string{"dmarc_reject", "spf_reject", "verdict_unavailable"} {
		if !strings.Contains(metrics, fmt.Sprintf("mxhook_replies_total{condition=%q} %d\n", condition, len(transfers))) {
			t.Errorf("%s is not counted %d times", condition, len(transfers))
		}
	}
	if !strings.Contains(metrics, "mxhook_transactions_total{reply=\"4xx\"} 4\n") {
		t.Error("the deferred transactions are not counted")
	}
}

// A user writes from any domain, and his address needs no SPF record.
func TestVerdictsRefuseNoUser(t *testing.T) {
	a := startApp(t)
	b := startBridge(t, submissionConfig(t, "starttls", a.URL)+"verify: {reject: {dmarc: true, spf: true, no_ptr: true}}\n", verdicts(t))
	if err := submit(t, b.smtp, "open sesame", "ann@in.example", writtenBy("bank.example")); err != nil {
		t.Error(err)
	}
}

func TestVerdictsOnLMTP(t *testing.T) {
	a := startApp(t)
	for _, address := range []string{"127.0.0.1:0", "unix:" + filepath.Join(t.TempDir(), "s")} {
		b := startBridge(t, strings.ReplaceAll(interopConfig, "%URL%", a.URL)+
			fmt.Sprintf("verify: {reject: {dmarc: true, spf: true}}\nlisteners: [{address: %q, kind: lmtp}]\n", address), verdicts(t))
		c := dialLMTP(t, b.Addrs()[0])
		for _, m := range []struct{ name, from, rcpts, message, want string }{
			{"each is refused", "bounces@list.example", "ann@in.example bob@in.example", writtenBy("bank.example"), dmarcReply + "|" + dmarcReply},
			{"but postmaster", "bounces@list.example", "ann@in.example postmaster@in.example bob@in.example", writtenBy("bank.example"), dmarcReply + "|250 |" + dmarcReply},
			{"SPF could have helped", "ann@bank.example", "ann@in.example bob@in.example", writtenBy("bank.example"), "250 |250 "},
			{"signed", "bounces@list.example", "ann@in.example", signedByBank(t), "250 "},
		} {
			wants := strings.Split(m.want, "|")
			got := c.send(m.from, m.rcpts, []byte(m.message))
			for i, want := range wants {
				if len(got) != len(wants) || !strings.HasPrefix(got[i], want) {
					t.Errorf("%s: %q, want %q", m.name, got, wants)
				}
			}
		}
		if n := strings.Count(b.log.String(), `dmarc=fail p=reject`); n == 0 {
			t.Error("the log does not say why")
		}
	}
}

// A resend within the hour finds the name servers well again.
func TestADeferredVerdictIsDeliveredOnce(t *testing.T) {
	a := startApp(t)
	asked := countQuestions(t, "_dmarc.bank.example")
	asked.failFirst = true
	b := startBridge(t, strings.ReplaceAll(interopConfig, "%URL%", a.URL)+"delivery: {ledger: 1h}\nverify: {reject: {dmarc: true}}\n", asked.option)
	message := signedByBank(t)
	for i, want := range []string{verdictReply, "250 2.0.0 OK msg_", "250 2.0.0 already delivered as msg_"} {
		if got := (transfer{}).sendAs(t, b.smtp, "ann@bank.example", "ann@in.example bob@in.example", message); !strings.HasPrefix(got, want) {
			t.Errorf("try %d: %s", i, got)
		}
	}
	a.next(t)
	select {
	case <-a.got:
		t.Error("it was delivered twice")
	default:
	}
}

// What an operator puts through the routes was judged once.
func TestReplayOfAFileIsNotJudgedByItsVerdicts(t *testing.T) {
	a := startApp(t)
	b := startBridge(t, strings.ReplaceAll(interopConfig, "%URL%", a.URL)+"verify: {reject: {dmarc: true, spf: true}}\n", verdicts(t))
	m := control.Stored{ReversePath: "ann@bank.example", Recipients: []string{"ann@in.example"}, Verify: true, RemoteIP: "127.0.0.1"}
	report, err := b.Send(t.Context(), m, strings.NewReader(writtenBy("bank.example")))
	if err != nil || !strings.HasPrefix(report.Reply, "250 ") {
		t.Errorf("%+v, %v", report, err)
	}
}
