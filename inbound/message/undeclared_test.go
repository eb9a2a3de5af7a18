package message_test

import (
	"bytes"
	"strings"
	"testing"

	"mxhook/inbound/message"
)

// ISO-2022-JP is ASCII to all that don't look for its escape sequences, so that programs
// send it without a charset, and in fields without encoded words.
func TestISO2022JPWithoutCharsetIsRead(t *testing.T) {
	const jis, want = "\x1b$B$3$s$K$A$O@$3&\x1b(B", "こんにちは世界"
	for name, data := range map[string]string{
		"no charset": "From: a@b.example\r\nSubject: " + jis + "\r\n\r\n" + jis + "\r\n",
		"US-ASCII":   "From: a@b.example\r\nSubject: " + jis + "\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n" + jis + "\r\n",
		"html":       "From: a@b.example\r\nSubject: " + jis + "\r\nContent-Type: text/html\r\n\r\n<p>" + jis + "</p>\r\n",
	} {
		m := parseString(data)
		if m.Subject != want || strings.TrimSpace(m.Text) != want {
			t.Errorf("%s: subject %q, text %q", name, m.Subject, m.Text)
		}
		if len(m.Defects) != 2 || m.Defects[0].Code != message.DefectCharsetGuessed || m.Defects[1].Code != message.DefectCharsetGuessed {
			t.Errorf("%s: defects %v", name, m.Defects)
		}
	}
	// What only looks like it stays as it is.
	for _, text := range []string{"\x1b$B$", "\x1b$B\x01\x02\x1b(B", "\x1b[31mred\x1b[0m", "costs \x1b$5"} {
		m := parseString("From: a@b.example\r\nSubject: s\r\n\r\n" + text + "\r\n")
		if m.Text != text+"\n" {
			t.Errorf("%q became %q", text, m.Text)
		}
	}
	// The author is read from the octets as they stand, as everybody reads them who verifies him.
	m := parseString("From: \x1b$B<ann@x.example>\x1b(B <b@y.example>\r\nSubject: s\r\n\r\nx\r\n")
	if len(m.From) == 0 || m.From[0].Address != "ann@x.example" {
		t.Errorf("From is %v", m.From)
	}
}

func TestUTF16WithAByteOrderMarkNeedsNoCharset(t *testing.T) {
	for _, b64 := range []string{"//5IAGkAAyY=", "/v8ASABpJgM="} {
		m := parseString("From: a@b.example\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\n" + b64 + "\r\n")
		if m.Text != "Hi☃" || len(m.Defects) != 1 || m.Defects[0].Code != message.DefectCharsetGuessed {
			t.Errorf("%s: %q, %v", b64, m.Text, m.Defects)
		}
	}
}

func parseString(s string) *message.Message {
	return message.Parse(bytes.NewReader([]byte(s)), int64(len(s)), message.Options{})
}

// Its octets look like brackets, quotes and commas, in a name without quotes too.
func TestISO2022JPInANameIsRead(t *testing.T) {
	const jis, want = "\x1b$B;3ED\x1b(B \x1b$BB@O:<\"<,\x1b(B", "山田 太郎滋蒔"
	m := parseString("From: " + jis + " <a@b.example>\r\nTo: \"x\" <x@b.example>, " + jis + " <b@b.example>\r\n\r\nx\r\n")
	if len(m.From) != 1 || m.From[0].Address != "a@b.example" || m.From[0].Name != want {
		t.Errorf("from %+q", m.From)
	}
	if len(m.To) != 2 || m.To[1].Address != "b@b.example" || m.To[1].Name != want {
		t.Errorf("to %+q", m.To)
	}
	for _, d := range m.Defects {
		if d.Code != message.DefectCharsetGuessed {
			t.Errorf("%+v", d)
		}
	}
}
