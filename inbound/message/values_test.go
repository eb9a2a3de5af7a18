package message

import (
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func TestParseDate(t *testing.T) {
	for _, c := range []struct{ rule, in, want string }{
		{"as RFC 5322 has it", "Sat, 21 Nov 2026 10:59:58 +0100", "2026-11-21T10:59:58+01:00"},
		{"with a comment", "Sat, 21 Nov 2026 09:59:58 +0000 (GMT (x))", "2026-11-21T09:59:58Z"},
		{"without the day of the week", "21 Nov 2026 10:59 -0000", "2026-11-21T10:59:00Z"},
		{"a wrong day of the week", "Mon, 21 Nov 2026 10:59:58 GMT", "2026-11-21T10:59:58Z"},
		{"names of zones", "21 Nov 2026 10:59:58 EST", "2026-11-21T10:59:58-05:00"},
		{"a zone with its name", "21 Nov 2026 10:59:58 GMT+0200", "2026-11-21T10:59:58+02:00"},
		{"two-digit year", "21 Nov 26 10:59:58 UT", "2026-11-21T10:59:58Z"},
		{"two-digit year of the last century", "21 Nov 97 10:59:58 UT", "1997-11-21T10:59:58Z"},
		{"three-digit year", "21 Nov 102 10:59:58 +0000", "2002-11-21T10:59:58Z"},
		{"dashes", "Sat, 21-Nov-2026 10:59:58 +0000", "2026-11-21T10:59:58Z"},
		{"asctime", "Sat Nov 21 10:59:58 2026", "2026-11-21T10:59:58Z"},
		{"asctime with a zone", "Sat Nov  1 10:59:58 EST 2026", "2026-11-01T10:59:58-05:00"},
		{"ISO 8601", "2026-11-21T10:59:58Z", "2026-11-21T10:59:58Z"},
		{"SQL", "2026-11-21 10:59:58", "2026-11-21T10:59:58Z"},
		{"the whole name of the month", "21 November 2026 10:59:58 +0000", "2026-11-21T10:59:58Z"},
		{"a leap second", "31 Dec 2016 23:59:60 +0000", "2017-01-01T00:00:00Z"},
		{"no zone", "21 Nov 2026 10:59:58", "2026-11-21T10:59:58Z"},
		{"a zone glued on", "21 Nov 2026 10:59:58+0530", "2026-11-21T10:59:58+05:30"},
		{"twelve hours", "21 Nov 2026 10:59:58 PM +0000", "2026-11-21T22:59:58Z"},
		{"no such day", "31 Feb 2026 10:59:58 +0000", ""},
		{"no such hour", "21 Nov 2026 25:00:00 +0000", ""},
		{"no month", "21 2026 10:00:00", ""},
		{"words", "yesterday at noon", ""},
		{"nothing", "", ""},
	} {
		got, ok := ParseDate(c.in)
		if ok != (c.want != "") || ok && got.Format(time.RFC3339) != c.want {
			t.Errorf("%s: %q gives %v, %v; want %q", c.rule, c.in, got, ok, c.want)
		}
	}
}

func TestDecodeWords(t *testing.T) {
	for _, c := range []struct{ rule, in, want string }{
		{"Q", "=?iso-8859-1?Q?Gr=FC=DFe_aus?= K", "Grüße aus K"},
		{"B", "=?UTF-8?B?w7w=?=", "ü"},
		{"blanks between words are not text", "=?utf-8?q?a?=  \t=?utf-8?q?b?=", "ab"},
		{"blanks beside text are", "x =?utf-8?q?a?= y", "x a y"},
		{"a character over two words", "=?utf-8?q?=C3?= =?utf-8?q?=BC?=", "ü"},
		{"a character over two B words", "=?utf-8?B?5LiW55U=?= =?utf-8?B?jA==?=", "世界"},
		{"charsets change between words", "=?utf-8?q?=C3=BC?= =?iso-8859-1?q?=FC?=", "üü"},
		{"the language is ignored", "=?utf-8*de?q?=C3=BC?=", "ü"},
		{"no blank before and after", "a=?utf-8?q?b?=c", "abc"},
		{"blanks within", "=?utf-8?q?a b?=", "a b"},
		{"no padding", "=?utf-8?b?w7w?=", "ü"},
		{"ISO-2022-JP", "=?ISO-2022-JP?B?GyRCRnxLXBsoQg==?=", "日本"},
		{"an unknown charset", "=?x-none?q?a=FF?=", "a\ufffd"},
		{"no such encoding stays", "=?utf-8?x?a?=", "=?utf-8?x?a?="},
		{"an open one stays", "=?utf-8?q?a", "=?utf-8?q?a"},
		{"an empty one", "x=?utf-8?q??=y", "xy"},
		{"line ends become a blank", "=?utf-8?q?a=0D=0Ab=0Ac?=", "a b c"},
		{"control characters become U+FFFD", "=?utf-8?q?a=00=1B?=", "a\ufffd\ufffd"},
		{"a tab stays", "a\tb", "a\tb"},
	} {
		p := newParser(nil, 0, Options{})
		if got := p.decodeWords(c.in, ""); got != c.want {
			t.Errorf("%s: %q gives %q, want %q", c.rule, c.in, got, c.want)
		}
	}
}

func TestUnfold(t *testing.T) {
	for in, want := range map[string]string{
		" a\r\n b\r\n\tc": "a b c", " a\n b": "a b", "a\rb": "a b", " \r\n ": "", "a \r\n  b": "a   b",
	} {
		if got := unfold(in); got != want {
			t.Errorf("%q gives %q, want %q", in, got, want)
		}
	}
}

func TestParseParams(t *testing.T) {
	for _, c := range []struct {
		rule, in, head string
		want           params
	}{
		{"token and quoted string", `Text/Plain; charset=utf-8; Name="a;b"`, "text/plain", params{{"charset", "utf-8"}, {"name", "a;b"}}},
		{"escapes", `a/b; n="x\"y\\z"`, "a/b", params{{"n", `x"y\z`}}},
		{"no quotes around blanks", "attachment; filename=my file.txt; size=3", "attachment", params{{"filename", "my file.txt"}, {"size", "3"}}},
		{"no semicolon after the type", "text/plain charset=utf-8", "text/plain", params{{"charset", "utf-8"}}},
		{"no semicolon after a quoted string", `a/b; c="d" e=f`, "a/b", params{{"c", "d"}, {"e", "f"}}},
		{"no closing quote", `a/b; c="d`, "a/b", params{{"c", "d"}}},
		{"parameters alone", `filename="a b.pdf"; size=1`, "", params{{"filename", "a b.pdf"}, {"size", "1"}}},
		{"comments", "text/plain (x; y=z); charset=utf-8", "text/plain", params{{"charset", "utf-8"}}},
		{"a comment behind a name", "attachment; filename(c)=x; size (a) (b) =1", "attachment", params{{"filename", "x"}, {"size", "1"}}},
		{"brackets in a value are no comment", "attachment; filename=file (1).pdf", "attachment", params{{"filename", "file (1).pdf"}}},
		{"the first of two counts", "a/b; c=1; c=2", "a/b", params{{"c", "1"}}},
		{"empty ones", "a/b;; ;c=1;d", "a/b", params{{"c", "1"}}},
		{"RFC 2231 charset", "a; f*=iso-8859-1'de'%FC", "a", params{{"f", "ü"}}},
		{"RFC 2231 wins over a plain one", "a; f=x; f*=utf-8''y", "a", params{{"f", "y"}}},
		{"RFC 2231 out of order", `a; f*1="b"; f*0="a"; f*2*=%43`, "a", params{{"f", "abC"}}},
		{"RFC 2231 charset over segments", "a; f*0*=utf-8''%C3; f*1*=%BC", "a", params{{"f", "ü"}}},
		{"RFC 2231 without charset", "a; f*=%41b", "a", params{{"f", "Ab"}}},
		{"RFC 2231 with broken escapes", "a; f*=utf-8''%4x%", "a", params{{"f", "%4x%"}}},
		{"a number that is none", "a; f*x=1; g=2", "a", params{{"g", "2"}}},
	} {
		p := newParser(nil, 0, Options{})
		head, got := p.parseParams(c.in, "")
		if head != c.head || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %q gives %q %q, want %q %q", c.rule, c.in, head, got, c.head, c.want)
		}
	}
}

func TestMessageIDs(t *testing.T) {
	for _, c := range []struct {
		rule, in string
		want     []string
	}{
		{"several", "<a@b> <c@d>", []string{"<a@b>", "<c@d>"}},
		{"no blank between", "<a@b><c@d>", []string{"<a@b>", "<c@d>"}},
		{"text around", `"Ann's mail of today" <a@b>, x`, []string{"<a@b>"}},
		{"a fold within", "<a@ b>", []string{"<a@b>"}},
		{"no brackets", "a@b, c@d", []string{"<a@b>", "<c@d>"}},
		{"none", "hello", nil},
		{"empty brackets", "<>", nil},
	} {
		p := newParser(nil, 0, Options{})
		if got := p.messageIDs(c.in); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %q gives %q, want %q", c.rule, c.in, got, c.want)
		}
	}
}

// Whoever puts a field above a signed message doesn't break its signature, which covers
// the lowest field of each name (RFC 6376 8.15).
func TestOfAFieldThatStandsTwiceTheLastCounts(t *testing.T) {
	const text = "Subject: forged\r\nDate: Sat, 21 Nov 2026 10:00:00 +0000\r\nContent-Type: text/html\r\nIn-Reply-To: <forged@x.example>\r\nMessage-ID: <forged@x.example>\r\n" +
		"From: ann@sender.example\r\nSubject: signed\r\nDate: Fri, 20 Nov 2026 10:00:00 +0000\r\nContent-Type: text/plain\r\nIn-Reply-To: <1@sender.example>\r\nMessage-ID: <2@sender.example>\r\n\r\n<b>Hello</b>\r\n"
	m := Parse(strings.NewReader(text), int64(len(text)), Options{})
	if m.Subject != "signed" || m.Date.Day() != 20 || m.MessageID != "<2@sender.example>" || len(m.InReplyTo) != 1 || m.InReplyTo[0] != "<1@sender.example>" ||
		m.Text != "<b>Hello</b>\n" || m.HTML != "" {
		t.Errorf("%q %v %q %v %q %q", m.Subject, m.Date, m.MessageID, m.InReplyTo, m.Text, m.HTML)
	}
}

// TestMacintoshCharsets: the first words of a pangram in each, by Python's codecs.
func TestMacintoshCharsets(t *testing.T) {
	for name, c := range map[string][2]string{
		"x-mac-ce":        {"P\xde\x92li\xe4 \xeclu\xe9ou\x8bk\xf9 k\xf3\xcb", "Příliš žluťoučký kůň"},
		"X-Mac-Greek":     {"\xa5\xe5\xf3\xeb\xe5\xf0\xc0\xfa\xf6", "Ξεσκεπάζω"},
		"x-mac-turkish":   {"Pijamal\xdd hasta ya\xdb\xddz \xdfof\x9are", "Pijamalı hasta yağız şoföre"},
		"x-mac-croatian":  {"Gojazni \xf0a\xe8i\xe6", "Gojazni đačić"},
		"x-mac-romanian":  {"Muzicolog\xbe \x94n bej", "Muzicologă în bej"},
		"x-mac-icelandic": {"K\xbemi n\xe0 \x9axi h\x8er", "Kæmi ný öxi hér"},
	} {
		if text, defect := decodeCharset([]byte(c[0]), name); text != c[1] || defect != "" {
			t.Errorf("%s: %q %s, want %q", name, text, defect, c[1])
		}
	}
	for name, table := range map[string]string{"ce": macCentralEurope, "greek": macGreek, "turkish": macTurkish, "croatian": macCroatian, "romanian": macRomanian, "icelandic": macIcelandic} {
		if n := utf8.RuneCountInString(table); n != 128 {
			t.Errorf("%s has %d characters", name, n)
		}
	}
}
