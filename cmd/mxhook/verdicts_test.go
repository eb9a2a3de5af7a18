package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/emersion/go-msgauth/dkim"

	"mxhook/cmd/internal/bridge"
	"mxhook/cmd/internal/control"
	"mxhook/verify/dns"
)

// verdictZone has authors and senders whose peer is 127.0.0.1: bank.example is never
// sent from there, list.example is.
const verdictZone = `
$TTL 300
bank.example.               IN TXT "v=spf1 ip4:192.0.2.1 -all"
_dmarc.bank.example.        IN TXT "v=DMARC1; p=reject"
ed._domainkey.bank.example. IN TXT "v=DKIM1; k=ed25519; p=%KEY%"
shop.example.               IN TXT "v=spf1 ip4:192.0.2.1 ~all"
_dmarc.shop.example.        IN TXT "v=DMARC1; p=quarantine"
list.example.               IN TXT "v=spf1 ip4:127.0.0.1 -all"
ed._domainkey.list.example. IN TXT "v=DKIM1; k=ed25519; p=r5c6xu3prOVvujQLmI+FCU4pSIS4tJpGYrBjgXS4hl8="
broken.example.             IN TXT "v=spf1 ip4:nonsense -all"
`

// sealedMessage was changed by list.example, which sealed what it had found: DMARC pass
// for bank.example.
var sealedMessage = strings.ReplaceAll(`ARC-Seal: i=1; a=ed25519-sha256; cv=none; d=list.example; s=ed; b=c4o0MTTDG26++b8+Umo69nY1Nk+44mr85b0VYOHnhZBsHvok1sAW+417q2QyEqE3HORDt36UEhaszToVqHHlDQ==
ARC-Message-Signature: i=1; a=ed25519-sha256; c=relaxed/relaxed; d=list.example; s=ed; h=From:To:Subject:Date;
 bh=6FOOWhHzP4copNba0jljQYkKcoUh9O2/NhFLOnqzWU4=; b=zvmHu+ZA0Hh7QwthNuFC3D8xXzg4jJqGSFFC10ni+fbKF2FD8c8N+6OSC2JAebjNxdNQwhfohpNiU1b8HbEoDQ==
ARC-Authentication-Results: i=1; mx.list.example; dmarc=pass header.from=bank.example
Received: from mail.bank.example by mx.list.example; Sat, 21 Nov 2026 10:00:00 +0000
From: Ann <ann@bank.example>
To: list@list.example
Subject: [list] hello
Date: Sat, 21 Nov 2026 09:59:58 +0000
Message-ID: <sealed@bank.example>

Hello.
`+"-- \n"+`list.example, all about lists
`, "\n", "\r\n")

// bankKey signs for bank.example.
var bankKey = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, ed25519.SeedSize))

func verdicts(t testing.TB, change ...func(*dns.Zone)) func(*bridge.Options) {
	public := base64.StdEncoding.EncodeToString(bankKey.Public().(ed25519.PublicKey))
	return withZone(t, strings.ReplaceAll(verdictZone, "%KEY%", public), change...)
}

func writtenBy(author string) string {
	return "From: Ann <ann@" + author + ">\r\nTo: ann@in.example\r\nSubject: hello\r\nDate: Sat, 21 Nov 2026 09:59:58 +0000\r\n" +
		"Message-ID: <1@" + author + ">\r\n\r\nHello.\r\n"
}

// signedByBank is bank.example's with its signature.
func signedByBank(t testing.TB) string {
	t.Helper()
	var signed bytes.Buffer
	if err := dkim.Sign(&signed, strings.NewReader(writtenBy("bank.example")), &dkim.SignOptions{
		Domain: "bank.example", Selector: "ed", Signer: bankKey, HeaderKeys: []string{"From", "To", "Subject", "Date", "Message-ID"},
	}); err != nil {
		t.Fatal(err)
	}
	return signed.String()
}

// transfer is how a message goes over the wire.
type transfer struct{ tls, bdat bool }

var transfers = []transfer{{false, false}, {false, true}, {true, false}, {true, true}}

// sendAs makes a transaction and returns the reply that ends it: the first that refuses,
// or that to the message.
func (x transfer) sendAs(t testing.TB, address, from, rcpts, message string) string {
	t.Helper()
	c := dialSMTP(t, address)
	if x.tls {
		c.say("STARTTLS")
		secure := tls.Client(c.nc, &tls.Config{InsecureSkipVerify: true})
		c.nc = secure
		c.r.Reset(secure)
		c.say("EHLO mail.sender.example")
	}
	for _, line := range append([]string{"MAIL FROM:<" + from + ">"}, recipientLines(rcpts)...) {
		if got := c.say(line); got[0] != '2' {
			return got
		}
	}
	if x.bdat {
		return c.say(fmt.Sprintf("BDAT %d LAST\r\n%s", len(message), strings.TrimSuffix(message, "\r\n")))
	}
	if got := c.say("DATA"); got[0] != '3' {
		return got
	}
	w := textproto.NewWriter(bufio.NewWriter(c.nc)).DotWriter()
	io.WriteString(w, message)
	w.Close()
	return c.reply()
}

func recipientLines(rcpts string) (lines []string) {
	for r := range strings.FieldsSeq(rcpts) {
		lines = append(lines, "RCPT TO:<"+r+">")
	}
	return lines
}

const (
	dmarcReply   = "550 5.7.1 refused by the DMARC policy of the author's domain"
	spfReply     = "550 5.7.23 refused by the SPF record of the sender's domain"
	verdictReply = "451 4.4.3 a needed DNS answer is not available, try again later"
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

func TestSPFSaysFail(t *testing.T) {
	const (
		ann = "ann@in.example"
		on  = "reject: {spf: true}"
	)
	a := startApp(t)
	for _, c := range []struct{ name, verify, helo, from, rcpt, want string }{
		{"fail", on, "mail.sender.example", "ann@bank.example", ann, spfReply},
		{"fail, off by default", "timeout: 10s", "mail.sender.example", "ann@bank.example", ann, "250 "},
		{"fail, to postmaster", on, "mail.sender.example", "ann@bank.example", "postmaster@in.example", "250 "},
		{"fail, to bare postmaster", on, "mail.sender.example", "ann@bank.example", "Postmaster", "250 "},
		{"fail, and the domain is not ours", on, "mail.sender.example", "ann@bank.example", "ann@elsewhere.example", "550 5.7.1 relaying denied"},
		{"fail, from a trusted relay", on + ", trusted_relays: [127.0.0.1]", "mail.sender.example", "ann@bank.example", ann, "250 "},
		{"pass", on, "mail.sender.example", "ann@list.example", ann, "250 "},
		{"softfail", on, "mail.sender.example", "ann@shop.example", ann, "250 "},
		{"permerror", on, "mail.sender.example", "ann@broken.example", ann, "250 "},
		{"none", on, "mail.sender.example", "ann@nowhere.example", ann, "250 "},
		{"temperror", on, "mail.sender.example", "ann@sick.example", ann, "250 "},
		{"null reverse-path, HELO fails", on, "bank.example", "", ann, spfReply},
		{"null reverse-path, HELO passes", on, "list.example", "", ann, "250 "},
		{"HELO fails, but there is a reverse-path", on, "bank.example", "ann@list.example", ann, "250 "},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := startBridge(t, strings.ReplaceAll(interopConfig, "%URL%", a.URL)+"verify: {"+c.verify+"}\n",
				verdicts(t, func(z *dns.Zone) { z.Timeout("sick.example") }))
			p := dialSMTP(t, b.smtp)
			p.say("EHLO " + c.helo)
			p.say("MAIL FROM:<" + c.from + ">")
			for range 2 {
				if got := p.say("RCPT TO:<" + c.rcpt + ">"); !strings.HasPrefix(got, c.want) {
					t.Errorf("%s, want %s", got, c.want)
				}
			}
			if c.want == spfReply && !strings.Contains(b.log.String(), `spf=fail for \"bank.example\"`) {
				t.Errorf("the log: %s", b.log)
			}
		})
	}
}

// questions counts the questions for the text of one name.
type questions struct {
	dns.Resolver
	name      string
	failFirst bool // the first has no answer
	mu        sync.Mutex
	n         int
}

func countQuestions(t testing.TB, name string) *questions {
	var o bridge.Options
	verdicts(t)(&o)
	return &questions{Resolver: o.Resolver, name: name}
}

func (q *questions) option(o *bridge.Options) { o.Resolver = q }

func (q *questions) count() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.n
}

// LookupTXT implements dns.Resolver.
func (q *questions) LookupTXT(ctx context.Context, name string) ([]string, error) {
	if strings.TrimSuffix(name, ".") == q.name {
		q.mu.Lock()
		q.n++
		n := q.n
		q.mu.Unlock()
		if n == 1 && q.failFirst {
			return nil, &net.DNSError{Err: "server failure", Name: name, IsTemporary: true}
		}
	}
	return q.Resolver.LookupTXT(ctx, name)
}

func TestSPFIsEvaluatedOnceInATransaction(t *testing.T) {
	a := startApp(t)
	asked := countQuestions(t, "list.example")
	b := startBridge(t, strings.ReplaceAll(interopConfig, "%URL%", a.URL)+"verify: {reject: {spf: true}}\n", asked.option)
	if got := (transfer{}).sendAs(t, b.smtp, "ann@list.example", "ann@in.example bob@in.example", writtenBy("list.example")); !strings.HasPrefix(got, "250 ") {
		t.Fatal(got)
	}
	var p struct {
		Authentication struct {
			SPF struct{ Result, Domain string }
		}
	}
	if err := json.Unmarshal(a.next(t).body, &p); err != nil {
		t.Fatal(err)
	}
	if s := p.Authentication.SPF; s.Result != "pass" || s.Domain != "list.example" {
		t.Errorf("told as %+v", s)
	}
	if n := asked.count(); n != 1 {
		t.Errorf("%d questions for one evaluation", n)
	}
}

// What is open at RCPT is asked again after the data.
func TestSPFThatFailsAfterTheDataRefusesTheMessage(t *testing.T) {
	a := startApp(t)
	asked := countQuestions(t, "bank.example")
	asked.failFirst = true
	b := startBridge(t, strings.ReplaceAll(interopConfig, "%URL%", a.URL)+"verify: {reject: {spf: true}}\n", asked.option)
	if got := (transfer{}).sendAs(t, b.smtp, "ann@bank.example", "ann@in.example", writtenBy("list.example")); got != spfReply {
		t.Error(got)
	}
	if asked.count() < 2 {
		t.Error("it was asked at RCPT alone")
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
