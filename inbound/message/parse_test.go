package message

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"unicode"
	"unicode/utf8"
)

// parse parses s and checks what must hold for every message.
func parse(t testing.TB, s string) *Message {
	t.Helper()
	m := Parse(bytes.NewReader([]byte(s)), int64(len(s)), Options{})
	checkInvariants(t, m, int64(len(s)))
	return m
}

// checkInvariants fails the test if m is not what Parse promises for any message.
func checkInvariants(t testing.TB, m *Message, size int64) {
	t.Helper()
	valid := func(s string) {
		if !utf8.ValidString(s) {
			t.Fatalf("not UTF-8: %q", s)
		}
	}
	valid(m.Subject)
	valid(m.Text)
	valid(m.HTML)
	valid(m.MessageID)
	valid(m.Reply.Text + m.Reply.Quoted + m.Reply.Signature)
	visible := func(s string) int {
		return len(strings.FieldsFunc(s, func(r rune) bool { return !unicode.IsGraphic(r) || unicode.IsSpace(r) }))
	}
	if got, want := visible(m.Reply.Text+"\n"+m.Reply.Quoted+"\n"+m.Reply.Signature), visible(m.Text); got != want {
		t.Fatalf("the text has %d words, the reply %d", want, got)
	}
	last := int64(0)
	for _, f := range m.Header {
		valid(f.Name)
		valid(f.Value)
		valid(f.Raw)
		if bytes.ContainsAny([]byte(f.Value), "\r\n") {
			t.Fatalf("a line end in the value %q", f.Value)
		}
		if f.Start < last || f.End <= f.Start || f.End > size {
			t.Fatalf("field %s at %d to %d after %d of %d", f.Name, f.Start, f.End, last, size)
		}
		last = f.End
	}
	for _, list := range [][]Address{m.From, m.To, m.Cc, m.Bcc, m.ReplyTo} {
		for _, a := range list {
			valid(a.Name)
			valid(a.Address)
		}
	}
	for _, s := range append(append(append([]string{m.List.ID}, m.InReplyTo...), m.References...), m.List.Unsubscribe...) {
		valid(s)
	}
	for i := range m.Attachments {
		a := &m.Attachments[i]
		for _, s := range []string{a.Filename, a.ContentType, a.Charset, a.Disposition, a.ContentID} {
			valid(s)
		}
		for _, small := range []bool{false, true} {
			h := sha256.New()
			r := a.Open()
			if small && a.Size < 4<<10 {
				r = iotest.HalfReader(r)
			}
			n, err := io.Copy(h, r)
			if err != nil || n != a.Size {
				t.Fatalf("attachment %d: %d octets of %d, %v", i, n, a.Size, err)
			}
			if r, ok := a.Base64(); ok {
				want, _ := io.ReadAll(a.Open())
				got, err := io.ReadAll(r)
				if err != nil || string(got) != base64.StdEncoding.EncodeToString(want) {
					t.Fatalf("attachment %d: its base64 is another: %.100q, %v", i, got, err)
				}
			}
			if [32]byte(h.Sum(nil)) != a.SHA256 {
				t.Fatalf("attachment %d: another digest", i)
			}
		}
	}
	if (m.Bounce != nil) != (m.Class == ClassBounce) || (m.FeedbackReport != nil) != (m.Class == ClassFeedbackReport) {
		t.Fatalf("class %s, bounce %+v, feedback report %+v", m.Class, m.Bounce, m.FeedbackReport)
	}
	kinds, err := json.Marshal([]any{m.Bounce, m.FeedbackReport, m.Calendar})
	if err != nil || strings.Contains(string(kinds), `\ufffd`) {
		t.Fatalf("not UTF-8: %q (%v)", kinds, err)
	}
	if m.Bounce != nil {
		checkRecipients(t, m.Bounce.Recipients)
	}
	for _, d := range m.Defects {
		valid(d.Text)
		if d.Code == DefectInternal {
			t.Fatal("the parser panicked")
		}
	}
}

var codes = regexp.MustCompile(`^(|[245]\.\d{1,3}\.\d{1,3}) (|[245][0-5]\d)$`)

func checkRecipients(t testing.TB, list []BounceRecipient) {
	t.Helper()
	for _, r := range list {
		if !codes.MatchString(r.Status+" "+r.Reply) || !slices.Contains([]string{"failed", "delayed", "delivered", "relayed", "expanded"}, r.Action) {
			t.Fatalf("recipient %+v", r)
		}
		if strings.ContainsAny(r.Address+r.Diagnostic+r.RemoteMTA, "\r\n\x00") {
			t.Fatalf("recipient %+q", r)
		}
	}
}

func TestParseReadsAnOrdinaryMessage(t *testing.T) {
	m := parse(t, "From: Ann <ann@sender.example>\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n"+
		"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nHello\r\n--b\r\n"+
		"Content-Disposition: attachment; filename=a.bin\r\nContent-Type: application/octet-stream\r\n"+
		"Content-Transfer-Encoding: base64\r\n\r\nAAEC\r\n--b--\r\n")
	if m.Subject != "Grüße" || m.Text != "Hello" || len(m.From) != 1 || m.From[0] != (Address{"Ann", "ann@sender.example"}) {
		t.Errorf("%+v", m)
	}
	if len(m.Attachments) != 1 || m.Attachments[0].Filename != "a.bin" || m.Attachments[0].Size != 3 {
		t.Errorf("%+v", m.Attachments)
	}
	if len(m.Defects) != 0 {
		t.Errorf("defects %+v", m.Defects)
	}
}
