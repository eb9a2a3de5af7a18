package trace

import (
	"bytes"
	"net/mail"
	"net/netip"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"mxhook/inbound"
	"mxhook/inbound/message"
	"mxhook/sinks"
	"mxhook/verify"
	"mxhook/verify/authres"
)

func path(t testing.TB, s string) inbound.Path {
	t.Helper()
	p, err := inbound.ParsePath(s, true)
	if err != nil {
		t.Fatalf("%q: %v", s, err)
	}
	return p
}

func event(t testing.TB, data string, rcpts ...string) *sinks.Event {
	e := &sinks.Event{
		ID:         "msg_abcdefghijklmnopqrstuvwxyz",
		ReceivedAt: time.Date(2026, 11, 21, 11, 0, 0, 0, time.FixedZone("", 3600)),
		Hostname:   "mx.in.example",
		Session: inbound.Session{
			RemoteIP: netip.MustParseAddr("192.0.2.1"), HELO: "mail.sender.example",
			TLS: &inbound.TLS{Version: "TLS 1.3", Cipher: "TLS_AES_128_GCM_SHA256"},
		},
		Mail:    inbound.Mail{ReversePath: path(t, "ann@sender.example"), Protocol: "ESMTPS"},
		Message: &message.Message{},
		Results: &verify.Results{
			IPRev:       verify.IPRev{Result: authres.Pass, Name: "out.sender.example"},
			Header:      "mx.in.example; spf=pass smtp.mailfrom=sender.example; dkim=pass header.d=sender.example header.s=s1; dmarc=pass header.from=sender.example",
			ReceivedSPF: "pass (mx.in.example: domain of ann@sender.example designates 192.0.2.1 as permitted sender) client-ip=192.0.2.1; envelope-from=\"ann@sender.example\"; helo=mail.sender.example",
		},
		Data: inbound.NewMailData([]byte(data)),
	}
	for _, r := range rcpts {
		e.Recipients = append(e.Recipients, sinks.Recipient{Path: path(t, r)})
	}
	return e
}

func TestFieldsInTheirOrder(t *testing.T) {
	const want = `Return-Path: <ann@sender.example>
X-Original-To: support+42@in.example
Authentication-Results: mx.in.example; spf=pass smtp.mailfrom=sender.example;
 dkim=pass header.d=sender.example header.s=s1; dmarc=pass
 header.from=sender.example
Received-SPF: pass (mx.in.example: domain of ann@sender.example designates
 192.0.2.1 as permitted sender) client-ip=192.0.2.1;
 envelope-from="ann@sender.example"; helo=mail.sender.example
Received: from mail.sender.example (out.sender.example [192.0.2.1]) (using
 TLS1.3 with cipher TLS_AES_128_GCM_SHA256) by mx.in.example with ESMTPS id
 msg_abcdefghijklmnopqrstuvwxyz for <support+42@in.example>; Sat, 21 Nov 2026
 10:00:00 +0000
`
	if got := string(Fields(event(t, "", "support+42@in.example"))); got != strings.ReplaceAll(want, "\n", "\r\n") {
		t.Errorf("got\n%s", got)
	}
}

// unfolded returns the names and bodies of the fields in p, which must be whole
// lines of at most 998 octets.
func unfolded(t testing.TB, p []byte) [][2]string {
	t.Helper()
	if len(p) > 0 && !bytes.HasSuffix(p, []byte("\r\n")) {
		t.Fatalf("no line end: %q", p)
	}
	var fields [][2]string
	for line := range strings.SplitSeq(strings.TrimSuffix(string(p), "\r\n"), "\r\n") {
		if len(line) > maxLine {
			t.Fatalf("a line of %d octets", len(line))
		}
		if strings.ContainsAny(line, "\r\n\x00") || !utf8.ValidString(line) || strings.TrimLeft(line, " ") == "" {
			t.Fatalf("line %q", line)
		}
		if line[0] == ' ' {
			fields[len(fields)-1][1] += line
			continue
		}
		name, body, ok := strings.Cut(line, ":")
		if !ok || body != "" && body[0] != ' ' {
			t.Fatalf("no field: %q", line)
		}
		fields = append(fields, [2]string{name, strings.TrimPrefix(body, " ")})
	}
	return fields
}

func TestFieldsForEnvelopes(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*sinks.Event)
		want   map[string]string // body, or a part of it for Received
		never  []string
	}{
		{"null reverse-path", func(e *sinks.Event) { e.Mail.ReversePath = inbound.Path{} }, map[string]string{"Return-Path": "<>"}, nil},
		{"quoted local parts", func(e *sinks.Event) {
			e.Mail.ReversePath = path(t, `"a  \"b\" <x@y>, ;:(c"@sender.example`)
			e.Recipients[0].Path = path(t, `"> to\\"@in.example`)
		}, map[string]string{
			"Return-Path": `<"a  \"b\" <x@y>, ;:(c"@sender.example>`, "X-Original-To": `"> to\\"@in.example`, "Received": ` for <"> to\\"@in.example>; Sat, `,
		}, nil},
		{"SMTPUTF8 addresses", func(e *sinks.Event) {
			e.Mail.ReversePath, e.Mail.Protocol = path(t, "änn@sénder.example"), "UTF8SMTPS"
			e.Recipients[0].Path = path(t, "grün@in.example")
		}, map[string]string{"Return-Path": "<änn@sénder.example>", "X-Original-To": "grün@in.example", "Received": " with UTF8SMTPS id "}, nil},
		{"two recipients: none in Received", func(e *sinks.Event) {
			e.Recipients = append(e.Recipients, sinks.Recipient{Path: path(t, "bcc@in.example")})
		}, map[string]string{"Received": "vwxyz; Sat,"}, []string{" for <"}},
		{"in clear", func(e *sinks.Event) { e.Session.TLS = nil }, map[string]string{"Received": "[192.0.2.1]) by mx.in.example"}, []string{"using"}},
		{"IPv6", func(e *sinks.Event) { e.Session.RemoteIP = netip.MustParseAddr("2001:db8::1") }, map[string]string{"Received": "(out.sender.example [IPv6:2001:db8::1])"}, nil},
		{"a name that is not confirmed", func(e *sinks.Event) { e.Results.IPRev.Result = authres.Fail }, map[string]string{"Received": "from mail.sender.example ([192.0.2.1])"}, []string{"out.sender"}},
		{"no connection", func(e *sinks.Event) { e.Session = inbound.Session{} }, map[string]string{"Received": "from unknown by mx.in.example"}, []string{"invalid", "()"}},
		{"nothing verified", func(e *sinks.Event) { e.Results = nil }, map[string]string{"Authentication-Results": "mx.in.example; none", "Received": "([192.0.2.1])"}, []string{"Received-SPF"}},
		{"HELO is an address literal", func(e *sinks.Event) { e.Session.HELO = "[IPv6:2001:db8::1]" }, map[string]string{"Received": "from [IPv6:2001:db8::1] (out"}, nil},
		{"HELO is half a literal", func(e *sinks.Event) { e.Session.HELO = "[127.0.0.1" }, map[string]string{"Received": "from ?127.0.0.1 (out"}, nil},
		{"HELO plays Received", func(e *sinks.Event) {
			e.Session.HELO = "x (good.example [198.51.100.1]) by mx.in.example; Mon,"
		}, map[string]string{"Received": "from x??good.example??198.51.100.1???by?mx.in.example??Mon? (out"}, nil},
		{"HELO injects", func(e *sinks.Event) { e.Session.HELO = "a\r\nSubject: x\r\n\r\nbody" }, nil, []string{"\nSubject", "\nbody"}},
		{"everything injects", func(e *sinks.Event) {
			const x = "a\r\nEvil: x\rEvil: y\nEvil: z\x00\u2028\u0085\xff\x1b"
			p := inbound.Path{LocalPart: x, Domain: x}
			e.ID, e.Hostname, e.Mail.Protocol, e.Mail.ReversePath, e.Recipients[0].Path = x, x, x, p, p
			e.Session.TLS = &inbound.TLS{Version: x, Cipher: x}
			e.Results.Header, e.Results.ReceivedSPF, e.Results.IPRev.Name = x, x, x
		}, nil, []string{"\nEvil", "\rEvil", "\x00", "\u2028", "\u0085", "\x1b"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := event(t, "", "support@in.example")
			c.change(e)
			got := Fields(e)
			fields := unfolded(t, got)
			for name, want := range c.want {
				if body := bodyOf(fields, name); body != want && (name != "Received" || !strings.Contains(body, want)) {
					t.Errorf("%s: got %q, want %q", name, body, want)
				}
			}
			for _, never := range c.never {
				if bytes.Contains(got, []byte(never)) {
					t.Errorf("%q in %q", never, got)
				}
			}
			for _, f := range fields {
				if !regexp.MustCompile(`^(Return-Path|X-Original-To|Authentication-Results|Received-SPF|Received)$`).MatchString(f[0]) {
					t.Errorf("field %q", f[0])
				}
			}
			if _, err := mail.ReadMessage(strings.NewReader(string(got) + "\r\n")); err != nil {
				t.Errorf("net/mail: %v", err)
			}
		})
	}
}

func bodyOf(fields [][2]string, name string) string {
	for _, f := range fields {
		if f[0] == name {
			return f[1]
		}
	}
	return ""
}

func TestOneOriginalToForEachRecipient(t *testing.T) {
	e := event(t, "", "b@in.example", "a@in.example", "c@in.example")
	const want = "X-Original-To: b@in.example\r\nX-Original-To: a@in.example\r\nX-Original-To: c@in.example\r\n"
	if got := string(OriginalTo(e)); got != want {
		t.Errorf("got %q", got)
	}
	if !bytes.Contains(Fields(e), []byte(".example>\r\n"+want+"Authentication-Results:")) {
		t.Errorf("not in Fields: %q", Fields(e))
	}
}

func TestLongBodiesAreFolded(t *testing.T) {
	for name, body := range map[string]string{
		"a token of 3000 octets":    strings.Repeat("x", 3000),
		"characters at the edge":    strings.Repeat("€", 1000),
		"a wide token after others": "a b " + strings.Repeat("y", 995) + " c",
		"many words":                strings.Repeat("word ", 1000),
		"many blanks":               "a" + strings.Repeat(" ", 3000) + "b",
		"blanks alone":              strings.Repeat(" ", 3000),
		"nothing":                   "",
	} {
		var b bytes.Buffer
		writeField(&b, "X", body)
		if got := unfolded(t, b.Bytes()); len(got) != 1 {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func FuzzFields(f *testing.F) {
	f.Add("a b", 1)
	f.Add("a\r\nEvil: x", 3)
	f.Add(strings.Repeat("é\"(", 400), 2)
	f.Add("\x80\xff \t x", 5)
	f.Fuzz(func(t *testing.T, s string, n int) {
		if n < 1 || n > 20 || len(s) > 5000 {
			return
		}
		var b bytes.Buffer
		writeField(&b, "Name", s)
		got := unfolded(t, b.Bytes())
		if len(got) != 1 {
			t.Fatalf("%q became %d fields", s, len(got))
		}
		if len(s) < 900 && !strings.Contains(s, strings.Repeat(" ", maxBlanks)) && !strings.ContainsAny(s, "\r\n\t") && got[0][1] != strings.Trim(printable(s), " ") {
			t.Fatalf("%q became %q", s, got[0][1])
		}
		e := event(t, "", strings.Split(strings.Repeat("a@in.example ", n)[:13*n-1], " ")...)
		p := inbound.Path{LocalPart: s, Domain: s}
		e.ID, e.Hostname, e.Session.HELO, e.Mail.Protocol, e.Mail.ReversePath, e.Recipients[0].Path = s, s, s, s, p, p
		e.Results.Header, e.Results.ReceivedSPF = s, s
		want := 4 + n // with Received-SPF
		if s == "" {
			want--
		}
		if got := unfolded(t, Fields(e)); len(got) != want {
			t.Fatalf("%q: %d fields, want %d", s, len(got), want)
		}
	})
}
