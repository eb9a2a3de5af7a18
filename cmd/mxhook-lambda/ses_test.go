package main

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"
)

// ways are the events by which a message comes from SES.
func ways(t *testing.T) map[string]string {
	wrapped := `{"Type": "Notification", "MessageId": "1", "TopicArn": "arn:aws:sns:eu-central-1:123456789012:t", "Message": "` + quoted(notification(t)) + `", "Timestamp": "2026-11-21T10:00:00.500Z"}`
	action := strings.Replace(read(t, "../../inbound/ses/testdata/lambda-action.json"), `"source": ""`, `"source": "ann@sender.example"`, 1)
	return map[string]string{
		"SNS":                      strings.Replace(read(t, "testdata/sns.json"), "@SES@", quoted(notification(t)), 1),
		"SES's Lambda action":      strings.Replace(read(t, "testdata/ses.json"), "@ACTION@", strings.Replace(action, `{"status": "FAIL"}`, `{"status": "PASS"}`, 1), 1),
		"S3":                       read(t, "testdata/s3.json"),
		"SNS, raw, by SQS":         `{"Records": [` + record(t, "m1", notification(t)) + `]}`,
		"SNS by SQS":               `{"Records": [` + record(t, "m1", wrapped) + `]}`,
		"S3 by SQS":                `{"Records": [` + record(t, "m1", read(t, "testdata/s3.json")) + `]}`,
		"S3 by SNS by SQS":         `{"Records": [` + record(t, "m1", `{"Type": "Notification", "Message": "`+quoted(read(t, "testdata/s3.json"))+`"}`) + `]}`,
		"S3 by SNS":                strings.Replace(read(t, "testdata/sns.json"), "@SES@", quoted(read(t, "testdata/s3.json")), 1),
		"a notification to Lambda": strings.Replace(read(t, "testdata/sns.json"), "@SES@", quoted(notification(t)), 1),
	}
}

func TestAMessageOfSESComesByEachWay(t *testing.T) {
	for way, event := range ways(t) {
		t.Run(way, func(t *testing.T) {
			w := newWorld(t)
			w.store.put(written("192.0.2.1") + sent)
			out, err := w.Invoke(t.Context(), []byte(event))
			if err != nil || strings.Contains(string(out), "itemIdentifier") {
				t.Fatalf("%s, %v\n%s", out, err, w.log)
			}
			got := w.app.requests()
			if len(got) != 1 {
				t.Fatalf("%d requests\n%s", len(got), w.log)
			}
			p := got[0].payload
			if p.Envelope.ReversePath != "ann@sender.example" || p.Envelope.RemoteIP != "192.0.2.1" || p.Message.Subject != "Hello" ||
				p.Envelope.Provider == nil || p.Envelope.Provider.MessageID != sesID || !p.Authentication.FromVerified {
				t.Errorf("%+v", p)
			}
			// Without a word of SES there is one recipient, or all of the rule.
			if all := len(p.Envelope.Recipients); strings.HasPrefix(way, "SNS") && all != 2 || !strings.HasPrefix(way, "SNS") && all < 1 {
				t.Errorf("recipients %+v", p.Envelope.Recipients)
			}
			before := got[0].id
			if _, err := w.Invoke(t.Context(), []byte(event)); err != nil {
				t.Fatal(err)
			}
			if again := w.app.requests(); len(again) != 2 || again[1].id != before {
				t.Errorf("the same event again is another one: %+v", again)
			}
		})
	}
}

func TestVerdictsOfSESAreTold(t *testing.T) {
	w := newWorld(t)
	w.store.put(written("192.0.2.1") + sent)
	if again := w.invokeBatch(t.Context(), record(t, "m1", notification(t))); again != "" {
		t.Fatal(again, w.log)
	}
	if p := w.app.requests()[0].payload.Envelope.Provider; p.Name != "ses" || p.SPF != "pass" || p.Spam != "pass" || p.Virus != "fail" {
		t.Errorf("%+v", p)
	}
}

// TestNoForgedFieldVerifiesAnAuthor sends what SES never saw: each claims to come from
// where sender.example's mail comes from.
func TestNoForgedFieldVerifiesAnAuthor(t *testing.T) {
	forged := written("192.0.2.1")
	guessed := strings.Replace(forged, sesID, "guess", 1)
	gray := strings.Replace(notification(t), `"spfVerdict": {"status": "PASS"}`, `"spfVerdict": {"status": "GRAY"}`, 1)
	failed := strings.Replace(notification(t), `"spfVerdict": {"status": "PASS"}`, `"spfVerdict": {"status": "FAIL"}`, 1)
	none := strings.Replace(notification(t), `"spfVerdict": {"status": "PASS"}`, `"spfVerdict": {"status": "DISABLED"}`, 1)
	other := strings.Replace(notification(t), `"source": "ann@sender.example"`, `"source": "eve@evil.example"`, 1)
	for rule, c := range map[string]struct{ content, event string }{
		"SES's fields, below SES's own":                {written("198.51.100.7") + forged + sent, none},
		"SES's fields, instead of SES's own":           {guessed + sent, none},
		"results of ours":                              {written("198.51.100.7") + "Authentication-Results: mx.in.example; dmarc=pass header.from=sender.example\r\n" + sent, none},
		"results of SES":                               {written("198.51.100.7") + "Authentication-Results: amazonses.com; spf=pass; dkim=pass; dmarc=pass header.from=sender.example\r\nX-SES-Virus-Verdict: PASS\r\n" + sent, none},
		"SES says fail":                                {written("192.0.2.1") + sent, failed},
		"SES says gray":                                {written("192.0.2.1") + sent, gray},
		"SES says nothing, another client":             {written("203.0.113.9") + sent, none},
		"SES says pass, for another's reverse-path":    {written("198.51.100.7") + sent, other},
		"SES says pass for another's, forged fields":   {written("198.51.100.7") + forged + sent, other},
		"SES says pass, the message has two authors":   {written("192.0.2.1") + "From: eve@evil.example\r\n" + sent, notification(t)},
		"no field of SES at all, and SES says nothing": {sent, none},
	} {
		t.Run(rule, func(t *testing.T) {
			w := newWorld(t)
			w.store.put(c.content)
			if again := w.invokeBatch(t.Context(), record(t, "m1", c.event)); again != "" {
				t.Fatal(again, w.log)
			}
			if p := w.app.requests()[0].payload; p.Authentication.FromVerified || p.Authentication.DMARC.Result == "pass" {
				t.Errorf("%+v", p.Authentication)
			}
		})
	}
}

func TestWhatCanNotBeDoneComesAgain(t *testing.T) {
	for rule, c := range map[string]struct {
		change func(*world)
		event  string
		again  bool
		says   string
	}{
		"the object is missing":      {change: func(w *world) { w.store.objects = map[string]string{} }, again: true, says: "no such object"},
		"S3 is busy":                 {change: func(w *world) { w.store.code = http.StatusServiceUnavailable }, again: true, says: "S3 says SlowDown"},
		"S3 is gone":                 {change: func(w *world) { w.store.Close() }, again: true, says: "can't be reached"},
		"the object is too large":    {change: func(w *world) { w.store.put(written("192.0.2.1") + sent + strings.Repeat("x", 1<<20)) }, again: true, says: "raise it"},
		"the object is encrypted":    {change: func(w *world) { w.store.meta.Set("x-amz-meta-x-amz-key-v2", "k") }, again: true, says: "encrypt the bucket"},
		"the webhook is down":        {change: func(w *world) { w.app.set("bob@in.example", 503) }, again: true, says: "destination"},
		"the webhook refuses":        {change: func(w *world) { w.app.set("bob@in.example", 406) }, says: "refused for good"},
		"nobody wants the recipient": {event: strings.NewReplacer("support@in.example", "a@else.example", "bob@in.example", "b@else.example").Replace(notification(t)), says: "554 5.5.1"},
		"another bucket":             {event: strings.Replace(notification(t), `"bucketName": "ses-inbound"`, `"bucketName": "evil"`, 1), again: true, says: "another bucket"},
		"no JSON":                    {event: "hello", again: true, says: "no JSON"},
		"JSON of another":            {event: `{"a": 1}`, again: true, says: "neither an event"},
		"a wrapper in a wrapper":     {event: `{"Type": "Notification", "Message": "{\"Type\": \"Notification\", \"Message\": \"x\"}"}`, again: true, says: "within a notification"},
		"a record of another":        {event: `{"Records": [{"eventSource": "aws:kinesis"}]}`, again: true, says: "not of S3"},
		"S3 tries the queue":         {event: `{"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "ses-inbound"}`},
		"SES tries the bucket":       {event: strings.Replace(read(t, "testdata/s3.json"), sesID, "AMAZON_SES_SETUP_NOTIFICATION", 1)},
		"SES tries the topic":        {event: "Successfully validated SNS topic for Amazon SES event publishing."},
		"an object is removed":       {event: strings.Replace(read(t, "testdata/s3.json"), "ObjectCreated:Put", "ObjectRemoved:Delete", 1)},
		"a notification of a bounce": {event: `{"notificationType": "Bounce", "mail": {}}`},
	} {
		t.Run(rule, func(t *testing.T) {
			w := newWorld(t)
			w.store.put(written("192.0.2.1") + sent)
			if c.change != nil {
				c.change(w)
			}
			if c.event == "" {
				c.event = notification(t)
			}
			again := w.invokeBatch(t.Context(), record(t, "m1", c.event))
			if (again == "m1") != c.again || !strings.Contains(w.log.String(), c.says) || strings.Contains(w.log.String(), "secret words") {
				t.Errorf("%q\n%s", again, w.log)
			}
			if c.event == notification(t) { // by SNS alone the error is Lambda's
				_, err := w.Invoke(t.Context(), []byte(strings.Replace(read(t, "testdata/sns.json"), "@SES@", quoted(c.event), 1)))
				if (err != nil) != c.again {
					t.Error(err)
				}
			}
		})
	}
}

func TestTheTimeOfAnInvocationEndsBeforeLambdas(t *testing.T) {
	w := newWorld(t)
	w.store.put(written("192.0.2.1") + sent)
	w.app.hang = make(chan struct{})
	defer close(w.app.hang)
	deadline := time.Now().Add(reserve + 300*time.Millisecond)
	ctx, cancel := context.WithDeadline(t.Context(), deadline)
	defer cancel()
	if again := w.invokeBatch(ctx, record(t, "m1", notification(t)), record(t, "m2", notification(t))); again != "m1 m2" {
		t.Errorf("%q", again)
	}
	if time.Now().After(deadline) {
		t.Error("the answer came when the time was over")
	}
	if !strings.Contains(w.log.String(), "timeout is shorter") {
		t.Error(w.log)
	}
	// What has no time left isn't tried.
	before := len(w.app.requests())
	late, cancel := context.WithDeadline(t.Context(), time.Now())
	defer cancel()
	if again := w.invokeBatch(late, record(t, "m3", notification(t))); again != "m3" || len(w.app.requests()) != before {
		t.Errorf("%q, %d requests", again, len(w.app.requests()))
	}
}
