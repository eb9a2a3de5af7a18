package payload

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"mxhook/inbound"
	"mxhook/inbound/message"
	"mxhook/sinks"
	"mxhook/sinks/trace"
	"mxhook/verify/authres"
)

// parsedEvent is data as the bridge would make an event of it.
func parsedEvent(t testing.TB, data []byte) *sinks.Event {
	t.Helper()
	e := fullEvent(same)
	e.Data = inbound.NewMailData(data)
	e.Message = message.Parse(e.Data, e.Data.Size(), message.Options{})
	var err error
	e.Cut, err = trace.Cut(e.Data, e.Message, func(body string) bool { return authres.Claims(body, e.Hostname) })
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// messageFiles are the messages of the project's examples and tests.
func messageFiles(t testing.TB) []string {
	t.Helper()
	var files []string
	for _, dir := range []string{"../../examples/messages/*.eml", "../../inbound/message/testdata/*.eml"} {
		found, err := filepath.Glob(dir)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	return files
}

func TestEachMessageOfTheProjectMakesAValidPayload(t *testing.T) {
	files := messageFiles(t)
	if len(files) < 60 {
		t.Errorf("only %d messages", len(files))
	}
	s := strictSchema(t)
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(filepath.Base(file), func(t *testing.T) { checkMessage(t, s.Validate, data) })
	}
}

// checkMessage holds the payloads of one message to the schema, to the message's
// attachments and to the frozen bytes.
func checkMessage(t *testing.T, valid func(any) error, data []byte) {
	e := parsedEvent(t, data)
	p := readAll(t, native1(t, e, Include{Raw: "inline", HTML: true}))
	var v any
	if err := json.Unmarshal(p, &v); err != nil || !utf8.Valid(p) {
		t.Fatalf("%v, UTF-8 %v", err, utf8.Valid(p))
	}
	if err := valid(v); err != nil {
		t.Fatal(err)
	}
	n := decode(t, p)
	if raw, err := base64.StdEncoding.DecodeString(n.Raw.Content.(string)); err != nil || !bytes.Equal(raw, data) {
		t.Errorf("raw.content is not the message (%v)", err)
	}
	if sum := sha256.Sum256(data); n.Raw.SHA256 != hex.EncodeToString(sum[:]) || n.Raw.Size != int64(len(data)) {
		t.Errorf("raw %+v", n.Raw)
	}
	if len(n.Message.Attachments) != len(e.Message.Attachments) || len(n.Message.Headers) != len(e.Message.Header) {
		t.Errorf("%d attachments, %d headers", len(n.Message.Attachments), len(n.Message.Headers))
	}
	for i, a := range n.Message.Attachments {
		content, err := base64.StdEncoding.DecodeString(a.Content.(string))
		sum := sha256.Sum256(content)
		if err != nil || int64(len(content)) != a.Size || hex.EncodeToString(sum[:]) != a.SHA256 {
			t.Errorf("attachment %d: %d octets of %d, digest %x of %s, %v", i, len(content), a.Size, sum, a.SHA256, err)
		}
	}
	if n.Message.Text != e.Message.Text || n.Message.HTML != e.Message.HTML || n.Message.Subject != e.Message.Subject {
		t.Error("text, html or subject is another")
	}
	raw, err := Raw(e)
	if err != nil {
		t.Fatal(err)
	}
	if raw.ContentType() != "message/rfc822" {
		t.Errorf("content type %q", raw.ContentType())
	}
	kept := slices.Clone(data)
	for _, r := range slices.Backward(e.Cut) {
		kept = slices.Delete(kept, int(r.Start), int(r.End))
	}
	front, ok := bytes.CutSuffix(readAll(t, raw), kept)
	if rest, ours := bytes.CutPrefix(front, trace.Fields(e)); !ok || !ours || len(rest) > len("X-Mailbox-Line: ") {
		t.Errorf("the raw copy is not our fields and what is kept: %q", front)
	}
}

// A parsed attachment whose base64 is clean is carried as it stands; it must be what
// decoding and encoding gives.
func TestCarriedBase64IsTheEncodedOne(t *testing.T) {
	carried := 0
	for _, file := range messageFiles(t) {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		e := parsedEvent(t, data)
		for i := range e.Message.Attachments {
			a := &e.Message.Attachments[i]
			if _, ok := a.Base64(); ok {
				carried++
			}
			got, err := io.ReadAll(bodyOf(contentOf(a)).Open())
			want, _ := io.ReadAll(bodyOf(base64Of(a.Open, a.Size)).Open())
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("%s: attachment %d: %.80q, want %.80q (%v)", file, i, got, want, err)
			}
		}
	}
	if carried == 0 {
		t.Error("no attachment is carried")
	}
}

func TestForgedTrustStandsNowhere(t *testing.T) {
	e := parsedEvent(t, []byte("Return-Path: <forged@bank.example>\r\nAuthentication-Results: mx.in.example; dmarc=pass (forged)\r\n"+
		"Delivered-To: forged@in.example\r\nSubject: hi\r\n\r\nhello\r\n"))
	n := readAll(t, native1(t, e, Include{HTML: true}))
	if bytes.Contains(n, []byte("(forged)")) || !bytes.Contains(n, []byte(`"code":"forged-authentication-results"`)) {
		t.Errorf("native: %s", n)
	}
	for _, f := range []string{`{"name":"Return-Path","value":"<forged@bank.example>"}`, `{"name":"Delivered-To","value":"forged@in.example"}`} {
		if !bytes.Contains(n, []byte(f)) {
			t.Errorf("%s is not listed", f)
		}
	}
	b, err := Raw(e)
	if err != nil {
		t.Fatal(err)
	}
	if raw := readAll(t, b); bytes.Contains(raw, []byte("forged")) || !strings.HasSuffix(string(raw), "+0000\r\nSubject: hi\r\n\r\nhello\r\n") {
		t.Errorf("raw: %s", raw)
	}
}

// FuzzMessage takes any octets for a message.
func FuzzMessage(f *testing.F) {
	s := strictSchema(f)
	for _, h := range hostile {
		f.Add([]byte("Subject: " + h + "\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n" + h + "\r\n--b\r\nContent-Type: a/b; name=\"" + h + "\"\r\n\r\n" + h))
	}
	const base64Part = "Content-Type: a/b; name=c\r\nContent-Transfer-Encoding: base64\r\nContent-Disposition: attachment\r\n\r\n"
	f.Add([]byte(base64Part + "SGVsbG8s\r\nIHdvcmxk\r\nIQ==\r\n"))
	f.Add([]byte(base64Part + "SGVsbG8s\r\nIHdvcmxkIR==\r\n\"}"))
	f.Fuzz(func(t *testing.T, data []byte) { checkMessage(t, s.Validate, data) })
}
