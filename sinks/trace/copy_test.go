package trace

import (
	"bytes"
	"encoding/json"
	"io"
	"net/mail"
	"os/exec"
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
		{"blank first, no field next", " continues our field\r\nhello\r\n\r\nhello\r\n", "\r\n", "", " continues our field\r\nhello\r\n\r\nhello\r\n"},
		{"two lines that are no field", "hello\r\nyou\r\nSubject: x\r\n\r\nhello\r\n", "\r\n", "", "hello\r\nyou\r\nSubject: x\r\n\r\nhello\r\n"},
		{"a boundary first", "--b\r\nSubject: x\r\n\r\nhello\r\n", "\r\n", "", "--b\r\nSubject: x\r\n\r\nhello\r\n"},
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

// damaged are first lines that no reader takes for a field, and what of a message with
// a From, a Subject and a forged field behind them the payload shows.
var damaged = []struct{ name, line string }{
	{"junk", "junk\r\n"},
	{"junk of 100 kB", strings.Repeat("junk ", 20_000) + "\r\n"},
	{"junk with bare LF", "junk\n"},
	{"a blank in the name", "X y: z\r\n"},
	{"an 8-bit name", "S\xfcbject: z\r\n"},
	{"a UTF-8 name", "Sübject: z\r\n"},
	{"a NUL in the name", "X\x00Y: z\r\n"},
	{"a byte order mark", mark + "X-First: z\r\n"},
	{"a byte order mark alone", mark + "\r\n"},
	{"a byte order mark and an mbox line", mark + "From ann@sender.example Sat Nov 21\r\n"},
	{"a colon", ": z\r\n"},
	{"blanks", " would continue our field\r\n"},
	{"a tab", "\tz\r\n"},
	{"an empty line", "\r\n"},
	{"a field that is cut before it", "Return-Path: <a@b>\r\njunk\r\n"},
	{"a field that is cut behind it", "junk\r\nReturn-Path: <a@b>\r\n"},
}

const behind = "From: Ann <ann@sender.example>\r\nAuthentication-Results: mx.in.example; dmarc=pass\r\nSubject: x\r\n" +
	"Delivered-To: evil@sender.example\r\nContent-Type: text/html\r\n\r\n<p>hello\r\n"

// damagedCopy returns the raw copy of a message that begins with line.
func damagedCopy(t *testing.T, line string) (copied, frozen string) {
	t.Helper()
	e := parsed(t, line+behind)
	if e.Message.Subject != "x" || len(e.Message.From) != 1 || !strings.Contains(e.Message.HTML, "hello") {
		t.Fatalf("the payload is of another message: %+v", e.Message)
	}
	frozen = strings.NewReplacer("Authentication-Results: mx.in.example; dmarc=pass\r\n", "",
		"Delivered-To: evil@sender.example\r\n", "", "Return-Path: <a@b>\r\n", "").Replace(line + behind)
	return copyOf(t, e), frozen
}

func parsed(t testing.TB, data string) *sinks.Event {
	t.Helper()
	e := event(t, data, "support@in.example")
	e.Message = message.Parse(e.Data, e.Data.Size(), message.Options{})
	var err error
	if e.Cut, err = Cut(e.Data, e.Message, ours); err != nil {
		t.Fatal(err)
	}
	return e
}

func TestADamagedFirstLineCostsNoOtherField(t *testing.T) {
	for _, c := range damaged {
		t.Run(c.name, func(t *testing.T) {
			got, frozen := damagedCopy(t, c.line)
			if want := string(Fields(event(t, "", "support@in.example"))) + "X-Damaged-Line: " + frozen; got != want {
				t.Fatalf("got %.2000q\nwant %.2000q", got, want)
			}
			m := message.Parse(strings.NewReader(got), int64(len(got)), message.Options{})
			if m.Subject != "x" || len(m.From) != 1 || m.From[0].Address != "ann@sender.example" || m.HTML != "<p>hello\n" {
				t.Errorf("the parser reads %+v", m)
			}
			std, err := mail.ReadMessage(strings.NewReader(got))
			if err != nil || std.Header.Get("Subject") != "x" || len(std.Header["Authentication-Results"]) != 1 {
				t.Errorf("net/mail reads %v, %v", std, err)
			}
		})
	}
}

// TestPythonFindsTheFieldsBehindADamagedLine asks a reader that ends the header section
// at the first line that is no field.
func TestPythonFindsTheFieldsBehindADamagedLine(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("python3 is not here")
	}
	const program = `
import email, email.policy, json, sys
for text in json.load(sys.stdin):
    m = email.message_from_bytes(text.encode("latin-1"), policy=email.policy.default)
    print(m["Subject"], m["From"], m.get_content_type(), m["Delivered-To"], len(m.get_all("Authentication-Results")), m.get_payload().strip(), sep="|")
`
	var copies []string
	for _, c := range damaged {
		got, _ := damagedCopy(t, c.line)
		octets := []rune{}
		for _, b := range []byte(got) {
			octets = append(octets, rune(b))
		}
		copies = append(copies, string(octets))
	}
	in, err := json.Marshal(copies)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(python, "-c", program)
	cmd.Stdin = bytes.NewReader(in)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if len(lines) != len(damaged) {
		t.Fatalf("%d lines: %s", len(lines), out)
	}
	for i, c := range damaged {
		if got := strings.TrimSpace(lines[i]); got != "x|Ann <ann@sender.example>|text/html|None|1|<p>hello" {
			t.Errorf("%s: %s", c.name, got)
		}
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
		"\nFrom: a\nAuthentication-Results: mx.in.example; x\n\n", mark + "Delivered-To: b\nC: d\n\n", "x\nAuthentication-Results: mx.in.example;\nx=y\n\n",
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
		// With what the payload knows of the message, none of those that were cut is
		// a field of the copy: ours are the only ones.
		copied := copyOf(t, parsed(t, data))
		for i, field := range message.Parse(strings.NewReader(copied), int64(len(copied)), message.Options{}).Header {
			if k := kindOf(field.Name); i > 4 && (k == kindReplaced || k == kindResults && ours(field.Raw)) {
				t.Fatalf("%q has %q in %q", data, field.Name, copied)
			}
		}
	})
}
