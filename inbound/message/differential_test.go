package message

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"slices"
	"strings"
	"testing"

	"github.com/jhillyerd/enmime/v2"
)

// dice makes choices of the octets of a fuzzer.
type dice struct{ b []byte }

// n returns a number below k; 0 when there are no octets left.
func (d *dice) n(k int) int {
	if len(d.b) == 0 {
		return 0
	}
	v := int(d.b[0]) % k
	d.b = d.b[1:]
	return v
}

// octets returns at most k octets.
func (d *dice) octets(k int) []byte {
	n := min(d.n(k), len(d.b))
	out := d.b[:n]
	d.b = d.b[n:]
	return out
}

// leaf is a part as all parsers must find it.
type leaf struct{ media, name, content string }

// wellFormed writes a message of the octets: a tree of multiparts with any boundary,
// preamble and epilogue, leaves in each transfer encoding, folded and quoted fields.
func wellFormed(d *dice) (message string, leaves []leaf) {
	var b strings.Builder
	b.WriteString("From: a@b.example\r\nSubject: x\r\nMIME-Version: 1.0\r\n")
	writePart(&b, d, 0, "b", &leaves)
	return b.String(), leaves
}

func writePart(b *strings.Builder, d *dice, depth int, boundary string, leaves *[]leaf) {
	if depth < 4 && d.n(3) > 0 {
		boundary += string("0Az'()+_,-./:=?"[d.n(15)])
		fmt.Fprintf(b, "Content-Type: multipart/%s;%sboundary=\"%s\"\r\n\r\n",
			[]string{"mixed", "related", "x-any"}[d.n(3)], []string{" ", "\r\n\t", "\r\n "}[d.n(3)], boundary)
		if d.n(2) > 0 {
			b.WriteString("A preamble.\r\n")
		}
		for i := range 1 + d.n(4) {
			fmt.Fprintf(b, "--%s%s\r\n", boundary, []string{"", " ", "\t "}[d.n(3)])
			writePart(b, d, depth+1, boundary+string(rune('a'+i)), leaves)
			b.WriteString("\r\n")
		}
		b.WriteString("--" + boundary + "--\r\n")
		if d.n(3) > 1 {
			b.WriteString("An epilogue.\r\n")
		}
		return
	}
	l := leaf{media: []string{"application/octet-stream", "image/png", "application/x-a.b+c"}[d.n(3)]}
	if d.n(2) > 0 {
		l.name = strings.Map(func(r rune) rune {
			if r < '!' || r > '~' || strings.ContainsRune(`"\/=?%'*:;`, r) {
				return 'x'
			}
			return r
		}, string(d.octets(30)))
	}
	fmt.Fprintf(b, "Content-Type: %s\r\n", strings.ToUpper(l.media[:1])+l.media[1:])
	if l.name != "" {
		fmt.Fprintf(b, "Content-Disposition: attachment;\r\n filename=\"%s\"\r\n", l.name)
	}
	content := d.octets(200)
	switch d.n(3) {
	case 0:
		b.WriteString("Content-Transfer-Encoding: base64\r\n\r\n" + wrapped(content))
	case 1:
		b.WriteString("content-transfer-encoding: Quoted-Printable\r\n\r\n")
		w := quotedprintable.NewWriter(b)
		w.Binary = true
		w.Write(content)
		w.Close()
	default:
		content = bytes.Map(func(r rune) rune {
			if r < ' ' || r > '~' {
				return 'y'
			}
			return r
		}, content)
		content = bytes.ReplaceAll(content, []byte("--"), []byte("yy"))
		content = bytes.ReplaceAll(content, []byte("z"), []byte("\r\n"))
		b.WriteString("\r\n" + string(content))
	}
	l.content = string(content)
	*leaves = append(*leaves, l)
}

// libraryLeaves walks with net/mail and mime/multipart.
func libraryLeaves(t *testing.T, s string) (leaves []leaf) {
	m, err := mail.ReadMessage(strings.NewReader(s))
	if err != nil {
		t.Fatal(err)
	}
	var walk func(get func(string) string, body io.Reader)
	walk = func(get func(string) string, body io.Reader) {
		media, params, err := mime.ParseMediaType(get("Content-Type"))
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(media, "multipart/") {
			r := multipart.NewReader(body, params["boundary"])
			for {
				p, err := r.NextRawPart()
				if err == io.EOF {
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				walk(p.Header.Get, p)
			}
		}
		switch strings.ToLower(get("Content-Transfer-Encoding")) {
		case "base64":
			body = base64.NewDecoder(base64.StdEncoding, body)
		case "quoted-printable":
			body = quotedprintable.NewReader(body)
		}
		b, err := io.ReadAll(body)
		if err != nil {
			t.Fatal(err)
		}
		_, disposition, _ := mime.ParseMediaType(get("Content-Disposition"))
		leaves = append(leaves, leaf{media, disposition["filename"], string(b)})
	}
	walk(m.Header.Get, m.Body)
	return leaves
}

func enmimeLeaves(t *testing.T, s string) (leaves []leaf) {
	root, err := enmime.ReadParts(strings.NewReader(s))
	if err != nil {
		t.Fatal(err)
	}
	root.DepthMatchAll(func(p *enmime.Part) bool {
		if p.FirstChild == nil {
			leaves = append(leaves, leaf{p.ContentType, p.FileName, string(p.Content)})
		}
		return false
	})
	return leaves
}

// FuzzWellFormed: what is written as the standards want it is read as it was written,
// by us, by the standard library and by enmime.
func FuzzWellFormed(f *testing.F) {
	f.Add([]byte("\x01\x00\x00\x01\x02\x01\x00\x01\x05name.\x10content of the part\x00"))
	f.Add([]byte(strings.Repeat("\x02\x03\x01\x00\x02\x07\x01", 40)))
	f.Add([]byte(strings.Repeat("\x01\x02\x00\x01\x20--b--\r\n--bz0a\r\n=3D", 20)))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, want := wellFormed(&dice{b})
		m := Parse(strings.NewReader(s), int64(len(s)), Options{})
		checkInvariants(t, m, int64(len(s)))
		if m.Text != "" || m.HTML != "" || len(m.Defects) > 0 {
			t.Fatalf("%q: text %q, html %q, defects %v", s, m.Text, m.HTML, m.Defects)
		}
		var ours []leaf
		for i := range m.Attachments {
			a := &m.Attachments[i]
			content, _ := io.ReadAll(a.Open())
			ours = append(ours, leaf{a.ContentType, a.Filename, string(content)})
		}
		if !slices.Equal(ours, want) {
			t.Fatalf("%q: we read %q, not %q", s, ours, want)
		}
		if got := libraryLeaves(t, s); !slices.Equal(got, want) {
			t.Fatalf("%q: the library reads %q, not %q", s, got, want)
		}
		if got := enmimeLeaves(t, s); !slices.Equal(got, want) {
			t.Fatalf("%q: enmime reads %q, not %q", s, got, want)
		}
	})
}
