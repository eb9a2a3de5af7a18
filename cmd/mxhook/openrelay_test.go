package main

import (
	"bufio"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"
)

const relayConfig = `
hostname: mx.in.example
sinks:
  app: {type: webhook, url: "%URL%", attempts: 1, circuit: {failures: 0}}
routes:
  - {recipient: ["u@in.example", "u@bücher.example"], deliver: [app]}
  - {recipient: "@all.example", deliver: [app]}
limits: {errors: 1000}
delivery: {ledger: 0}
`

// Every form of an address that was ever used to make a server relay (RFC 2505 2.1),
// and the forms beside them that are our own mailboxes in other words.
var relayForms = []struct{ name, from, rcpt, want, delivered string }{
	{"a foreign domain", "a@sender.example", "u@other.example", "550 5.7.1", ""},
	{"a foreign domain, from nobody", "", "u@other.example", "550 5.7.1", ""},
	{"a foreign domain, from one of ours", "u@in.example", "u@other.example", "550 5.7.1", ""},
	{"a foreign domain, from the postmaster", "postmaster@in.example", "postmaster@other.example", "550 5.7.1", ""},
	{"the percent hack", "a@sender.example", "u%other.example@in.example", "550 5.1.1", ""},
	{"the percent hack, with a name of ours", "a@sender.example", "u%in.example@other.example", "550 5.7.1", ""},
	{"two at signs", "a@sender.example", "u@other.example@in.example", "501 5.1.3", ""},
	{"two at signs, ours first", "a@sender.example", "u@in.example@other.example", "501 5.1.3", ""},
	{"a quoted address", "a@sender.example", `"u@other.example"@in.example`, "550 5.1.1", ""},
	{"a quoted address and no domain", "a@sender.example", `"u@other.example"`, "501 5.1.3", ""},
	{"a bang path", "a@sender.example", "other.example!u@in.example", "550 5.1.1", ""},
	{"a bang path and no domain", "a@sender.example", "other.example!u", "501 5.1.3", ""},
	{"a source route by us", "a@sender.example", "@in.example:u@other.example", "550 5.7.1", ""},
	{"a source route by us and another", "a@sender.example", "@in.example,@mx.in.example:u@other.example", "550 5.7.1", ""},
	{"a colon instead of a route", "a@sender.example", "other.example:u@in.example", "501 5.1.3", ""},
	{"our address as a literal", "a@sender.example", "u@[127.0.0.1]", "550 5.7.1", ""},
	{"an IPv6 literal", "a@sender.example", "u@[IPv6:::1]", "550 5.7.1", ""},
	{"an empty literal", "a@sender.example", "u@[]", "501 5.1.3", ""},
	{"a foreign domain with a dot at its end", "a@sender.example", "u@other.example.", "550 5.7.1", ""},
	{"a domain that ends in ours", "a@sender.example", "u@notin.example", "550 5.7.1", ""},
	{"a child of ours", "a@sender.example", "u@sub.in.example", "550 5.7.1", ""},
	{"our parent", "a@sender.example", "u@example", "550 5.7.1", ""},
	{"a twin of our domain in another script", "a@sender.example", "u@ın.example", "550 5.7.1", ""},
	{"no domain", "a@sender.example", "u", "501 5.1.3", ""},
	{"an unknown mailbox", "a@sender.example", "v@in.example", "550 5.1.1", ""},
	{"blanks in quotes are another mailbox", "a@sender.example", `"u "@in.example`, "550 5.1.1", ""},

	{"ours", "a@sender.example", "u@in.example", "250 2.1.5", "u@in.example"},
	{"ours, from nobody", "", "u@in.example", "250 2.1.5", "u@in.example"},
	{"ours, from ours", "u@in.example", "u@in.example", "250 2.1.5", "u@in.example"},
	{"ours in capitals", "a@sender.example", "U@IN.Example", "250 2.1.5", "U@IN.Example"},
	{"ours with a dot at its end", "a@sender.example", "u@in.example.", "250 2.1.5", "u@in.example."},
	{"ours in quotes that it doesn't need", "a@sender.example", `"u"@in.example`, "250 2.1.5", "u@in.example"},
	{"ours, by a source route over others", "a@sender.example", "@other.example:u@in.example", "250 2.1.5", "u@in.example"},
	{"our U-label", "a@sender.example", "u@bücher.example", "250 2.1.5", "u@bücher.example"},
	{"our A-label", "a@sender.example", "u@xn--bcher-kva.example", "250 2.1.5", "u@xn--bcher-kva.example"},
	{"a whole domain: a percent sign is a letter", "a@sender.example", "u%other.example@all.example", "250 2.1.5", "u%other.example@all.example"},
	{"a whole domain: a bang is a letter", "a@sender.example", "other.example!u@all.example", "250 2.1.5", "other.example!u@all.example"},
	{"a whole domain: blanks keep their quotes", "a@sender.example", `"a b"@all.example`, "250 2.1.5", `"a b"@all.example`},
	{"a whole domain: an at sign keeps its quotes", "a@sender.example", `"u@other.example"@all.example`, "250 2.1.5", `"u@other.example"@all.example`},
}

// TestNoFormOfAnAddressRelays sends a message for each form: what is refused is
// delivered to nobody, and what is ours goes to the webhook as it was written.
func TestNoFormOfAnAddressRelays(t *testing.T) {
	a := startApp(t)
	b := startBridge(t, strings.ReplaceAll(relayConfig, "%URL%", a.URL))
	nc, err := net.Dial("tcp", b.smtp)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	nc.SetDeadline(time.Now().Add(patience))
	r := bufio.NewReader(nc)
	reply := func() string {
		for {
			line, err := r.ReadString('\n')
			if err != nil {
				t.Fatal(err)
			}
			if line[3] == ' ' {
				return strings.TrimSpace(line)
			}
		}
	}
	say := func(line string) string {
		fmt.Fprintf(nc, "%s\r\n", line)
		return reply()
	}
	reply()
	say("EHLO mail.sender.example")
	for _, f := range relayForms {
		if got := say("MAIL FROM:<" + f.from + "> SMTPUTF8"); !strings.HasPrefix(got, "250 ") {
			t.Fatal(f.name, got)
		}
		if got := say("RCPT TO:<" + f.rcpt + ">"); !strings.HasPrefix(got, f.want) {
			t.Errorf("%s: RCPT TO:<%s>: %q, want %s", f.name, f.rcpt, got, f.want)
		}
		want := "554 5.5.1"
		if f.delivered != "" {
			want = "354 "
		}
		got := say("DATA")
		if !strings.HasPrefix(got, want) {
			t.Errorf("%s: DATA: %q, want %s", f.name, got, want)
		}
		if strings.HasPrefix(got, "354 ") {
			if got := say(smallMessage + "."); !strings.HasPrefix(got, "250 ") {
				t.Errorf("%s: %q", f.name, got)
			}
			if to := a.next(t).document(t).Envelope.Recipients; f.delivered != "" && (len(to) != 1 || to[0].Address != f.delivered) {
				t.Errorf("%s: delivered to %+v, want %s", f.name, to, f.delivered)
			}
		}
		say("RSET")
	}
	if len(a.got) > 0 {
		t.Errorf("%d deliveries of what was refused", len(a.got))
	}
}
