package main

import (
	"encoding/json"
	"strings"
	"testing"

	"mxhook/verify/dns"
)

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
