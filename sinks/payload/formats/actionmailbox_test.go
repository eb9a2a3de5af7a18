package formats_test

import (
	"strings"
	"testing"
	"time"

	"mxhook/inbound/status"
	"mxhook/sinks"
	"mxhook/sinks/payload"
	"mxhook/sinks/payload/formats"
	"mxhook/sinks/payload/payloadtest"
)

func TestActionMailbox(t *testing.T) {
	t.Parallel()
	c := start(t, "Rails with Action Mailbox", []string{"ruby", "-e", `%w[rails action_mailbox/engine sqlite3 rack/handler/webrick].each { |x| require x }`},
		[]string{"RACK_QUERY_PARSER_BYTESIZE_LIMIT=33554432"}, // 4 MiB is less than Mandrill's large messages have
		"ruby", "testdata/consumers/with_rails.rb", t.TempDir())
	t.Run("reads each format", func(t *testing.T) { railsReads(t, c) })
	t.Run("refuses a wrong key", func(t *testing.T) { railsRefuses(t, c) })
	t.Run("takes a second attempt", func(t *testing.T) { railsTakesASecondAttempt(t, c) })
	t.Run("knows a resend", func(t *testing.T) { railsKnowsAResend(t, c) })
}

// railsFormats are the formats that Action Mailbox has an ingress for.
var railsFormats = []struct {
	name, path, user, secret string
	// text: the whole message is in a text (payload.RawText).
	text bool
	// again: Rails adds X-Original-To to a message that has it.
	again bool
}{
	{"action-mailbox", "relay/inbound_emails", "", "ingress-password", false, false},
	{"postmark", "postmark/inbound_emails", "actionmailbox:ingress-password@", "", true, false},
	{"sendgrid-raw", "sendgrid/inbound_emails", "actionmailbox:ingress-password@", "", true, true},
	{"mailgun-mime", "mailgun/inbound_emails/mime", "", "signing-key", true, true},
	{"mandrill", "mandrill/inbound_emails", "", "mandrill-key", true, false},
}

func railsReads(t *testing.T, c *consumer) {
	for i, f := range railsFormats {
		for name, e := range letters(t) {
			e.ReceivedAt = e.ReceivedAt.Add(time.Duration(i) * time.Hour) // Rails leaves out what it has got in the same octets
			o := post(t, f.name, "http://"+f.user+c.address+"/rails/action_mailbox/"+f.path, f.secret, e)
			if o.Err != nil {
				t.Errorf("%s, %s: %v %s", f.name, name, o.Err, o.Detail)
				continue
			}
			got, want := c.next(t), expected(e)
			parsedThere(&want, e)
			want.EnvelopeFrom, want.SHA256 = "", digest(stored(t, f.name, f.text, f.secret, e))
			if f.again {
				want.EnvelopeTo += " " + want.EnvelopeTo
			}
			if !f.text && name == "8-bit files" { // the octets themselves, which are no text of Ruby
				want.Subject, want.From = got.Subject, got.From
			}
			got.Consumer, got.Subject = "", strings.Join(strings.Fields(got.Subject), " ")
			if diff := differences(got, want); len(diff) > 0 {
				t.Errorf("%s, %s:\n%v", f.name, name, diff)
			}
		}
	}
}

// stored is what Rails keeps of e: the message in our copy, with the fields that its
// ingress puts before it.
func stored(t *testing.T, format string, text bool, secret string, e *sinks.Event) []byte {
	t.Helper()
	name, before := "raw", ""
	switch format {
	case "action-mailbox":
		name = format
	case "sendgrid-raw", "mailgun-mime":
		before = "X-Original-To: " + e.Recipients[0].Path.String() + "\n"
	}
	if text {
		return []byte(before + payloadtest.RawText(t, e))
	}
	f, err := formats.New(name, formats.Options{Include: payload.Include{}, Secret: secret})
	if err != nil {
		t.Fatal(err)
	}
	_, p := payloadtest.Request(t, f, e)
	return append([]byte(before), p...)
}

// railsRefuses: a wrong key or password is the operator's error, and not tried again.
func railsRefuses(t *testing.T, c *consumer) {
	for _, f := range railsFormats {
		user, secret := "actionmailbox:wrong@", "wrong"
		if f.secret == "" {
			secret = ""
		}
		o := post(t, f.name, "http://"+user+c.address+"/rails/action_mailbox/"+f.path, secret, payloadtest.Example(t, "plain.eml"))
		if status.ConditionOf(o.Err) != status.SinkOperator || o.Attempts != 1 || o.Detail != "HTTP 401" {
			t.Errorf("%s: %+v", f.name, o)
		}
	}
}

// railsTakesASecondAttempt: Rails refuses what Mailgun signed more than two minutes ago.
func railsTakesASecondAttempt(t *testing.T, c *consumer) {
	for _, f := range railsFormats {
		front := newFront(t, c.address)
		e := payloadtest.Event(t, []byte("From: ann@sender.example\r\nSubject: twice by "+f.name+"\r\n\r\nHello\r\n"))
		o := post(t, f.name, "http://"+f.user+front.address+"/rails/action_mailbox/"+f.path, f.secret, e)
		if o.Err != nil || o.Attempts != 2 {
			t.Errorf("%s: %+v", f.name, o)
			continue
		}
		if got := c.next(t); got.Subject != "twice by "+f.name {
			t.Errorf("%s: %+v", f.name, got)
		}
	}
}

// railsKnowsAResend: the relay ingress knows a message by its octets, so that a second
// delivery of an event, whose trace would differ, makes no second mail.
func railsKnowsAResend(t *testing.T, c *consumer) {
	at := "http://" + c.address + "/rails/action_mailbox/relay/inbound_emails"
	e := payloadtest.Event(t, []byte("From: ann@sender.example\r\nMessage-ID: <again@sender.example>\r\nSubject: once\r\n\r\nHello\r\n"))
	again := *e
	again.ReceivedAt, again.Session.HELO, again.ID = e.ReceivedAt.Add(1e12), "other.sender.example", "msg_other"
	other := payloadtest.Event(t, []byte("From: ann@sender.example\r\nSubject: another\r\n\r\nHello\r\n"))
	for _, e := range []*sinks.Event{e, &again, other} {
		if o := post(t, "action-mailbox", at, "ingress-password", e); o.Err != nil {
			t.Fatal(o.Err)
		}
	}
	if first, second := c.next(t).Subject, c.next(t).Subject; first != "once" || second != "another" {
		t.Errorf("%s, %s", first, second)
	}
}
