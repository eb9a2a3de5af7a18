package ses

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"mxhook/inbound"
	"mxhook/inbound/status"
)

const id = "o3vrnil0e2ic28trm7dfhrc2v0clambda4nbp0g1"

// written is what SES puts before a message.
const written = "Return-Path: <ann@sender.example>\r\n" +
	"Received: from mail.sender.example (mail.sender.example [192.0.2.1])\r\n by inbound-smtp.eu-central-1.amazonaws.com with SMTP id " + id + "\r\n" +
	" for support@in.example;\r\n Sat, 21 Nov 2026 10:00:00 +0000 (UTC)\r\n" +
	"X-SES-Spam-Verdict: PASS\r\nX-SES-Virus-Verdict: FAIL\r\n" +
	"Received-SPF: pass (spfCheck: domain of sender.example designates 192.0.2.1 as permitted sender) client-ip=192.0.2.1; envelope-from=ann@sender.example; helo=mail.sender.example;\r\n" +
	"Authentication-Results: amazonses.com;\r\n spf=pass client-ip=192.0.2.1;\r\n dkim=pass header.i=@sender.example;\r\n" +
	"X-SES-RECEIPT: AEFBQUFBQUFBQUFI\r\nX-SES-DKIM-SIGNATURE: a=rsa-sha256; d=amazonses.com; b=x\r\n"

const sent = "From: Ann <ann@sender.example>\r\nMessage-ID: <1@sender.example>\r\nSubject: Hello\r\n\r\nHello.\r\n"

// handler records one transaction and answers as it is told.
type handler struct {
	t          *testing.T
	session    inbound.Session
	mail       inbound.Mail
	recipients []string
	data       string
	mailErr    error
	rcpt       map[string]error
	answer     error
	took       bool
	closed     bool
}

func (h *handler) Mail(_ context.Context, s inbound.Session, m inbound.Mail) (inbound.Transaction, error) {
	h.session, h.mail = s, m
	if h.mailErr != nil {
		return nil, h.mailErr
	}
	return h, nil
}

func (h *handler) Rcpt(_ context.Context, p inbound.Path) error {
	if err := h.rcpt[p.String()]; err != nil {
		return err
	}
	h.recipients = append(h.recipients, p.String())
	return nil
}

func (h *handler) Data(_ context.Context, d *inbound.MailData) inbound.Answer {
	b, err := io.ReadAll(d.Open())
	if err != nil {
		h.t.Error(err)
	}
	h.data, h.took = string(b), true
	return inbound.Answer{Err: h.answer}
}

func (h *handler) Close() { h.closed = true }

// bucket is an Objects in memory.
type bucket map[string]string

func (b bucket) Get(_ context.Context, name, key string) (io.ReadCloser, int64, error) {
	content, ok := b[name+"/"+key]
	if !ok {
		return nil, 0, ErrNoObject
	}
	return io.NopCloser(strings.NewReader(content)), int64(len(content)), nil
}

func source(t *testing.T, h *handler, o Objects) *Source {
	h.t = t
	return New(Config{
		Handler: h, Objects: o, Store: inbound.NewStore(t.TempDir(), 1<<10), Bucket: "ses-inbound", Prefix: "in/",
		MaxSize: 1 << 20, Hostname: "mx.in.example", Log: slog.New(slog.DiscardHandler),
	})
}

func notification(t *testing.T, file string) Notification {
	t.Helper()
	text, err := os.ReadFile("testdata/" + file)
	if err != nil {
		t.Fatal(err)
	}
	n, ok, err := Parse(text, "ses-inbound", "in/")
	if !ok || err != nil {
		t.Fatal(ok, err)
	}
	return n
}

func TestANotificationIsATransaction(t *testing.T) {
	h := &handler{}
	content := written + sent + strings.Repeat("x", 5000) // in a file
	if err := source(t, h, bucket{"ses-inbound/in/" + id: content}).Receive(t.Context(), notification(t, "sns-s3.json")); err != nil {
		t.Fatal(err)
	}
	p := h.mail.Provider
	if h.mail.ReversePath.String() != "ann@sender.example" || strings.Join(h.recipients, " ") != "support@in.example bcc@in.example" ||
		h.data != content || !h.closed || h.session.RemoteIP != netip.MustParseAddr("192.0.2.1") || h.session.HELO != "mail.sender.example" ||
		h.session.LocalName != "mx.in.example" || h.mail.Protocol != "SMTP" || h.mail.SMTPUTF8 {
		t.Errorf("%+v", h)
	}
	want := inbound.Provider{Name: "ses", MessageID: id, ReceivedAt: time.Date(2026, 11, 21, 10, 0, 0, 123e6, time.UTC),
		SPF: "pass", DKIM: "gray", DMARC: "processing_failed", Spam: "pass", Virus: "fail"}
	if *p != want {
		t.Errorf("%+v", *p)
	}
}

func TestALambdaActionNamesNoObject(t *testing.T) {
	h := &handler{}
	if err := source(t, h, bucket{"ses-inbound/in/" + id: written + sent}).Receive(t.Context(), notification(t, "lambda-action.json")); err != nil {
		t.Fatal(err)
	}
	if !h.mail.ReversePath.IsNull() || h.mail.Provider.SPF != "fail" || h.mail.Provider.Virus != "" || len(h.recipients) != 1 {
		t.Errorf("%+v", h)
	}
}

func TestWhatComesOfAMessage(t *testing.T) {
	ok := bucket{"ses-inbound/in/" + id: written + sent}
	busy, no := status.SinkUnavailable.Wrap("sink", nil), status.UnknownRecipient.Wrap("rcpt", nil)
	for rule, c := range map[string]struct {
		h       *handler
		o       Objects
		change  func(*Notification)
		again   bool
		is      error
		without bool // Data
	}{
		"delivered":                                {h: &handler{}},
		"a sink is down":                           {h: &handler{answer: busy}, again: true},
		"a sink refuses":                           {h: &handler{answer: status.SinkRefused.Wrap("sink", nil)}},
		"an error that nobody knows":               {h: &handler{answer: errors.New("x")}, again: true},
		"nothing can be taken now":                 {h: &handler{mailErr: status.NoStorage.Wrap("x", nil)}, again: true, without: true},
		"the sender is refused":                    {h: &handler{mailErr: status.NullMX.Wrap("x", nil)}, without: true},
		"one of two recipients is unknown":         {h: &handler{rcpt: map[string]error{"bcc@in.example": no}}},
		"all recipients are unknown":               {h: &handler{rcpt: map[string]error{"bcc@in.example": no, "support@in.example": no}}, without: true},
		"one of two recipients can't be had now":   {h: &handler{rcpt: map[string]error{"bcc@in.example": status.SinkCircuitOpen.Wrap("x", nil)}}, again: true, without: true},
		"there is no such object":                  {o: bucket{}, again: true, is: ErrNoObject, without: true},
		"S3 is down":                               {o: broken{}, again: true, without: true},
		"the object breaks off":                    {o: broken{content: iotest.TimeoutReader(strings.NewReader(written)), size: 1000}, again: true, without: true},
		"the object is shorter than it says":       {o: broken{content: strings.NewReader("x"), size: 2}, again: true, without: true},
		"the object is longer than it says":        {o: broken{content: strings.NewReader("xyz"), size: 2}, again: true, without: true},
		"the object is too large":                  {o: broken{content: strings.NewReader("x"), size: 2 << 20}, again: true, is: ErrTooLarge, without: true},
		"another bucket":                           {change: func(n *Notification) { n.Bucket = "evil" }, again: true, is: ErrNotSES, without: true},
		"another prefix":                           {change: func(n *Notification) { n.Key = "out/x" }, again: true, is: ErrNotSES, without: true},
		"a reverse-path that is none":              {change: func(n *Notification) { n.ReversePath = "a b" }, again: true, is: ErrNotSES, without: true},
		"a recipient that is none":                 {change: func(n *Notification) { n.Recipients = []string{"a\r\nb"} }, again: true, is: ErrNotSES, without: true},
		"an internationalized address":             {change: func(n *Notification) { n.ReversePath = "bö@sender.example" }},
		"the message has none of SES's own fields": {o: bucket{"ses-inbound/in/" + id: sent}},
		"an empty object":                          {o: bucket{"ses-inbound/in/" + id: ""}},
	} {
		t.Run(rule, func(t *testing.T) {
			if c.h == nil {
				c.h = &handler{}
			}
			if c.o == nil {
				c.o = ok
			}
			n := notification(t, "sns-s3.json")
			if c.change != nil {
				c.change(&n)
			}
			err := source(t, c.h, c.o).Receive(t.Context(), n)
			if (err != nil) != c.again || c.is != nil && !errors.Is(err, c.is) {
				t.Errorf("%v, %+v", err, c.h)
			}
			if c.h.took == c.without {
				t.Errorf("the data were taken: %v", c.h.took)
			}
		})
	}
}

type broken struct {
	content io.Reader
	size    int64
}

func (b broken) Get(context.Context, string, string) (io.ReadCloser, int64, error) {
	if b.content == nil {
		return nil, 0, errors.New("S3 says SlowDown of the message")
	}
	return io.NopCloser(b.content), b.size, nil
}

func TestWhatIsNoNotification(t *testing.T) {
	good, err := os.ReadFile("testdata/sns-s3.json")
	if err != nil {
		t.Fatal(err)
	}
	for rule, text := range map[string]string{
		"no JSON":            "hello",
		"an array":           "[]",
		"nothing":            "{}",
		"no messageId":       strings.Replace(string(good), `"messageId": "`+id, `"messageId": "`, 1),
		"an id with a path":  strings.Replace(string(good), `"messageId": "`+id, `"messageId": "../`+id, 1),
		"no source":          strings.Replace(string(good), `"source": "ann@sender.example",`, "", 1),
		"no recipients":      strings.Replace(string(good), `"recipients": ["support@in.example", "bcc@in.example"]`, `"recipients": []`, 1),
		"an SNS action":      strings.Replace(string(good), `"type": "S3"`, `"type": "SNS"`, 1),
		"no key":             strings.Replace(string(good), `"objectKey": "in/`+id, `"objectKey": "`, 1),
		"a time that is bad": strings.Replace(string(good), "2026-11-21T10:00:00.123Z", "yesterday", 1),
	} {
		if _, ok, err := Parse([]byte(text), "", ""); ok || !errors.Is(err, ErrNotSES) {
			t.Errorf("%s: %v, %v", rule, ok, err)
		}
	}
	if _, ok, err := Parse([]byte(`{"notificationType": "AMAZON_SES_SETUP_NOTIFICATION"}`), "", ""); ok || err != nil {
		t.Errorf("a set-up: %v, %v", ok, err)
	}
	action, _ := os.ReadFile("testdata/lambda-action.json")
	if _, _, err := Parse(action, "", ""); !errors.Is(err, ErrNotSES) || !strings.Contains(err.Error(), "MXHOOK_SES_BUCKET") {
		t.Errorf("a Lambda action without a bucket: %v", err)
	}
}

func TestAnObjectAloneHasItsEnvelopeFromSES(t *testing.T) {
	n, ok := FromObject("ses-inbound", "in/"+id, time.Unix(1, 0))
	h := &handler{}
	if err := source(t, h, bucket{"ses-inbound/in/" + id: written + sent}).Receive(t.Context(), n); !ok || err != nil {
		t.Fatal(ok, err)
	}
	if strings.Join(h.recipients, " ") != "support@in.example" || h.mail.ReversePath.String() != "ann@sender.example" ||
		h.mail.Provider.Virus != "fail" || h.mail.Provider.SPF != "" {
		t.Errorf("%+v %+v", h, h.mail.Provider)
	}
	for rule, content := range map[string]string{
		"nothing of SES":               sent,
		"the fields of another object": strings.Replace(written, id, "another", 1) + sent,
		"no recipient":                 strings.Replace(written, " for support@in.example;", ";", 1) + sent,
		"no reverse-path":              strings.TrimPrefix(written, "Return-Path: <ann@sender.example>\r\n") + sent,
	} {
		h := &handler{}
		if err := source(t, h, bucket{"ses-inbound/in/" + id: content}).Receive(t.Context(), n); !errors.Is(err, ErrNotSES) || h.data != "" {
			t.Errorf("%s: %v", rule, err)
		}
	}
	if _, ok := FromObject("ses-inbound", "in/AMAZON_SES_SETUP_NOTIFICATION", time.Time{}); ok {
		t.Error("the set-up object is a message")
	}
}

func FuzzParse(f *testing.F) {
	for _, file := range []string{"sns-s3.json", "lambda-action.json"} {
		text, err := os.ReadFile("testdata/" + file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		n, ok, err := Parse(text, "ses-inbound", "in/")
		if ok != (err == nil && n.MessageID != "") {
			t.Errorf("%v, %v of %q", ok, err, text)
		}
		if ok && (!isID(n.MessageID) || n.Bucket == "" || n.Key == "" || len(n.Recipients) == 0) || err != nil && !errors.Is(err, ErrNotSES) {
			t.Errorf("%+v, %v of %q", n, err, text)
		}
	})
}
