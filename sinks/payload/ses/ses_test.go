package ses_test

import (
	"encoding/base64"
	"encoding/json"
	"os"
	"reflect"
	"testing"

	"mxhook/sinks"
	"mxhook/sinks/payload"
	"mxhook/sinks/payload/payloadtest"
	"mxhook/sinks/payload/ses"
	"mxhook/verify"
	"mxhook/verify/authres"
)

type notification struct {
	NotificationType string
	Content          string
	Receipt          struct {
		Timestamp                                                        string
		Recipients                                                       []string
		SpamVerdict, VirusVerdict, SPFVerdict, DKIMVerdict, DMARCVerdict struct{ Status string }
		DMARCPolicy                                                      string
		Action                                                           struct{ Type, Encoding string }
	}
	Mail struct {
		Source, MessageID string
		Destination       []string
		Headers           []struct{ Name, Value string }
		CommonHeaders     map[string]any
	}
}

func decode(t *testing.T, e *sinks.Event) (n notification) {
	t.Helper()
	_, p := payloadtest.Request(t, ses.New(), e)
	if err := json.Unmarshal(p, &n); err != nil {
		t.Fatalf("%v: %s", err, p)
	}
	return n
}

func rawCopy(t *testing.T, e *sinks.Event) string {
	t.Helper()
	b, err := payload.Raw(e)
	if err != nil {
		t.Fatal(err)
	}
	return string(payloadtest.Read(t, b))
}

func TestTheNotificationTellsEnvelopeHeaderAndContent(t *testing.T) {
	e := payloadtest.Event(t, []byte("From: =?utf-8?q?=C3=84nn?= <ann@sender.example>\r\nTo: a@in.example\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n"+
		"Date: Sat, 21 Nov 2026 10:59:58 +0100\r\nMessage-ID: <1@sender.example>\r\nX-Long: a\r\n b\r\n\r\nHé\r\n"), "a@in.example", "b@in.example")
	n := decode(t, e)
	if n.NotificationType != "Received" || n.Mail.Source != "ann@sender.example" || n.Mail.MessageID != e.ID || n.Receipt.Timestamp != "2026-11-21T10:00:00.123Z" {
		t.Errorf("%+v", n)
	}
	if want := []string{"a@in.example", "b@in.example"}; !reflect.DeepEqual(n.Mail.Destination, want) || !reflect.DeepEqual(n.Receipt.Recipients, want) {
		t.Errorf("%v %v", n.Mail.Destination, n.Receipt.Recipients)
	}
	want := map[string]any{
		"returnPath": "ann@sender.example", "from": []any{`"Änn" <ann@sender.example>`}, "to": []any{"a@in.example"}, "subject": "Grüße",
		"messageId": "<1@sender.example>", "date": "Sat, 21 Nov 2026 10:59:58 +0100",
	}
	if !reflect.DeepEqual(n.Mail.CommonHeaders, want) {
		t.Errorf("%v", n.Mail.CommonHeaders)
	}
	if last := n.Mail.Headers[len(n.Mail.Headers)-1]; last.Name != "X-Long" || last.Value != "a b" || n.Mail.Headers[0].Name != "Return-Path" {
		t.Errorf("%v", n.Mail.Headers)
	}
	if n.Receipt.Action.Type != "SNS" || n.Receipt.Action.Encoding != "UTF8" || n.Content != rawCopy(t, e) {
		t.Errorf("%+v", n.Receipt.Action)
	}
}

func TestContentThatIsNoUTF8IsBase64(t *testing.T) {
	e := payloadtest.Event(t, []byte("Subject: x\r\n\r\n\xe4\r\n"))
	n := decode(t, e)
	octets, err := base64.StdEncoding.DecodeString(n.Content)
	if err != nil || n.Receipt.Action.Encoding != "BASE64" || string(octets) != rawCopy(t, e) {
		t.Errorf("%v %+v", err, n.Receipt.Action)
	}
}

func TestASendersVerdictIsNotAmongTheHeaders(t *testing.T) {
	n := decode(t, payloadtest.Event(t, []byte("X-SES-Spam-Verdict: PASS\r\nx-ses-virus-verdict: PASS\r\nFrom: a@b.example\r\nX-Sesame: kept\r\n\r\nx\r\n")))
	kept := false
	for _, h := range n.Mail.Headers {
		kept = kept || h.Name == "X-Sesame"
		if h.Value == "PASS" {
			t.Errorf("%s is there", h.Name)
		}
	}
	if !kept {
		t.Error("X-Sesame is missing")
	}
}

func TestVerdicts(t *testing.T) {
	dkim := func(list ...authres.Result) (all []verify.DKIM) {
		for _, r := range list {
			all = append(all, verify.DKIM{Result: r})
		}
		return all
	}
	for name, c := range map[string]struct {
		results                   *verify.Results
		spf, dkim, dmarc, dmarcOf string
	}{
		"nothing verified": {nil, "GRAY", "GRAY", "GRAY", ""},
		"all pass":         {payloadtest.Results(), "PASS", "PASS", "PASS", ""},
		"one signature of two passes": {&verify.Results{SPF: verify.SPF{Result: authres.SoftFail}, DKIM: dkim(authres.Fail, authres.Pass),
			DMARC: verify.DMARC{Result: authres.None}}, "GRAY", "PASS", "GRAY", ""},
		"failure": {&verify.Results{SPF: verify.SPF{Result: authres.Fail}, DKIM: dkim(authres.Fail, authres.PermError),
			DMARC: verify.DMARC{Result: authres.Fail, Disposition: "quarantine"}}, "FAIL", "FAIL", "FAIL", "quarantine"},
		"no answer": {&verify.Results{SPF: verify.SPF{Result: authres.TempError}, DKIM: dkim(authres.TempError), DMARC: verify.DMARC{Result: authres.TempError}},
			"PROCESSING_FAILED", "PROCESSING_FAILED", "PROCESSING_FAILED", ""},
	} {
		e := payloadtest.Event(t, []byte("Subject: x\r\n\r\n"))
		e.Results = c.results
		r := decode(t, e).Receipt
		if r.SPFVerdict.Status != c.spf || r.DKIMVerdict.Status != c.dkim || r.DMARCVerdict.Status != c.dmarc || r.DMARCPolicy != c.dmarcOf ||
			r.SpamVerdict.Status != "DISABLED" || r.VirusVerdict.Status != "DISABLED" {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

func TestEveryMessageOfTheProjectKeepsItsOctets(t *testing.T) {
	for _, file := range payloadtest.Messages(t) {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		e := payloadtest.Event(t, data)
		n := decode(t, e)
		content := n.Content
		if n.Receipt.Action.Encoding == "BASE64" {
			octets, err := base64.StdEncoding.DecodeString(content)
			if err != nil {
				t.Fatal(err)
			}
			content = string(octets)
		}
		if content != rawCopy(t, e) {
			t.Errorf("%s: other octets", file)
		}
	}
}
