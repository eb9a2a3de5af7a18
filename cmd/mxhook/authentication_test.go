package main

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"mxhook/cmd/internal/bridge"
	"mxhook/verify/dns"
	"mxhook/verify/sealer"
)

// judged is what these tests look at in a payload.
type judged struct {
	Authentication struct {
		SPF   struct{ Result string }
		DKIM  []struct{ Result, Domain string }
		DMARC struct{ Result, Domain, Disposition, Reason string }
		ARC   struct {
			Result  string
			Sealers []string
			Trusted bool
		}
		HELO               struct{ Result, Name string }
		FromVerified       bool   `json:"from_verified"`
		FromVerifiedBy     string `json:"from_verified_by"`
		FromVerifiedReason string `json:"from_verified_reason"`
		Header             string
	}
	Message struct {
		From    []struct{ Address string }
		Headers []struct{ Name, Value string }
		Defects []struct{ Code string }
	}
}

// judge sends one message through a bridge and gives what the webhook was told.
func judge(t *testing.T, yaml string, zone *dns.Zone, from string, content []byte) (p judged) {
	t.Helper()
	a := startApp(t)
	b := startBridge(t, strings.ReplaceAll(lmtpConfig, "%URL%", a.URL)+yaml, func(o *bridge.Options) { o.Resolver = zone })
	if reply := b.send(t, from, "support@in.example", content); !strings.HasPrefix(reply, "250 2.0.0 ") {
		t.Fatal(reply)
	}
	if err := json.Unmarshal(a.next(t).body, &p); err != nil {
		t.Fatal(err)
	}
	return p
}

// mailingList changes what it sends on, and seals what it found before.
func mailingList(t *testing.T, s *demoSender) (zone *dns.Zone, forwarded []byte) {
	t.Helper()
	signed, err := s.message("hello", "<forwarded@sender.example>")
	if err != nil {
		t.Fatal(err)
	}
	public := base64.StdEncoding.EncodeToString(s.key.Public().(ed25519.PublicKey))
	zone, err = dns.ParseZone(fmt.Sprintf(demoZone, public) + `
list.example. IN TXT "v=spf1 ip4:127.0.0.1 -all"
l._domainkey.list.example. IN TXT "v=DKIM1; k=ed25519; p=` + public + `"
`)
	if err != nil {
		t.Fatal(err)
	}
	changed := bytes.Replace(signed, []byte("Subject: hello"), []byte("Subject: [list] hello"), 1)
	seal := sealer.Sealer{
		Domain: "list.example", Selector: "l", Signer: s.key,
		Results: "mx.list.example; dkim=pass header.d=sender.example; dmarc=pass header.from=sender.example",
	}
	return zone, []byte(seal.Seal(string(changed)))
}

// TestATrustedForwarderVouchesEndToEnd sends what a list has changed to a bridge that
// trusts it, and to others.
func TestATrustedForwarderVouchesEndToEnd(t *testing.T) {
	sender, err := newDemoSender()
	if err != nil {
		t.Fatal(err)
	}
	zone, forwarded := mailingList(t, sender)
	for trusted, want := range map[string]struct {
		verified bool
		by       string
		trusted  bool
		reason   string
	}{
		"[list.example]":  {true, "arc", true, "a trusted sealer says dmarc=pass for sender.example, in a chain that passes"},
		"[LIST.example.]": {true, "arc", true, "a trusted sealer says dmarc=pass for sender.example, in a chain that passes"},
		"[other.example]": {false, "", false, "nobody trusted seals the ARC chain"},
		"[]":              {false, "", false, "nobody trusted seals the ARC chain"},
	} {
		p := judge(t, "\nverify: {trusted_arc_sealers: "+trusted+"}\n", zone, "bounces@list.example", forwarded)
		v := p.Authentication
		if v.FromVerified != want.verified || v.FromVerifiedBy != want.by || v.ARC.Trusted != want.trusted || !strings.Contains(v.FromVerifiedReason, want.reason) {
			t.Errorf("%s: %+v", trusted, v)
		}
		if v.DMARC.Result != "fail" || v.DMARC.Disposition != "reject" || v.ARC.Result != "pass" || !slices.Equal(v.ARC.Sealers, []string{"list.example"}) {
			t.Errorf("%s: %+v", trusted, v)
		}
		if !strings.Contains(v.Header, "; arc=pass ") || !strings.Contains(v.Header, " header.oldest-pass=0 smtp.remote-ip=127.0.0.1 arc.chain=list.example;") || strings.Contains(v.Header, "dmarc=pass") {
			t.Errorf("%s: %s", trusted, v.Header)
		}
	}
}

// TestASecondFromIsNoAuthor puts a From field before a signed message. The signature
// holds, since it is over the field below.
func TestASecondFromIsNoAuthor(t *testing.T) {
	sender, err := newDemoSender()
	if err != nil {
		t.Fatal(err)
	}
	signed, err := sender.message("hello", "<two@sender.example>")
	if err != nil {
		t.Fatal(err)
	}
	for rule, front := range map[string]string{
		"of another":     "From: Boss <boss@bank.example>\r\n",
		"of the domain":  "From: Boss <boss@sender.example>\r\n",
		"in other words": "FROM : Boss <boss@bank.example>\r\n",
	} {
		p := judge(t, "", sender.zone, "ann@sender.example", append([]byte(front), signed...))
		v := p.Authentication
		if len(v.DKIM) != 1 || v.DKIM[0].Result != "pass" || v.SPF.Result != "pass" {
			t.Errorf("%s: %+v", rule, v)
		}
		if v.FromVerified || v.DMARC.Result != "permerror" || v.DMARC.Domain != "" || !strings.Contains(v.FromVerifiedReason, "more than one From field") {
			t.Errorf("%s: %+v", rule, v)
		}
		if f := p.Message.From; len(f) != 2 {
			t.Errorf("%s: from %+v", rule, f)
		}
	}
}

// forgeries are fields with our name that somebody else wrote.
var forgeries = []string{
	"Authentication-Results: mx.in.example; dmarc=pass header.from=bank.example",
	"authentication-results: MX.In.Example; dmarc=pass",
	"Authentication-Results : mx.in.example; dmarc=pass",
	"Authentication-Results:mx.in.example.; dmarc=pass",
	"Authentication-Results: (a (b) ;) mx.in.example 1; dmarc=pass",
	"Authentication-Results:\r\n\t\"mx.in.example\"\r\n ; dmarc=pass",
	"Authentication-Results: mx.in.example/1; dmarc=pass",
	"Authentication-Results: other.example mx.in.example; dmarc=pass",
	"Authentication-Results: ; mx.in.example; dmarc=pass",
	"Authentication-Results: (mx.in.example; dmarc=pass",
	"Authentication-Results: \"mx.in.example; dmarc=pass",
	"Authentication-Results: mx.in.example dmarc=pass",
	"Authentication-Results: =?utf-8?q?mx.in.example?=; dmarc=pass",
	"Authentication-Results: \xef\xbd\x8dx.in.example; dmarc=pass", // a full-width m
	"Authentication-Results: mx.in.ex\xc2\xadample; dmarc=pass",    // a soft hyphen
}

// others are claims of others: kept, and worth nothing.
var others = []string{
	"Authentication-Results: mx.other.example; dmarc=pass header.from=bank.example",
	"ARC-Authentication-Results: i=1; mx.in.example; dmarc=pass header.from=bank.example",
	"Received-SPF: pass (mx.in.example) client-ip=127.0.0.1; receiver=mx.in.example",
	"X-Authentication-Results: mx.in.example; dmarc=pass",
	"DKIM-Filter: mx.in.example; dkim=pass",
}

func TestForgedVerdictsReachNobody(t *testing.T) {
	zone, err := dns.ParseZone("_dmarc.bank.example TXT \"v=DMARC1; p=reject\"\n_dmarc.other.example TXT \"v=DMARC1; p=none\"")
	if err != nil {
		t.Fatal(err)
	}
	app, relay := startApp(t), startApp(t)
	b := startBridge(t, fmt.Sprintf(`
hostname: mx.in.example
sinks:
  app: {type: webhook, url: %q, attempts: 1}
  relay: {type: webhook, url: %q, attempts: 1, format: raw}
routes:
  - {recipient: "@in.example", deliver: [app, relay]}
`, app.URL, relay.URL), func(o *bridge.Options) { o.Resolver = zone })
	const rest = "From: Boss <boss@bank.example>\r\nTo: support@in.example\r\nSubject: x\r\n\r\nHello.\r\n"
	kept := strings.Join(others, "\r\n") + "\r\n"
	for _, forged := range append(forgeries, strings.Join(forgeries, "\r\n")) {
		if reply := b.send(t, "boss@bank.example", "support@in.example", []byte(forged+"\r\n"+kept+rest)); !strings.HasPrefix(reply, "250 2.0.0 ") {
			t.Fatal(reply)
		}
		var p judged
		if err := json.Unmarshal(app.next(t).body, &p); err != nil {
			t.Fatal(err)
		}
		if v := p.Authentication; v.FromVerified || v.DMARC.Result != "fail" || strings.Contains(v.Header, "dmarc=pass") {
			t.Errorf("%q: %+v", forged, v)
		}
		defects := 0
		for _, d := range p.Message.Defects {
			if d.Code == "forged-authentication-results" {
				defects++
			}
		}
		var names []string
		for _, h := range p.Message.Headers {
			names = append(names, h.Name)
		}
		want := []string{"Authentication-Results", "ARC-Authentication-Results", "Received-SPF", "X-Authentication-Results", "DKIM-Filter", "From", "To", "Subject"}
		if defects != 1 || !slices.Equal(names, want) {
			t.Errorf("%q: headers %q, %d defects", forged, names, defects)
		}
		checkRaw(t, forged, relay.next(t), kept+rest)
	}
}

// checkRaw holds a raw copy to our own fields and what is kept.
func checkRaw(t *testing.T, forged string, d delivery, kept string) {
	t.Helper()
	front, ok := strings.CutSuffix(string(d.body), kept)
	if !ok || strings.Count(front, "Authentication-Results:") != 1 || !strings.Contains(front, "\r\nAuthentication-Results: mx.in.example; spf=none") {
		t.Errorf("%q: the raw copy is\n%s", forged, d.body)
	}
}
