package sqs_test

import (
	"encoding/json"
	"strings"
	"testing"

	"mxhook/sinks/cloud"
	"mxhook/sinks/payload/formats"
	"mxhook/sinks/payload/payloadtest"
	"mxhook/sinks/sqs"
)

// awkward are the characters that SQS doesn't take, that it does take but others stumble
// over, and octets that are no characters at all: a lone surrogate, a truncated emoji.
const awkward = "\x01\x0b\x1f\x7f\u0085\u2028\ufffe\uffff\U0001fffe\U0001f600 e\u0301 \ufeff"

const octets = "\xed\xa0\x80 \xf0\x9f\x98 \xff\xfe"

var awkwardMail = []byte("From: \"" + awkward + "\" <ann@sender.example>\r\nTo: support@in.example\r\n" +
	"Subject: =?UTF-8?Q?=01=EF=BF=BF=EF=BF=BE=F0=9F=98=80?= " + awkward + octets + "\r\nMessage-ID: <1@sender.example>\r\nX-Odd: " + awkward + octets + "\r\n" +
	"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n" +
	"--b\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n" + strings.Repeat(awkward+octets+"\r\n", 2000) +
	"--b\r\nContent-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n=01=EF=BF=BF=ED=A0=80<b>\r\n" +
	"--b\r\nContent-Type: text/plain; name=\"=?UTF-8?Q?=01=EF=BF=BF.txt?=\"\r\nContent-Disposition: attachment\r\n\r\n" + awkward + octets + "\r\n--b--\r\n")

// TestEveryTextOfMailIsInCharactersThatSQSTakes in every format that a queue may have.
func TestEveryTextOfMailIsInCharactersThatSQSTakes(t *testing.T) {
	tried := 0
	for _, name := range formats.Names() {
		if kind, _ := formats.Find(name); !kind.JSON {
			continue
		}
		tried++
		t.Run(name, func(t *testing.T) {
			f := startFake(t)
			s := newSink(t, sqs.Config{Cloud: cloud.Config{Endpoint: f.URL}, FormatName: name})
			e := payloadtest.Event(t, awkwardMail)
			e.Session.HELO = awkward + "\xff"
			if o := s.Deliver(t.Context(), e); o.Err != nil {
				t.Fatalf("%+v", o)
			}
			m := f.sent()[0]
			if !json.Valid([]byte(m.Body)) {
				t.Error("no JSON")
			}
			for _, text := range []string{m.Body, m.Attributes[sqs.AttributeEvent].StringValue} {
				if bad := strings.IndexFunc(text, func(r rune) bool {
					return r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == '\ufffe' || r == '\uffff'
				}); bad >= 0 {
					t.Errorf("at %d: %q", bad, text[bad:min(len(text), bad+20)])
				}
			}
		})
	}
	if tried < 5 {
		t.Errorf("%d formats", tried)
	}
}

// TestTheCharactersComeBack: escaped, not dropped.
func TestTheCharactersComeBack(t *testing.T) {
	f := startFake(t)
	s := newSink(t, sqs.Config{Cloud: cloud.Config{Endpoint: f.URL}})
	if o := s.Deliver(t.Context(), payloadtest.Event(t, awkwardMail)); o.Err != nil {
		t.Fatal(o.Err)
	}
	var p struct {
		Message struct{ Text, Subject string }
	}
	if err := json.Unmarshal([]byte(f.sent()[0].Body), &p); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"\x01", "\ufffe\uffff\U0001fffe\U0001f600"} {
		if !strings.Contains(p.Message.Text, want) {
			t.Errorf("%q is not in the text: %.80q", want, p.Message.Text)
		}
	}
	if !strings.Contains(p.Message.Subject, "\U0001f600") {
		t.Errorf("subject %q", p.Message.Subject)
	}
	if strings.ContainsAny(p.Message.Text, "\ud7ff") || !strings.Contains(p.Message.Text, "\ufffd") {
		t.Error("octets that are no characters have no U+FFFD")
	}
}
