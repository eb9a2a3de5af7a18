package trace

import (
	"bytes"
	"fmt"
	"math/rand/v2"
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
		{"a damaged first line", "Hello\r\n" + forged + "A: b\r\n\r\n", "Hello\r\nA: b\r\n\r\n"},
		{"a damaged first line, blank first", " Hello\r\n" + forged + "A: b\r\n\r\n", " Hello\r\nA: b\r\n\r\n"},
		{"a long damaged first line", long + long + long + "\r\n" + forged + "A: b\r\n\r\n", long + long + long + "\r\nA: b\r\n\r\n"},
		{"after a bare CR in a damaged first line", "Hello\r" + forged + "A: b\r\n\r\n", "Hello\r\nA: b\r\n\r\n"},
		{"a byte order mark", mark + forged + "A: b\r\n\r\n", "A: b\r\n\r\n"},
		{"no header section", "Hello\r\nyou\r\nReturn-Path: is a word\r\n", "Hello\r\nyou\r\nReturn-Path: is a word\r\n"},
		{"no header section, blank first", " Hello\r\nyou\r\nReturn-Path: is a word\r\n", " Hello\r\nyou\r\nReturn-Path: is a word\r\n"},
		{"a name behind which blanks hide the colon", "A: b\r\nAuthentication-Results" + strings.Repeat(" ", 5000) + ": mx.in.example; x\r\n\r\n", "A: b\r\n\r\n"},
		{"a fold that lost its blank", "Authentication-Results: mx.in.example;\r\ndmarc=pass\r\nA: b\r\n\r\n", "A: b\r\n\r\n"},
		{"a field with = behind a semicolon", "Return-Path: a;\r\nA: b=c\r\n\r\n", "A: b=c\r\n\r\n"},
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

func TestACopyOfManyCutFieldsCostsNothingForEach(t *testing.T) {
	const pair = "X: y\r\nReturn-Path: z\r\n"
	e := event(t, strings.Repeat(pair, 50_000)+"\r\nbody", "a@in.example")
	var err error
	if e.Cut, err = Cut(e.Data, e.Message, ours); err != nil || len(e.Cut) != 50_000 {
		t.Fatal(len(e.Cut), err)
	}
	if got, want := copyOf(t, e), string(Fields(e))+strings.Repeat("X: y\r\n", 50_000)+"\r\nbody"; got != want {
		t.Errorf("%d octets, want %d", len(got), len(want))
	}
	if n := testing.AllocsPerRun(1, func() { copyOf(t, e) }); n > 500 {
		t.Errorf("%v allocations", n)
	}
	touching := inbound.NewMailData([]byte(strings.Repeat("Return-Path: z\r\n", 50_000) + "\r\nbody"))
	if cut, err := Cut(touching, &message.Message{}, ours); err != nil || len(cut) != 1 {
		t.Errorf("%d ranges for fields that touch (%v)", len(cut), err)
	}
}

// BenchmarkCut reads an ordinary header section, and one that a peer makes of 8 MiB.
func BenchmarkCut(b *testing.B) {
	ordinary := strings.Repeat("Received: from mail.sender.example by mx.sender.example with ESMTPS\r\n id 1; Sat, 21 Nov 2026 10:00:00 +0000\r\nX-Field: some value\r\n", 10)
	for name, header := range map[string]string{"ordinary": ordinary, "8MiB of fields": strings.Repeat("X: y\r\n", 8<<20/6), "8MiB in a line": "X: " + strings.Repeat("y", 8<<20) + "\r\n"} {
		b.Run(name, func(b *testing.B) {
			d := inbound.NewMailData([]byte(header + "\r\nbody"))
			b.ReportAllocs()
			b.SetBytes(int64(len(header)))
			for b.Loop() {
				if _, err := Cut(d, &message.Message{}, ours); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
