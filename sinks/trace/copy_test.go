package trace

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net/mail"
	"slices"
	"strings"
	"testing"

	"mxhook/inbound"
	"mxhook/inbound/message"
	"mxhook/sinks"
)

// ours claims each body that begins with our name, after blanks.
func ours(body string) bool { return strings.HasPrefix(strings.TrimSpace(body), "mx.in.example") }

// left returns data without what Cut cuts.
func left(t testing.TB, data string) string {
	t.Helper()
	d := inbound.NewMailData([]byte(data))
	cut, err := Cut(d, &message.Message{}, ours)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	at := int64(0)
	for _, r := range cut {
		if r.Start < at || r.End <= r.Start || r.End > int64(len(data)) {
			t.Fatalf("%.100q: ranges %v", data, cut)
		}
		b.WriteString(data[at:r.Start])
		at = r.End
	}
	return b.String() + data[at:]
}

func TestCutTakesWholeFields(t *testing.T) {
	const forged = "Authentication-Results: mx.in.example; dmarc=pass\r\n"
	long := strings.Repeat("x", maxResults)
	for _, c := range []struct{ name, data, want string }{
		{"nothing to cut", "A: b\r\n\r\nc\r\n", "A: b\r\n\r\nc\r\n"},
		{"empty message", "", ""},
		{"the three fields", "Return-Path: <a@b>\r\nA: b\r\nX-Original-To: c\r\nDelivered-To: d\r\nE: f\r\n\r\ng\r\n", "A: b\r\nE: f\r\n\r\ng\r\n"},
		{"any case", "rETURN-pATH: <a@b>\r\nA: b\r\n\r\n", "A: b\r\n\r\n"},
		{"blanks before the colon", "Return-Path \t: <a@b>\r\nA: b\r\n\r\n", "A: b\r\n\r\n"},
		{"folded", "A: b\r\nDelivered-To: c\r\n d\r\n\t e\r\nF: g\r\n\r\n", "A: b\r\nF: g\r\n\r\n"},
		{"the folded field before one that stays", "A: b\r\n Delivered-To: c\r\n\r\n", "A: b\r\n Delivered-To: c\r\n\r\n"},
		{"names that only begin alike", "Return-Path-X: a\r\nX-Delivered-To: b\r\nARC-Authentication-Results: i=1; mx.in.example; x\r\n\r\n", "Return-Path-X: a\r\nX-Delivered-To: b\r\nARC-Authentication-Results: i=1; mx.in.example; x\r\n\r\n"},
		{"in the body", "A: b\r\n\r\nReturn-Path: <a@b>\r\n" + forged, "A: b\r\n\r\nReturn-Path: <a@b>\r\n" + forged},
		{"in the body after bare LF", "A: b\n\nReturn-Path: <a@b>\n", "A: b\n\nReturn-Path: <a@b>\n"},
		{"results of another", "Authentication-Results: mx.other.example; dmarc=pass\r\n\r\n", "Authentication-Results: mx.other.example; dmarc=pass\r\n\r\n"},
		{"results that claim our name", forged + "A: b\r\n" + forged + forged + "\r\nc", "A: b\r\n\r\nc"},
		{"results that claim it in a fold", "A: b\r\nAuthentication-Results:\r\n mx.in.example;\r\n dmarc=pass\r\nC: d\r\n\r\n", "A: b\r\nC: d\r\n\r\n"},
		{"results too long to be honest", "A: b\r\nAuthentication-Results: (" + long + ") mx.in.example; x\r\nC: d\r\n\r\n", "A: b\r\nC: d\r\n\r\n"},
		{"a long line before", "A: " + long + long + "\r\n" + forged + "\r\n", "A: " + long + long + "\r\n\r\n"},
		{"a name within a long line", "A: " + strings.Repeat("x", maxResults-3) + forged + "\r\n", "A: " + strings.Repeat("x", maxResults-3) + forged + "\r\n"},
		{"a long line cut", "Delivered-To: " + long + long + long + "\r\nA: b\r\n\r\n", "A: b\r\n\r\n"},
		{"beyond half a MiB of header", strings.Repeat("X: y\r\n", 100_000) + forged + "Z: z\r\n\r\n", strings.Repeat("X: y\r\n", 100_000) + "Z: z\r\n\r\n"},
		{"no line end at the end", "A: b\r\nReturn-Path: c", "A: b\r\n"},
		{"a line that is no field", "A: b\r\nno field\r\n" + forged + "\r\n", "A: b\r\nno field\r\n\r\n"},
		{"mbox line first", "From a@b Sat Nov 21 10:00:00 2026\r\n" + forged + "A: b\r\n\r\n", "From a@b Sat Nov 21 10:00:00 2026\r\nA: b\r\n\r\n"},
		{"no header section", "Hello\r\nReturn-Path: is a word\r\n", "Hello\r\nReturn-Path: is a word\r\n"},
		{"no header section, blank first", " Hello\r\nReturn-Path: is a word\r\n", " Hello\r\nReturn-Path: is a word\r\n"},
		{"bare LF", "A: b\nReturn-Path: c\nD: e\n\nf", "A: b\nD: e\n\nf"},
		{"CR CR LF", "A: b\r\r\nReturn-Path: c\r\r\nD: e\r\n\r\n", "A: b\r\r\nD: e\r\n\r\n"},
		{"after a bare CR", "A: b\r" + forged + "C: d\r\n\r\n", "A: b\r\nC: d\r\n\r\n"},
		{"between bare CRs", "A: b\rReturn-Path: c\rD: e\r\n\r\n", "A: b\rD: e\r\n\r\n"},
		{"two after bare CRs", "A: b\rReturn-Path: c\rReturn-Path: d\r\nE: f\r\n\r\n", "A: b\r\nE: f\r\n\r\n"},
		{"two, bare CR between", "A: b\r\nReturn-Path: c\rReturn-Path: d\r\nE: f\r\n\r\n", "A: b\r\nE: f\r\n\r\n"},
		{"three, bare CRs between", "Return-Path: c\rReturn-Path: d\rReturn-Path: e\r\nE: f\r\n\r\n", "E: f\r\n\r\n"},
		{"several CRs", "A: b\r\r\r" + forged + "C: d\r\n\r\n", "A: b\r\nC: d\r\n\r\n"},
		{"folded by a bare CR", "Return-Path: c\r d\r\nE: f\r\n\r\n", "E: f\r\n\r\n"},
	} {
		if got := left(t, c.data); got != c.want {
			t.Errorf("%s: got %.300q, want %.300q", c.name, got, c.want)
		}
	}
}

func TestCutCleansTheMessage(t *testing.T) {
	const data = "Return-Path: <a@b>\r\nAuthentication-Results: mx.in.example; dmarc=pass\r\nA: b\r\nauthentication-results: other.example; x\r\n\r\n"
	m := &message.Message{Header: []message.Field{
		{Name: "Return-Path", Raw: " <a@b>"},
		{Name: "Authentication-Results", Raw: " mx.in.example; dmarc=pass", Value: "decoded otherwise"},
		{Name: "A", Raw: " b"},
		{Name: "authentication-results", Raw: " other.example; x"},
		{Name: "Authentication-Results ", Raw: "\r\n mx.in.example; x"},
	}}
	if _, err := Cut(inbound.NewMailData([]byte(data)), m, ours); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range m.Header {
		names = append(names, f.Name)
	}
	if !slices.Equal(names, []string{"Return-Path", "A", "authentication-results"}) {
		t.Errorf("fields left: %q", names)
	}
	if len(m.Defects) != 1 || m.Defects[0].Code != "forged-authentication-results" || !strings.HasPrefix(m.Defects[0].Text, "2 ") {
		t.Errorf("defects %+v", m.Defects)
	}
}

func TestAForgedFieldThatTheParserDidNotSeeIsADefect(t *testing.T) {
	m := &message.Message{}
	if _, err := Cut(inbound.NewMailData([]byte("A: b\rAuthentication-Results: mx.in.example; x\r\n\r\n")), m, ours); err != nil {
		t.Fatal(err)
	}
	if len(m.Defects) != 1 {
		t.Errorf("defects %+v", m.Defects)
	}
}

func TestAnHonestMessageHasNoDefect(t *testing.T) {
	m := &message.Message{Header: []message.Field{{Name: "Authentication-Results", Raw: " other.example; x"}}}
	cut, err := Cut(inbound.NewMailData([]byte("Authentication-Results: other.example; x\r\n\r\n")), m, ours)
	if err != nil || len(cut) != 0 || len(m.Defects) != 0 || len(m.Header) != 1 {
		t.Errorf("%v %v %+v", cut, err, m)
	}
}

func TestCutOfAReleasedMessageIsAnError(t *testing.T) {
	d := inbound.NewMailData([]byte("A: b\r\n\r\n"))
	d.Release()
	if _, err := Cut(d, &message.Message{}, ours); err == nil {
		t.Error("no error")
	}
	if _, err := Copy(&sinks.Event{Data: d}); err == nil {
		t.Error("Copy: no error")
	}
}

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

// TestCutBytesAreTheOnlyOnesMissing cuts generated header sections and looks for
// each octet of what must stay.
func TestCutBytesAreTheOnlyOnesMissing(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		var data, want bytes.Buffer
		data.WriteString("A: b\r\n")
		want.WriteString("A: b\r\n")
		for i := range r.IntN(30) {
			end := []string{"\r\n", "\n", "\r\r\n"}[r.IntN(3)]
			fold := strings.Repeat(end+" fold: x", r.IntN(3))
			name := []string{"Subject", "Received", "Return-Path", "Delivered-To", "X-Original-To", "Authentication-Results"}[r.IntN(6)]
			field := fmt.Sprintf("%s: %s%d%s%s", name, strings.Repeat("x", r.IntN(200)), i, fold, end)
			data.WriteString(field)
			if name == "Subject" || name == "Received" || name == "Authentication-Results" {
				want.WriteString(field)
			}
		}
		const body = "\r\nReturn-Path: body\r\n"
		if got := left(t, data.String()+body); got != want.String()+body {
			t.Fatalf("%q\ngot  %q\nwant %q", data.String(), got, want.String()+body)
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
