package trace

import (
	"io"
	"net/mail"
	"strings"
	"testing"

	"mxhook/inbound"
	"mxhook/inbound/message"
	"mxhook/sinks"
)

// copyOf returns what Copy yields, held to its size.
func copyOf(t testing.TB, e *sinks.Event) string {
	t.Helper()
	c, err := Copy(e)
	if err != nil {
		t.Fatal(err)
	}
	p, err := io.ReadAll(c.Open())
	if err != nil || int64(len(p)) != c.Size() {
		t.Fatalf("%d octets, Size %d, %v", len(p), c.Size(), err)
	}
	return string(p)
}

func TestCopyIsAValidMessageWhateverItsFirstLine(t *testing.T) {
	for _, c := range []struct{ name, data, joint, subject, body string }{
		{"fields", "Subject: x\r\n\r\nhello\r\n", "", "x", "hello\r\n"},
		{"obsolete syntax", "Subject : x\r\n\r\nhello\r\n", "", "", "hello\r\n"},
		{"mbox line", "From ann@sender.example Sat Nov 21 10:00:00 2026\r\nSubject: x\r\n\r\nhello\r\n", "X-Mailbox-Line: ", "x", "hello\r\n"},
		{"quoted mbox line", ">From ann@sender.example Sat Nov 21\r\nSubject: x\r\n\r\nhello\r\n", "X-Mailbox-Line: ", "x", "hello\r\n"},
		{"no header section", "hello\r\n", "\r\n", "", "hello\r\n"},
		{"no header section, empty line first", "\r\nhello\r\n", "", "", "hello\r\n"},
		{"no header section, bare LF first", "\nhello\r\n", "", "", "hello\r\n"},
		{"blank first", " continues our field\r\nSubject: x\r\n\r\nhello\r\n", "\r\n", "", " continues our field\r\nSubject: x\r\n\r\nhello\r\n"},
		{"colon first", ": x\r\n", "\r\n", "", ": x\r\n"},
		{"a colon far away", strings.Repeat("x", 2000) + ": y\r\n", "\r\n", "", strings.Repeat("x", 2000) + ": y\r\n"},
		{"not ASCII", "Sübject: x\r\n", "\r\n", "", "Sübject: x\r\n"},
		{"bare CR first", "\rSubject: x\r\n\r\n", "\r\n", "", "\rSubject: x\r\n\r\n"},
		{"fields alone", "Subject: x\r\n", "", "x", ""},
		{"nothing", "", "", "", ""},
		{"nothing but what is cut", "Return-Path: <a@b>\r\n", "", "", ""},
		{"text after what is cut", "Return-Path: <a@b>\r\nhello\r\n", "\r\n", "", "hello\r\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := event(t, c.data, "support@in.example")
			var err error
			if e.Cut, err = Cut(e.Data, e.Message, ours); err != nil {
				t.Fatal(err)
			}
			got := copyOf(t, e)
			if want := string(Fields(e)) + c.joint + left(t, c.data); got != want {
				t.Fatalf("got %q\nwant %q", got, want)
			}
			if !strings.Contains(got, "\n\r\n") && !strings.Contains(got, "\n\n") {
				got += "\r\n" // net/mail wants the empty line that RFC 5322 3.5 leaves optional
			}
			m, err := mail.ReadMessage(strings.NewReader(got))
			if err != nil {
				t.Fatal(err)
			}
			body, _ := io.ReadAll(m.Body)
			if string(body) != c.body || m.Header.Get("Return-Path") != "<ann@sender.example>" || !strings.HasSuffix(m.Header.Get("Received"), "+0000") || m.Header.Get("Subject") != c.subject {
				t.Errorf("header %v, body %q", m.Header, body)
			}
		})
	}
}

func TestCopyWithOtherFields(t *testing.T) {
	e := event(t, "A: b\r\n\r\nc", "support@in.example")
	for _, fields := range []string{"", "X-Original-To: support@in.example\r\n"} {
		c, err := CopyWith(e, []byte(fields))
		if err != nil {
			t.Fatal(err)
		}
		if p, err := io.ReadAll(c.Open()); err != nil || string(p) != fields+"A: b\r\n\r\nc" {
			t.Errorf("%q %v", p, err)
		}
	}
}

func TestCopyTakesRangesThatTouchOverlapOrPassTheEnd(t *testing.T) {
	for _, c := range []struct {
		cut  []sinks.Range
		want string
	}{
		{nil, "0123456789"},
		{[]sinks.Range{{Start: 0, End: 10}}, ""},
		{[]sinks.Range{{Start: 0, End: 2}, {Start: 2, End: 4}, {Start: 3, End: 5}}, "56789"},
		{[]sinks.Range{{Start: 8, End: 20}, {Start: 30, End: 40}}, "01234567"},
	} {
		e := &sinks.Event{Data: inbound.NewMailData([]byte("0123456789")), Cut: c.cut}
		got, err := CopyWith(e, nil)
		if err != nil {
			t.Fatal(err)
		}
		// Digits are no field, so an empty line stands before them.
		if p, err := io.ReadAll(got.Open()); err != nil || strings.TrimPrefix(string(p), "\r\n") != c.want {
			t.Errorf("%v: %q %v", c.cut, p, err)
		}
	}
}

func FuzzCut(f *testing.F) {
	for _, s := range []string{
		"Return-Path: a\r\nB: c\r\n\r\nd", "A: b\rAuthentication-Results: mx.in.example; x\r\n\r\n", "From x\r\nDelivered-To: y\n z\n\n",
		"hello", "\r\r\n", " x\r\n", "A:\r\r\rReturn-Path:\rX-Original-To:\r\n\r\nReturn-Path: x",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, data string) {
		rest := left(t, data)
		// Nothing to cut is left, for any reader's idea of a line.
		d := inbound.NewMailData([]byte(rest))
		again, err := Cut(d, &message.Message{}, ours)
		if err != nil {
			t.Fatal(err)
		}
		if len(again) > 0 {
			t.Fatalf("%q leaves %q, cut again %v", data, rest, again)
		}
		e := event(t, data, "support@in.example")
		if e.Cut, err = Cut(e.Data, e.Message, ours); err != nil {
			t.Fatal(err)
		}
		got := copyOf(t, e)
		if !strings.HasPrefix(got, string(Fields(e))) || !strings.HasSuffix(got, rest) {
			t.Fatalf("%q became %q", data, got)
		}
		// Each of the fields that we wrote is still one, and nothing continues them.
		after := got[len(Fields(e)):]
		if after != "" && (after[0] == ' ' || after[0] == '\t') {
			t.Fatalf("%q continues our fields in %q", data, got)
		}
	})
}
