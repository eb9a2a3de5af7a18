package message

import (
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"
)

// names lists the attachments' names, or types where they have none.
func names(m *Message) (out []string) {
	for _, a := range m.Attachments {
		name := a.Filename
		if name == "" {
			name = a.ContentType
		}
		out = append(out, name)
	}
	return out
}

// tree writes a message whose parts are given by a small language: "mixed(a b)" is
// a multipart, p is text/plain, h is text/html, i an image, f a named file, t a
// named text; each part's content is its letter and its number in the message.
func treeMessage(s string) string {
	n := 0
	var build func() string
	build = func() string {
		s = strings.TrimLeft(s, " ")
		if k := strings.IndexAny(s, "( )"); k > 0 && s[k] == '(' {
			b := "b" + string(rune('0'+len(s)%10)) + string(rune('a'+len(s)/10))
			out := "Content-Type: multipart/" + s[:k] + "; boundary=" + b + "\r\n\r\n"
			for s = s[k+1:]; s[0] != ')'; s = strings.TrimLeft(s, " ") {
				out += "--" + b + "\r\n" + build() + "\r\n"
			}
			s = s[1:]
			return out + "--" + b + "--\r\n"
		}
		n++
		kind := s[0]
		s = s[1:]
		head := map[byte]string{
			'p': "Content-Type: text/plain", 'h': "Content-Type: text/html", 'i': "Content-Type: image/png",
			'f': "Content-Type: application/pdf; name=f", 't': "Content-Type: text/plain; name=t",
			'c': "Content-Type: text/calendar; method=REQUEST",
		}[kind]
		if kind == 'c' {
			return head + "\r\n\r\nBEGIN:VCALENDAR\r\nEND:VCALENDAR"
		}
		return head + "\r\n\r\n" + string(kind) + string(rune('0'+n))
	}
	return "From: a@b.example\r\n" + build()
}

func TestWhatIsTextHTMLAndAttachment(t *testing.T) {
	for _, c := range []struct {
		tree, text, html string
		attached         []string
	}{
		{"p", "p1", "", nil},
		{"h", "h1\n", "h1", nil},
		{"f", "", "", []string{"f"}},
		{"alternative(p h)", "p1", "h2", nil},
		{"alternative(h p)", "p2", "h1", nil},
		{"alternative(p h c)", "p1", "h2", []string{"text/calendar"}},
		{"mixed(p f p)", "p1\np3", "", []string{"f"}},
		{"mixed(p f h)", "p1", "h3", []string{"f"}},
		{"mixed(h p)", "h1\np2", "h1", nil},
		{"mixed(p t)", "p1", "", []string{"t"}},
		{"mixed(t p)", "t1\np2", "", nil},
		{"related(h i i)", "h1\n", "h1", []string{"image/png", "image/png"}},
		{"mixed(alternative(p h) f)", "p1", "h2", []string{"f"}},
		{"alternative(p related(h i))", "p1", "h2", []string{"image/png"}},
		{"related(alternative(p h) i)", "p1", "h2", []string{"image/png"}},
		{"mixed(related(alternative(p h) i) f)", "p1", "h2", []string{"image/png", "f"}},
		{"alternative(p mixed(h f))", "p1", "h2", []string{"f"}},
		{"mixed(mixed(p f) mixed(p f))", "p1\np3", "", []string{"f", "f"}},
		{"signed(p f)", "p1", "", []string{"f"}},
		{"mixed(alternative(p h) alternative(p h))", "p1\np3", "h2\nh4", nil},
	} {
		m := parse(t, treeMessage(c.tree))
		if m.Text != c.text || m.HTML != c.html || !reflect.DeepEqual(names(m), c.attached) {
			t.Errorf("%s: text %q html %q attached %q", c.tree, m.Text, m.HTML, names(m))
		}
		if m.TextFromHTML != (strings.Contains(m.Text, "h") && m.Text != "") {
			t.Errorf("%s: TextFromHTML %v", c.tree, m.TextFromHTML)
		}
		if len(m.Defects) > 0 {
			t.Errorf("%s: %+v", c.tree, m.Defects)
		}
	}
}

func TestFieldRangesCutOutExactlyTheField(t *testing.T) {
	for _, s := range []string{
		"Return-Path: <a@b>\r\nFrom: a@b.example\r\n\r\nbody\r\n",
		"From: a@b.example\r\nReturn-Path:\r\n <a@b>\r\n\tx\r\nTo: b\r\n\r\n",
		"From: a@b.example\nReturn-Path: x\nTo: b\n\nbody",
		"\xef\xbb\xbfReturn-Path: x\r\nFrom: a@b.example\r\n\r\n",
		"From x Sat\r\nReturn-Path: x\r\nFrom: a@b.example\r\n\r\n",
		"From: a@b.example\r\nReturn-Path: last",
		"From: a@b.example\r\nReturn-Path: " + strings.Repeat("x", 300<<10) + "\r\nTo: b\r\n\r\n",
	} {
		m := parse(t, s)
		cut := ""
		for _, f := range m.Header {
			if f.Name == "Return-Path" {
				cut = s[:f.Start] + s[f.End:]
			}
		}
		i := strings.Index(s, "Return-Path")
		rest := s[i:]
		end := len(rest)
		for k := 0; k < len(rest); k++ {
			if rest[k] == '\n' && (k+1 == len(rest) || rest[k+1] != ' ' && rest[k+1] != '\t') {
				end = k + 1
				break
			}
		}
		if want := s[:i] + rest[end:]; cut != want {
			t.Errorf("%.60q: left %.80q, want %.80q", s, cut, want)
		}
	}
}

func TestHeaderSectionsThatAreNotAsTheyShouldBe(t *testing.T) {
	for _, c := range []struct{ rule, in, subject, text, defect string }{
		{"a line of blanks is no end", "Subject: a\r\n \r\nTo: b\r\n\r\nx", "a", "x", ""},
		{"CR CR LF is an empty line", "Subject: a\r\n\r\r\nx", "a", "x", DefectBareCR},
		{"blanks before the colon", "Subject : a\r\n\r\nx", "a", "x", ""},
		{"junk between fields", "From: b@c.d\r\njunk\r\nSubject: a\r\n\r\nx", "a", "x", DefectHeader},
		{"the body without a blank line", "Subject: a\r\nfirst line\r\nsecond\r\n", "a", "first line\nsecond\n", DefectNoBlankLine},
		{"a boundary without a blank line", "Subject: a\r\nContent-Type: multipart/mixed; boundary=b\r\n--b\r\nContent-Type: text/plain\r\n\r\nx\r\n--b--\r\n", "a", "x", DefectNoBlankLine},
		{"a part without a blank line", "Subject: a\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nno header\r\nhere\r\n--b--\r\n", "a", "no header\nhere", DefectNoBlankLine},
		{"a part that is only its header", "Subject: a\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n--b--\r\n", "a", "", ""},
		{"nothing but a body", "\r\nhello", "", "hello", DefectNoHeader},
		{"a parameter on a line without a blank", "Subject: a\r\nContent-Type: multipart/mixed;\r\nboundary=b\r\n\r\n--b\r\n\r\nx\r\n--b--\r\n", "a", "x", DefectHeader},
		{"UTF-8 cut within a character", "Subject: äö\xc3\r\n\r\nx", "äö\ufffd", "x", Defect8BitHeader},
		{"windows-1252", "Subject: a\xe4\xf6\r\n\r\nx", "aäö", "x", Defect8BitHeader},
		{"the last Subject counts", "Subject: a\r\nSubject: b\r\n\r\nx", "b", "x", DefectDuplicateField},
		{"names have no case", "SUBJECT: a\r\ncontent-TYPE: TEXT/html\r\n\r\n<b>x", "a", "x\n", ""},
	} {
		m := parse(t, c.in)
		if m.Subject != c.subject || m.Text != c.text || c.defect != "" && !hasDefect(m, c.defect) {
			t.Errorf("%s: subject %q text %q %+v", c.rule, m.Subject, m.Text, m.Defects)
		}
	}
}

// A boundary in every position relative to the blocks in which a message is read.
func TestBoundariesAcrossBlocks(t *testing.T) {
	for _, eol := range []string{"\r\n", "\n"} {
		for pad := blockSize - 40; pad < blockSize+130; pad++ {
			s := "From: a@b.example\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n" +
				strings.Repeat("x", pad-100) + eol + "y" + eol + "--b" + eol + eol + "second" + eol + "--b--" + eol
			m := Parse(strings.NewReader(s), int64(len(s)), Options{})
			if want := strings.Repeat("x", pad-100) + "\ny\nsecond"; m.Text != want {
				t.Fatalf("pad %d: %d octets of text, want %d", pad, len(m.Text), len(want))
			}
		}
	}
}

// failingReader fails from an offset on, as a disk does.
type failingReader struct {
	*strings.Reader
	at int64
}

func (f failingReader) ReadAt(p []byte, off int64) (int, error) {
	if off+int64(len(p)) <= f.at {
		return f.Reader.ReadAt(p, off)
	}
	n, _ := f.Reader.ReadAt(p[:max(0, min(int64(len(p)), f.at-off))], off)
	return n, errors.New("disk")
}

func TestReadErrorIsADefect(t *testing.T) {
	s := benchAttachment(300 << 10)
	for _, at := range []int64{0, 10, 400, 100 << 10} {
		m := Parse(failingReader{strings.NewReader(s), at}, int64(len(s)), Options{})
		if !hasDefect(m, DefectRead) {
			t.Errorf("failing at %d: %+v", at, m.Defects)
		}
	}
	m := Parse(strings.NewReader(s[:1000]), int64(len(s)), Options{})
	if !hasDefect(m, DefectRead) {
		t.Error("a reader shorter than its size is no defect")
	}
}

func TestAttachmentTellsAReadError(t *testing.T) {
	s := benchAttachment(300 << 10)
	r := &failingReader{strings.NewReader(s), int64(len(s))}
	m := Parse(r, int64(len(s)), Options{})
	r.at = 100 << 10
	if _, err := io.ReadAll(m.Attachments[0].Open()); err == nil {
		t.Error("an attachment that can't be read ends like a whole one")
	}
}

func TestSMTPUTF8HeaderIsNoDefect(t *testing.T) {
	s := "From: a@b.example\r\nSubject: ü\r\n\r\n"
	if m := Parse(strings.NewReader(s), int64(len(s)), Options{SMTPUTF8: true}); len(m.Defects) > 0 || m.Subject != "ü" {
		t.Errorf("%+v", m)
	}
	if m := parse(t, s); !hasDefect(m, Defect8BitHeader) || m.Subject != "ü" {
		t.Errorf("%+v", m)
	}
}

func TestLargeTextIsAnAttachment(t *testing.T) {
	s := "From: a@b.example\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nsmall\r\n--b\r\n\r\n" +
		strings.Repeat("large\r\n", 100) + "--b\r\n\r\nlast\r\n--b--\r\n"
	m := Parse(strings.NewReader(s), int64(len(s)), Options{Limits: Limits{Text: 100}})
	if m.Text != "small\nlast" || len(m.Attachments) != 1 || m.Attachments[0].Size != 698 || !hasDefect(m, DefectTextLimit) {
		t.Errorf("%q %+v %+v", m.Text, m.Attachments, m.Defects)
	}
}

func TestBase64IsCarriedOnlyWhereItIsClean(t *testing.T) {
	for _, c := range []struct {
		rule, content string
		ok            bool
	}{
		{"lines", "AAEC\r\nAwQF\r\n", true},
		{"padding", "AAECAw==\r\n\r\n", true},
		{"uneven lines", "AAE\r\nCAw\r\nQF", true},
		{"no padding", "AAECAw", false},
		{"bits behind the end", "AAECAx==", false},
		{"blanks", "AAEC \r\nAwQF", false},
		{"other octets", "AAEC*AwQF", false},
		{"padding within", "AA==\r\nAA==", false},
		{"empty", "", true},
	} {
		m := parse(t, "Content-Type: application/x-a\r\nContent-Transfer-Encoding: base64\r\n\r\n"+c.content)
		if _, ok := m.Attachments[0].Base64(); ok != c.ok {
			t.Errorf("%s: %v", c.rule, ok)
		}
	}
	m := parse(t, "Content-Type: application/x-a\r\n\r\nAAEC")
	if _, ok := m.Attachments[0].Base64(); ok {
		t.Error("octets that only look like base64")
	}
}

// RFC 2387 3: start names the root; some senders put it last and say its type.
func TestRootOfRelatedParts(t *testing.T) {
	image := "--b\r\nContent-Type: image/png; name=a.png\r\nContent-ID: <i>\r\n\r\nx\r\n"
	note := "--b\r\nContent-Type: text/html\r\nContent-ID: <n>\r\n\r\n<p>note\r\n"
	page := "--b\r\nContent-Type: text/html; name=page.html\r\nContent-ID: <p>\r\n\r\n<p>page\r\n"
	for _, x := range []struct{ params, parts, want string }{
		{"", page + image + note, "<p>page"},
		{"; start=\"<p>\"", note + image + page, "<p>page"},
		{"; start=\"<gone>\"", note + page, "<p>note"},
		{"; type=\"text/html\"", image + page + note, "<p>page"},
		{"; type=\"text/xml\"", note + page, "<p>note"},
		{"", image + page, ""},
	} {
		m := parse(t, "From: a@b.example\r\nContent-Type: multipart/related; boundary=b"+x.params+"\r\n\r\n"+x.parts+"--b--\r\n")
		if m.HTML != x.want {
			t.Errorf("%s: %q", x.params, m.HTML)
		}
	}
}

// TestALineInPlaceOfAHeaderSectionIsThePart: it has neither fields nor an empty line.
func TestALineInPlaceOfAHeaderSectionIsThePart(t *testing.T) {
	m := parse(t, "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nhello\r\n--b\r\nContent-Type: text/plain\r\nyou\r\n--b--\r\n")
	if m.Text != "hello\nyou" || !hasDefect(m, DefectNoBlankLine) {
		t.Errorf("%q, %v", m.Text, m.Defects)
	}
}
