package message

import (
	"bytes"
	"encoding/base64"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	nt "mxhook/inbound/message/tnef/tneftest"
)

// winmail returns a message with a TNEF part after the given parts.
func winmail(stream []byte, encoding string, parts ...string) string {
	var b strings.Builder
	b.WriteString("From: a@b.example\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n")
	for _, p := range parts {
		b.WriteString("--b\r\n" + p + "\r\n")
	}
	body := string(stream)
	switch encoding {
	case "base64":
		body = wrapped(stream)
	case "quoted-printable":
		var q strings.Builder
		for i, c := range stream {
			if i%20 == 19 {
				q.WriteString("=\r\n")
			}
			q.WriteString("=" + strings.ToUpper(string("0123456789abcdef"[c>>4])+string("0123456789abcdef"[c&15])))
		}
		body = q.String()
	}
	return b.String() + "--b\r\nContent-Type: application/ms-tnef; name=winmail.dat\r\nContent-Transfer-Encoding: " + encoding + "\r\n\r\n" + body + "\r\n--b--\r\n"
}

func wrapped(b []byte) string {
	var out strings.Builder
	s := base64.StdEncoding.EncodeToString(b)
	for ; len(s) > 76; s = s[76:] {
		out.WriteString(s[:76] + "\r\n")
	}
	return out.String() + s
}

const plainPart = "Content-Type: text/plain\r\n\r\nof the mail"

func fileNames(m *Message) (s []string) {
	for _, a := range m.Attachments {
		s = append(s, a.Filename)
	}
	return s
}

// Files of any size are there whatever the transfer encoding, and can be read in
// any order, without what stands before them.
func TestWinmailFilesAreRead(t *testing.T) {
	var attributes [][]byte
	var contents []string
	files := 40
	if raceDetector {
		files = 12
	}
	for i := range files {
		c := strings.Repeat(string(rune('a'+i%26))+"\x00\xff=\r\n", 1+i*i*30)
		contents = append(contents, c)
		attributes = append(attributes, nt.File("f.txt", []byte(c)))
	}
	for _, encoding := range []string{"base64", "quoted-printable", "binary"} {
		s := winmail(nt.Stream(attributes...), encoding, plainPart)
		r := &countingReader{Reader: strings.NewReader(s)}
		m := Parse(r, int64(len(s)), Options{})
		checkInvariants(t, m, int64(len(s)))
		if len(m.Attachments) != files || m.Text != "of the mail" || hasDefect(m, DefectTNEF) {
			t.Fatalf("%s: %q %q %v", encoding, fileNames(m), m.Text, m.Defects)
		}
		for i := len(contents) - 1; i >= 0; i-- {
			a := &m.Attachments[i]
			before := r.n
			got, err := io.ReadAll(a.Open())
			if err != nil || string(got) != contents[i] {
				t.Fatalf("%s: file %d: %d octets of %d, %v", encoding, i, len(got), len(contents[i]), err)
			}
			if read := r.n - before; read > 4*a.Size+3*rawSize {
				t.Errorf("%s: file %d: %d octets read for %d", encoding, i, read, a.Size)
			}
			if a.ContentType != "text/plain" || a.Disposition != "attachment" {
				t.Errorf("%+v", a)
			}
		}
	}
}

func TestWinmailBodyStandsInWhereTheMailHasNone(t *testing.T) {
	text := nt.Unicode(0x1000, "of the\r\ncontainer")
	html := nt.Property(0x1013, 0x102, []byte("<p>of the container</p>"))
	for _, x := range []struct {
		name, text, html string
		fromHTML         bool
		properties       [][]byte
		parts            []string
	}{
		{"text of both", "of the mail", "", false, [][]byte{text}, []string{plainPart}},
		{"text", "of the\ncontainer", "", false, [][]byte{text}, nil},
		{"text where the mail's is blank", "of the\ncontainer", "", false, [][]byte{text}, []string{"\r\n \r\n"}},
		{"HTML", "of the container\n", "<p>of the container</p>", true, [][]byte{html}, nil},
		{"HTML beside text", "of the mail", "<p>of the container</p>", false, [][]byte{html}, []string{plainPart}},
		{"RTF", "rich\nü", "", false, [][]byte{nt.RTF(`{\rtf1 rich\par\'fc}`)}, nil},
		{"HTML within RTF", "rich\n", "<b>rich</b>", true, [][]byte{nt.RTF(`{\rtf1\fromhtml1 {\*\htmltag84 <b>}rich{\*\htmltag84 </b>}}`)}, nil},
	} {
		m := parse(t, winmail(nt.Stream(nt.Properties(x.properties...)), "base64", x.parts...))
		if m.Text != x.text || m.HTML != x.html || m.TextFromHTML != x.fromHTML || len(m.Attachments) != 0 {
			t.Errorf("%s: %q %q %t %q %v", x.name, m.Text, m.HTML, m.TextFromHTML, fileNames(m), m.Defects)
		}
	}
}

// What can't be opened to its end is listed itself, so that nothing is lost.
func TestDamagedWinmailStays(t *testing.T) {
	whole := nt.Stream(nt.File("a.txt", []byte("abc")), nt.File("b.txt", []byte("def")))
	for _, x := range []struct {
		name   string
		stream []byte
		lim    Limits
		want   string
		defect string
	}{
		{"whole", whole, Limits{}, "a.txt b.txt", ""},
		{"cut", whole[:len(whole)-15], Limits{}, "a.txt  winmail.dat", DefectTNEF},
		{"no TNEF", []byte("\x89PNG\r\n"), Limits{}, "winmail.dat", DefectTNEF},
		{"empty", nil, Limits{}, "winmail.dat", DefectTNEF},
		{"too many files", nt.Stream(bytes.Repeat(nt.File("a", nil), 9)), Limits{Parts: 4}, "a a a a winmail.dat", DefectTNEFLimit},
	} {
		s := winmail(x.stream, "base64", plainPart)
		m := Parse(strings.NewReader(s), int64(len(s)), Options{Limits: x.lim})
		checkInvariants(t, m, int64(len(s)))
		if got := strings.Join(fileNames(m), " "); got != x.want || hasDefect(m, DefectTNEF) != (x.defect == DefectTNEF) || hasDefect(m, DefectTNEFLimit) != (x.defect == DefectTNEFLimit) {
			t.Errorf("%s: %q %v", x.name, got, m.Defects)
		}
	}
}

func TestMessageWithinWinmailIsListed(t *testing.T) {
	inner := nt.Stream(nt.Properties(nt.Unicode(0x37, "RE: a/b"), nt.Unicode(0x1000, "inner")), nt.File("../x\x01.exe", []byte("MZ")))
	m := parse(t, winmail(nt.Stream(nt.File("", nil, nt.Embedded(inner))), "base64", plainPart))
	if got := strings.Join(fileNames(m), "|"); got != "RE_ a_b.txt|../x\ufffd.exe" {
		t.Errorf("%q", got)
	}
	b, _ := io.ReadAll(m.Attachments[0].Open())
	if string(b) != "inner" || m.Attachments[1].ContentType != "application/octet-stream" {
		t.Errorf("%q %+v", b, m.Attachments[1])
	}
}

// Mail that Outlook and Exchange sent.
func TestWinmailOfRealMail(t *testing.T) {
	for file, want := range map[string]string{
		"rich-text.eml": "kitten-playing-with-a-christmas-tree.jpg|Build a train table.txt|Christmas Celebration!.txt|kitten-playing-with-a-christmas-tree.jpg",
		"ukr.eml":       "",
	} {
		b, err := os.ReadFile(filepath.Join(corpora(t), "tnef-mimekit", file))
		if err != nil {
			t.Fatal(err)
		}
		m := parse(t, string(b))
		if got := strings.Join(fileNames(m), "|"); got != want || hasDefect(m, DefectTNEF) {
			t.Errorf("%s: %q %v", file, got, m.Defects)
		}
		if file == "ukr.eml" && (!strings.Contains(m.HTML, "<p>шостий</p>") || !strings.Contains(m.Text, "шостий")) {
			t.Errorf("%q", m.HTML)
		}
	}
}
