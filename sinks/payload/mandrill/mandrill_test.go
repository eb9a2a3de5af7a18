package mandrill_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/url"
	"os"
	"testing"

	"mxhook/inbound/message"
	"mxhook/sinks"
	"mxhook/sinks/payload"
	"mxhook/sinks/payload/mandrill"
	"mxhook/sinks/payload/payloadtest"
)

const plain = "From: Ann <ann@sender.example>\r\nTo: Support <support+42@in.example>, bob@other.example\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\nX-Two: a\r\nX-Two: b\r\n\r\nHello\r\n"

type event struct {
	Event string
	TS    int64
	Msg   map[string]any
}

func read(t *testing.T, p []byte) (events string, e event) {
	t.Helper()
	v, err := url.ParseQuery(string(p))
	if err != nil || len(v) != 1 {
		t.Fatalf("%v, %d fields", err, len(v))
	}
	var list []event
	events = v.Get("mandrill_events")
	if err := json.Unmarshal([]byte(events), &list); err != nil || len(list) != 1 {
		t.Fatalf("%v, %d events", err, len(list))
	}
	return events, list[0]
}

func full(key string) payload.Format { return mandrill.New(payload.Include{HTML: true}, key) }

func TestFieldsOfAPlainMessage(t *testing.T) {
	r, p := payloadtest.Request(t, full(""), payloadtest.Event(t, []byte(plain)))
	if r.Body.ContentType() != "application/x-www-form-urlencoded" || len(r.Header) != 0 {
		t.Errorf("%s %v", r.Body.ContentType(), r.Header)
	}
	_, e := read(t, p)
	if e.Event != "inbound" || e.TS != 1795255200 {
		t.Errorf("%s %d", e.Event, e.TS)
	}
	got, _ := json.Marshal(e.Msg["to"])
	if want := `[["support+42@in.example","Support"],["bob@other.example",null]]`; string(got) != want {
		t.Errorf("to %s, want %s", got, want)
	}
	headers := e.Msg["headers"].(map[string]any)
	if two, _ := json.Marshal(headers["X-Two"]); string(two) != `["a","b"]` || headers["Subject"] != "Grüße" {
		t.Errorf("headers %v", headers)
	}
	for name, want := range map[string]any{"from_email": "ann@sender.example", "from_name": "Ann", "subject": "Grüße", "text": "Hello\n", "email": "support+42@in.example", "sender": nil} {
		if e.Msg[name] != want {
			t.Errorf("%s: %v, want %v", name, e.Msg[name], want)
		}
	}
	for _, name := range []string{"html", "attachments", "images", "cc", "spam_report"} {
		if v, ok := e.Msg[name]; ok {
			t.Errorf("%s: %v", name, v)
		}
	}
	verdicts, _ := json.Marshal([]any{e.Msg["dkim"], e.Msg["spf"].(map[string]any)["result"]})
	if want := `[{"signed":true,"valid":true},"pass"]`; string(verdicts) != want {
		t.Errorf("%s, want %s", verdicts, want)
	}
}

func TestTheSignatureCoversURLAndField(t *testing.T) {
	r, p := payloadtest.Request(t, full("rth_rywL9CWIIZBuwPQIWw"), payloadtest.Event(t, []byte(plain)))
	events, _ := read(t, p)
	mac := hmac.New(sha1.New, []byte("rth_rywL9CWIIZBuwPQIWw"))
	mac.Write([]byte("https://app.example/in" + "mandrill_events" + events))
	if got, want := r.Header["X-Mandrill-Signature"], base64.StdEncoding.EncodeToString(mac.Sum(nil)); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func withFiles(t *testing.T, list ...message.Attachment) *sinks.Event {
	e := payloadtest.Event(t, []byte(plain))
	for _, a := range list {
		content := []byte(a.Filename + a.ContentID)
		a.Size = int64(len(content))
		e.Message.Attachments = append(e.Message.Attachments, a.WithContent(func() io.Reader { return bytes.NewReader(content) }))
	}
	return e
}

func TestFilesOfTheSameNameAreAllThere(t *testing.T) {
	var list []message.Attachment
	for range 3 {
		list = append(list, message.Attachment{Filename: "a.pdf", ContentType: "application/pdf"})
	}
	list = append(list, message.Attachment{Filename: "a-2.pdf", ContentType: "text/plain"}, message.Attachment{ContentType: "text/x"},
		message.Attachment{Filename: "i.png", ContentID: "i@x", ContentType: "image/png"})
	_, p := payloadtest.Request(t, full("k"), withFiles(t, list...))
	_, e := read(t, p)
	files := e.Msg["attachments"].(map[string]any)
	for _, name := range []string{"a.pdf", "a-2.pdf", "a-3.pdf", "a-2-2.pdf", "attachment-5"} {
		f, ok := files[name].(map[string]any)
		if !ok || f["base64"] != true {
			t.Errorf("%s: %v", name, files[name])
			continue
		}
		content, err := base64.StdEncoding.DecodeString(f["content"].(string))
		if err != nil || string(content) != f["name"] {
			t.Errorf("%s: %q %v", name, content, err)
		}
	}
	if image, ok := e.Msg["images"].(map[string]any)["i@x"].(map[string]any); !ok || image["type"] != "image/png" || len(files) != 5 {
		t.Errorf("%v, %d files", e.Msg["images"], len(files))
	}
}

func TestEveryMessageOfTheProjectHasItsRawMessage(t *testing.T) {
	for _, path := range payloadtest.Messages(t) {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		e := payloadtest.Event(t, data)
		_, p := payloadtest.Request(t, full("k"), e)
		_, got := read(t, p)
		if got.Msg["raw_msg"] != payloadtest.RawText(t, e) {
			t.Errorf("%s: raw_msg is not the raw copy", path)
		}
	}
}
