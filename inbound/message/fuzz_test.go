package message

import (
	"bytes"
	"os"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzParse: whatever the bytes, the result is valid, twice the same, and what it
// costs is in proportion to them.
func FuzzParse(f *testing.F) {
	for _, file := range exampleFiles(f) {
		b, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		if len(b) < 4096 {
			f.Add(b)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		m := Parse(bytes.NewReader(b), int64(len(b)), Options{})
		runtime.ReadMemStats(&after)
		if got := after.TotalAlloc - before.TotalAlloc; got > 4<<20+uint64(200*len(b)) {
			t.Fatalf("%d octets allocated for %d", got, len(b))
		}
		checkInvariants(t, m, int64(len(b)))
		again := Parse(bytes.NewReader(b), int64(len(b)), Options{})
		for _, x := range []*Message{m, again} {
			for i := range x.Attachments {
				x.Attachments[i].open, x.Attachments[i].openBase64 = nil, nil
			}
		}
		if !reflect.DeepEqual(m, again) {
			t.Fatal("two results")
		}
		for i, f := range m.Header {
			if raw := string(b[f.Start:f.End]); !strings.HasPrefix(raw, f.Name) {
				t.Fatalf("field %d is %q, there stands %q", i, f.Name, raw)
			}
		}
	})
}

// FuzzAddresses: every address with a plain local part and domain in brackets is
// found, and the result is valid.
func FuzzAddresses(f *testing.F) {
	for _, s := range []string{
		`Ann <ann@a.example>`, `"Doe, J" <j@a.example>, b@b.example (Bob)`, `G: a@a.example, <b@b.example>;`,
		`=?utf-8?q?a,b?= <a@a.example>`, `"x y"@a.example`, `<@r:a@b>`, `((`, `"`, `a@[1.2.3.4]`, `<a@b, <c@d>`,
		`m@(x)y`, `(x m@(y`, `a@b@c`, `=?utf-8?q?a=40b?=`, `<m@(x)y>`, `0@[(]`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		list, ok := ParseAddresses(s)
		for _, a := range list {
			quoted := strings.Contains(a.Address, `"`)
			if ok && a.Address != "" && !quoted && (strings.Count(a.Address, "@") != 1 || strings.ContainsAny(a.Address, "<>(), \t")) {
				t.Fatalf("%q: %q is taken for well formed", s, a)
			}
			if !utf8.ValidString(a.Name) || !utf8.ValidString(a.Address) || strings.ContainsAny(a.Name+a.Address, "\r\n\x00") {
				t.Fatalf("%q: %q", s, a)
			}
			if a.Name == "" && a.Address == "" {
				t.Fatalf("%q: an empty address", s)
			}
		}
		if strings.ContainsAny(s, "\"\\()<>:;=[]\r\n@") {
			return
		}
		// Text without signs in front of an address does not hide it.
		list, _ = ParseAddresses(s + " <seen@in.example>")
		if len(list) == 0 || list[len(list)-1].Address != "seen@in.example" {
			t.Fatalf("%q hides the address: %q", s, list)
		}
	})
}

// FuzzHeaderValue: encoded words and parameters decode to valid text on one line.
func FuzzHeaderValue(f *testing.F) {
	for _, s := range []string{
		"=?utf-8?q?a=C3=BC?= =?utf-8?b?w7w=?= x", "=?iso-2022-jp?b?GyRCRnxLXBsoQg==?=", "=?x?q?=FF?=", "=?utf-8?q?",
		"attachment; filename*0*=utf-8''%C3; filename*1*=%BC; filename=x", `text/plain; charset="utf-7"; name=a b`,
		"=?utf-7?q?+AGE-?=", "=?utf-16?b?/v8AYQ==?=",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p := newParser(nil, 0, Options{})
		v := unfold(p.headerText([]byte(s), ""))
		out := p.decodeWords(v, "")
		if !utf8.ValidString(out) || strings.ContainsAny(out, "\r\n\x00") {
			t.Fatalf("%q: %q", s, out)
		}
		if !strings.Contains(v, "=?") && out != neutral(v) {
			t.Fatalf("%q without words became %q", s, out)
		}
		_, ps := p.parseParams(v, "")
		for _, x := range ps {
			if !utf8.ValidString(x.value) {
				t.Fatalf("%q: parameter %q", s, x)
			}
		}
		ParseDate(s)
	})
}

// FuzzDecoder: a transfer encoding decodes to the same octets whatever the size of
// the reads, and what was encoded comes back.
func FuzzDecoder(f *testing.F) {
	f.Add([]byte("YWJj\r\nZA==\r\n"), uint8(1))
	f.Add([]byte("a=3D=\r\nb  \r\n=X"), uint8(2))
	f.Add([]byte("begin 644 a\n#0V%T\n`\nend\n"), uint8(3))
	f.Fuzz(func(t *testing.T, b []byte, kind uint8) {
		enc := transfer(kind % 4)
		var whole bytes.Buffer
		d := new(decoder)
		d.reset(bytes.NewReader(b), 0, int64(len(b)), enc)
		if _, err := whole.ReadFrom(d); err != nil {
			t.Fatal(err)
		}
		if whole.Len() > len(b) {
			t.Fatalf("%d octets of %d", whole.Len(), len(b))
		}
		if enc == identity && !bytes.Equal(whole.Bytes(), b) {
			t.Fatal("identity changed octets")
		}
		// A decoder with a tiny buffer cuts its blocks elsewhere.
		if enc == base64Encoded {
			small := &decoder{raw: make([]byte, 7)}
			small.r, small.end, small.enc = bytes.NewReader(b), int64(len(b)), enc
			var parts bytes.Buffer
			parts.ReadFrom(small)
			if !bytes.Contains(b, []byte("=")) && !bytes.Equal(parts.Bytes(), whole.Bytes()) {
				t.Fatalf("%q: %q in small blocks, %q in one", b, parts.Bytes(), whole.Bytes())
			}
		}
	})
}
