package message

import (
	"strings"
	"testing"
)

func TestCodesOfADiagnostic(t *testing.T) {
	for _, c := range []struct{ rule, text, reply, status string }{
		{"code and enhanced code", "550 5.1.1 no such user", "550", "5.1.1"},
		{"a multiline reply", "550-5.7.26 This mail\n550 5.7.26 is not welcome", "550", "5.7.26"},
		{"an enhanced code behind a sign", "552 the box is full (#5.2.2)", "552", "5.2.2"},
		{"the pair wins over a code before it", "554 554 5.7.0 Header error", "554", "5.7.0"},
		{"what the server said wins over a number", "tried 450 times, remote said: 550 no", "550", ""},
		{"an address is no status", "connect to 5.1.1.3: refused", "", ""},
		{"a version is no status", "server-5.1.1 is down", "", ""},
		{"a port is no code", "connect to host:587 failed", "", ""},
		{"an identifier is no code", "id 5501 rejected, a550 too", "", ""},
		{"success yields to failure", "250 2.1.5 Ok\n451 4.3.0 Error", "451", "4.3.0"},
		{"success alone", "250 2.6.0 Message received", "250", "2.6.0"},
		{"nothing", "Mailbox unknown", "", ""},
	} {
		reply, status, _ := findReply(c.text)
		if reply != c.reply || status != c.status {
			t.Errorf("%s: %q %q, want %q %q", c.rule, reply, status, c.reply, c.status)
		}
	}
}

func TestRecipientLines(t *testing.T) {
	for _, c := range []struct{ rule, line, address string }{
		{"in brackets with a colon", "<a@b.example>: host said no", "a@b.example"},
		{"alone", "a@b.example", "a@b.example"},
		{"in quotes", `"a@b.example":`, "a@b.example"},
		{"with a reason", "a@b.example: 550 no", "a@b.example"},
		{"as a point of a list", "* a@b.example", "a@b.example"},
		{"with a time", "a@b.example on Sat, 21 Nov 2026 09:59:30 +0000", "a@b.example"},
		{"after words", "There was an error delivering your mail to <a@b.example>.", "a@b.example"},
		{"as sendmail does", "550 5.1.1 <a@b.example>... User unknown", "a@b.example"},
		{"a sentence", "a@b.example is who you wrote to", ""},
		{"a contact", "please contact <a@b.example>", ""},
		{"no domain", "<a>: no", ""},
		{"a message id of a log line", "message-id=<x@b.example>", ""},
	} {
		addr, _, ok := recipientLine(c.line, c.line)
		if ok != (c.address != "") || addr != c.address {
			t.Errorf("%s: %q", c.rule, addr)
		}
	}
}

func TestDeliveryStatusOfMailersThatCount(t *testing.T) {
	for _, c := range []struct {
		rule, status string
		want         BounceRecipient
	}{
		{"without a blank line before the recipient", "Reporting-MTA: dns; x\r\nFinal-Recipient: rfc822; a@b.example\r\nAction: failed\r\nStatus: 5.1.1\r\n",
			BounceRecipient{Address: "a@b.example", Action: "failed", Status: "5.1.1"}},
		{"with blank lines within", "Final-Recipient: rfc822;a@b.example\r\n\r\nAction: failed\r\n\r\nStatus: 5.1.1 (gone)\r\n",
			BounceRecipient{Address: "a@b.example", Action: "failed", Status: "5.1.1"}},
		{"a status that says nothing yields", "Final-Recipient: rfc822;a@b.example\r\nAction: failed\r\nStatus: 5.0.0\r\nDiagnostic-Code: smtp; 550 full (#5.2.2)\r\n",
			BounceRecipient{Address: "a@b.example", Action: "failed", Status: "5.2.2", Reply: "550", Diagnostic: "550 full (#5.2.2)"}},
		{"the action from the status", "Final-Recipient: rfc822;<a@b.example>\r\nStatus: 4.4.1\r\n",
			BounceRecipient{Address: "a@b.example", Action: "delayed", Status: "4.4.1"}},
		{"only the original recipient", "Original-Recipient: rfc822;a@b.example\r\nAction: Delivered\r\nStatus: 2.0.0\r\n",
			BounceRecipient{Address: "a@b.example", OriginalRecipient: "a@b.example", Action: "delivered", Status: "2.0.0"}},
	} {
		m := parse(t, statusHead+c.status)
		if m.Bounce == nil || len(m.Bounce.Recipients) != 1 || m.Bounce.Recipients[0] != c.want {
			t.Errorf("%s: %+v", c.rule, m.Bounce)
		}
	}
}

func TestNoticesOfSESBySNS(t *testing.T) {
	const from = "From: no-reply@sns.amazonaws.com\r\n\r\n"
	const notice = `{"notificationType":"Bounce","bounce":{"bouncedRecipients":[{"emailAddress":"a@b.example","action":"failed","status":"5.1.1","diagnosticCode":"smtp; 550 5.1.1 no"}],"reportingMTA":"dsn; mx.c.example"},"mail":{"headers":[{"name":"Message-ID","value":"<1@in.example>"}]}}`
	m := parse(t, from+notice+"\r\n\r\n--\r\nunsubscribe here\r\n")
	want := BounceRecipient{Address: "a@b.example", Action: "failed", Status: "5.1.1", Reply: "550", Diagnostic: "550 5.1.1 no"}
	if m.Bounce == nil || m.Bounce.Recipients[0] != want || m.Bounce.ReportingMTA != "mx.c.example" || m.Bounce.OriginalMessageID != "<1@in.example>" {
		t.Errorf("%+v", m.Bounce)
	}
	for rule, body := range map[string]string{
		"a complaint": `{"notificationType":"Complaint"}`, "no JSON": "hello", "cut off": notice[:60], "another notice": `{"Message":"hello"}`, "wrong types": `{"bounce":7}`,
	} {
		if m := parse(t, from+body); m.Bounce != nil {
			t.Errorf("%s: %+v", rule, m.Bounce)
		}
	}
	if m := parse(t, "From: ann@b.example\r\n\r\n"+notice); m.Bounce != nil {
		t.Error("a person's JSON is a bounce")
	}
}

// A null reverse-path in the envelope is a sign where the message shows none; alone it
// says nothing.
func TestNullReversePathIsASignOfABounce(t *testing.T) {
	notice := "From: support@b.example\r\nSubject: x\r\n\r\nYour message could not be delivered:\r\n\r\n<ann@c.example>: 550 5.1.1 no such user\r\n\r\nReceived: from a.example\r\nSubject: hello\r\n"
	for _, x := range []struct {
		text string
		null bool
		want Class
	}{{notice, true, ClassBounce}, {notice, false, ClassNormal}, {"From: a@b.example\r\n\r\nHello\r\n", true, ClassNormal}} {
		m := Parse(strings.NewReader(x.text), int64(len(x.text)), Options{NullReversePath: x.null})
		if m.Class != x.want {
			t.Errorf("null %t: %s", x.null, m.Class)
		}
	}
}
