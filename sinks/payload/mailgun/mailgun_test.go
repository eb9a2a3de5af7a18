package mailgun_test

import (
	"encoding/json"
	"io"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"mxhook/sinks/payload"
	"mxhook/sinks/payload/mailgun"
	"mxhook/sinks/payload/payloadtest"
)

const plain = "From: Ann <ann@sender.example>\r\nTo: support+42@in.example\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\nMIME-Version: 1.0\r\n" +
	"X-Mailgun-Spf: Forged\r\nX-Envelope-From: <forged@x.example>\r\nX-Two: a\r\nX-Two: b\r\n\r\nHello\r\n"

func parsedForm(key string) payload.Format { return mailgun.New(payload.Include{HTML: true}, key) }

// The values are those of a published test vector of Mailgun's scheme.
func TestTheSignatureIsMailguns(t *testing.T) {
	got := mailgun.Sign("foo", "1366071615", "5o56tmpwd3dnwthehwclemd-i-7u2gv9vb3u745ywj67d0mc87")
	if want := "bc2ab6c1080d52f2a06928b93f21e86c2d28c548e2ef64354f8ba1a95bb53cd6"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestFieldsOfAPlainMessage(t *testing.T) {
	r, p := payloadtest.Request(t, parsedForm("key"), payloadtest.Event(t, []byte(plain)))
	if r.Body.ContentType() != "application/x-www-form-urlencoded" || len(r.Header) != 0 {
		t.Errorf("%s %v", r.Body.ContentType(), r.Header)
	}
	got := payloadtest.Form(t, r, p)
	for name, want := range map[string][]string{
		"recipient": {"support+42@in.example"}, "sender": {"ann@sender.example"}, "from": {"Ann <ann@sender.example>"}, "subject": {"Grüße"}, "body-plain": {"Hello\n"},
		"From": {"Ann <ann@sender.example>"}, "Mime-Version": {"1.0"}, "X-Two": {"a", "b"}, "X-Mailgun-Incoming": {"Yes"}, "X-Mailgun-Spf": {"Pass"},
		"X-Mailgun-Dkim-Check-Result": {"Pass"}, "X-Envelope-From": {"<ann@sender.example>"}, "Return-Path": {"<ann@sender.example>"},
		"timestamp": {strconv.FormatInt(payloadtest.Now.Unix(), 10)}, "attachment-count": nil, "body-html": nil, "body-mime": nil,
	} {
		if !slices.Equal(got.Values[name], want) {
			t.Errorf("%s: %q, want %q", name, got.Values[name], want)
		}
	}
	if token := got.Get("token"); len(token) != 50 || got.Get("signature") != mailgun.Sign("key", got.Get("timestamp"), token) {
		t.Errorf("token %q, signature %q", token, got.Get("signature"))
	}
	var list [][2]string
	if err := json.Unmarshal([]byte(got.Get("message-headers")), &list); err != nil {
		t.Fatal(err)
	}
	if n := len(list); list[n-1] != [2]string{"X-Two", "b"} || list[0][0] != "X-Envelope-From" || !slices.Contains(list, [2]string{"Mime-Version", "1.0"}) {
		t.Errorf("%v", list)
	}
}

func TestEachAttemptIsSignedAnewAndOnlyWithAKey(t *testing.T) {
	encoded, err := parsedForm("key").Encode(t.Context(), payloadtest.Event(t, []byte(plain)))
	if err != nil {
		t.Fatal(err)
	}
	tokens := map[string]bool{}
	for i := range 3 {
		at := payloadtest.Now.Add(time.Duration(i) * time.Minute)
		r, err := encoded.Request(payload.Attempt{Time: at})
		if err != nil {
			t.Fatal(err)
		}
		got := payloadtest.Form(t, r, payloadtest.Read(t, r.Body))
		tokens[got.Get("token")] = true
		if got.Get("timestamp") != strconv.FormatInt(at.Unix(), 10) || got.Get("signature") != mailgun.Sign("key", got.Get("timestamp"), got.Get("token")) {
			t.Errorf("attempt %d: %s %s", i, got.Get("timestamp"), got.Get("signature"))
		}
	}
	if len(tokens) != 3 {
		t.Error("a token was used twice")
	}
	r, p := payloadtest.Request(t, parsedForm(""), payloadtest.Event(t, []byte(plain)))
	for _, name := range []string{"timestamp", "token", "signature"} {
		if v, ok := payloadtest.Form(t, r, p).Values[name]; ok {
			t.Errorf("without a key: %s %v", name, v)
		}
	}
}

func TestAMessageWithFilesIsMultipart(t *testing.T) {
	e := payloadtest.Example(t, "inline-image.eml")
	encoded, err := parsedForm("key").Encode(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	r, err := encoded.Request(payload.Attempt{Time: payloadtest.Now})
	if err != nil {
		t.Fatal(err)
	}
	got := payloadtest.Form(t, r, payloadtest.Read(t, r.Body))
	n := len(e.Message.Attachments)
	if got.Get("attachment-count") != strconv.Itoa(n) || len(got.Files) != n || n == 0 {
		t.Fatalf("%q, %d files of %d", got.Get("attachment-count"), len(got.Files), n)
	}
	for i := range e.Message.Attachments {
		a, name := &e.Message.Attachments[i], "attachment-"+strconv.Itoa(i+1)
		content, _ := io.ReadAll(a.Open())
		if got.Files[name].Content != string(content) || a.ContentID != "" && !strings.Contains(got.Get("content-id-map"), `"\u003c`+a.ContentID+`\u003e":"`+name+`"`) &&
			!strings.Contains(got.Get("content-id-map"), `"<`+a.ContentID+`>":"`+name+`"`) {
			t.Errorf("%s: another content, or %s", name, got.Get("content-id-map"))
		}
	}
}

func TestTheRawFormHasTheWholeMessage(t *testing.T) {
	for _, path := range payloadtest.Messages(t) {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		e := payloadtest.Event(t, data)
		encoded, err := mailgun.NewMIME("key").Encode(t.Context(), e)
		if err != nil {
			t.Fatal(err)
		}
		r, err := encoded.Request(payload.Attempt{Time: payloadtest.Now})
		if err != nil {
			t.Fatal(err)
		}
		got := payloadtest.Form(t, r, payloadtest.Read(t, r.Body))
		if got.Get("body-mime") != payloadtest.RawText(t, e) || got.Get("signature") == "" || got.Get("recipient") == "" {
			t.Errorf("%s: body-mime is not the raw copy, or fields are missing", path)
		}
		if p, err := parsedForm("key").Encode(t.Context(), e); err != nil {
			t.Error(err)
		} else if r, err := p.Request(payload.Attempt{Time: payloadtest.Now}); err != nil || len(payloadtest.Form(t, r, payloadtest.Read(t, r.Body)).Values) < 8 {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestALargeMessageIsMultipart(t *testing.T) {
	for _, f := range []payload.Format{mailgun.New(payload.Include{}, "key"), mailgun.NewMIME("key")} {
		e := payloadtest.Event(t, []byte("From: ann@sender.example\r\n\r\n"+strings.Repeat("Hello\r\n", 200<<10)))
		r, p := payloadtest.Request(t, f, e)
		if !strings.HasPrefix(r.Body.ContentType(), "multipart/form-data") || len(p) > 3<<20 {
			t.Errorf("%s, %d octets", r.Body.ContentType(), len(p))
		}
	}
}

func TestManyFieldsAreAFormThatDjangoTakes(t *testing.T) {
	e := payloadtest.Event(t, []byte(strings.Repeat("X-A: b\r\n", 1500)+"\r\nHello\r\n"))
	r, p := payloadtest.Request(t, mailgun.New(payload.Include{HTML: true}, "key"), e)
	values, err := url.ParseQuery(string(p))
	if err != nil {
		t.Fatal(r, err)
	}
	n := 0
	for _, v := range values {
		n += len(v)
	}
	var all [][2]string
	if err := json.Unmarshal([]byte(values.Get("message-headers")), &all); err != nil || len(all) < 1500 || n > 600 {
		t.Errorf("%d fields of the form, %d in message-headers, %v", n, len(all), err)
	}
}

func TestANameThatNestsIsNoFieldOfTheForm(t *testing.T) {
	e := payloadtest.Event(t, []byte("From: ann@sender.example\r\nFrom[x]: y\r\nTimestamp: 1\r\n\r\nHello\r\n"))
	_, p := payloadtest.Request(t, mailgun.New(payload.Include{HTML: true}, "key"), e)
	values, err := url.ParseQuery(string(p))
	if err != nil || values.Has("From[x]") || len(values["timestamp"]) != 1 || !strings.Contains(values.Get("message-headers"), "From[x]") {
		t.Errorf("%v %v", values, err)
	}
}
