package payload

import (
	"bytes"
	"strings"
	"testing"
)

// escapedByLibrary is the inside of a JSON string as encoding/json makes it.
func escapedByLibrary(s string) string {
	var buf bytes.Buffer
	newEncoder(&buf).Encode(s)
	out := bytes.TrimSuffix(buf.Bytes(), []byte("\n"))
	return string(escapeNonXML(out[1 : len(out)-1]))
}

func checkEscaped(t *testing.T, s string) {
	t.Helper()
	want := escapedByLibrary(s)
	if got := string(appendString(nil, s)); got != want {
		t.Fatalf("%q became %q, the library makes it %q", s, got, want)
	}
	if got := string(appendString([]byte("x"), []byte(s))); got != "x"+want {
		t.Fatalf("%q became %q as octets, the library makes it %q", s, got, want)
	}
	if n := stringSize(s); n != int64(len(want)) {
		t.Fatalf("%q: size %d, it is %d", s, n, len(want))
	}
}

// Each octet alone, at each place of a word, and each character beyond ASCII.
func TestStringsAreEscapedAsTheLibraryDoes(t *testing.T) {
	for c := range 256 {
		for before := range 9 {
			for _, after := range []string{"", "a", "abcdefgh", "\n\"é"} {
				checkEscaped(t, strings.Repeat("y", before)+string([]byte{byte(c)})+after)
			}
		}
	}
	var all strings.Builder
	for r := rune(0); r <= 0x10FFFF; r += 1 + r>>15*7 {
		all.WriteRune(r)
	}
	for s := all.String(); s != ""; {
		n := cut(s, 500)
		checkEscaped(t, s[:n])
		s = s[n:]
	}
}

// FuzzEscaped holds the escapes against those of encoding/json.
func FuzzEscaped(f *testing.F) {
	for _, s := range []string{"", "plain", "\x00\x1f \"\\\u2028\u2029\ufffe\uffff\ufffd\x7f", "\xed\xa0\x80", "abcdefg\xc3", "😀\xf0\x9f\x98", "!!\"!!!!!!#"} {
		f.Add(s)
	}
	f.Fuzz(checkEscaped)
}
