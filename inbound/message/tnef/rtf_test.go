package tnef

import (
	"encoding/hex"
	"testing"
)

// The examples of MS-OXRTFCP 4.
func TestCompressedRTFOfTheSpecification(t *testing.T) {
	for _, x := range []struct{ in, want string }{
		{"2d0000002b0000004c5a4675f1c5c7a703000a007263706731323542320af32068656c090020627705b06c647d0a800fa0", "{\\rtf1\\ansi\\ansicpg1252\\pard hello world}\r\n"},
		{"1a0000001c0000004c5a4675e2d44b51410004205758595a0d6e7d010eb0", "{\\rtf1 WXYZWXYZWXYZWXYZWXYZ}"},
		{"0d000000030000004d454c41000000007b7d0a", "{}\n"},
		{"0d000000030000004d454c4d000000007b7d0a", ""},
		{"0d0000", ""},
	} {
		b, err := hex.DecodeString(x.in)
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := decompress(b, 1<<20); string(got) != x.want {
			t.Errorf("%s: %q", x.in, got)
		}
	}
}

func TestTextOfRTF(t *testing.T) {
	for _, x := range []struct {
		rtf, want string
		html      bool
	}{
		{`{\rtf1\ansi\ansicpg1252 Gr\'fc\'dfe\par{\b bold} x\tab y}`, "Grüße\nbold x\ty", false},
		{`{\rtf1{\fonttbl{\f0 A;}{\f1\fcharset204 B;}}{\f1\'e0}\'e0}`, "аà", false},
		{`{\rtf1\uc1 \u1040?\u-10179?\u-8704?.}`, "А\U0001f600.", false},
		{`{\rtf1\uc2\u8364\'80\'81x{\uc0\u65 y}}`, "€xAy", false},
		{`{\rtf1\u-10179?x}`, "\ufffdx", false},
		{`{\rtf1{\*\generator Riched;}{\info{\title T}}{\pict 0011}a\{b\}\\c\~d\_e}`, "a{b}\\c\u00a0d-e", false},
		{`{\rtf1 a\bin3 }}}b}`, "ab", false},
		{`{\rtf1 \ldblquote x\rdblquote\emdash y}`, "“x”—y", false},
		{`{\rtf1\ansi\fromhtml1 {\*\htmltag64 <p>}\htmlrtf {\b \htmlrtf0 one{\*\htmltag84 &nbsp;}\htmlrtf }\htmlrtf0{\*\mhtmltag64 <q>}{\*\htmltag72 </p>}\par}`, "<p>one&nbsp;</p>\n", true},
		{`{\rtf1 }}}} x`, " x", false},
		{`\'`, "", false},
		{`{\rtf1 \'zz}`, "zz", false},
		{"", "", false},
	} {
		got, html := readRTF([]byte(x.rtf), plain, 1<<20)
		if got != x.want || html != x.html {
			t.Errorf("%s: %q, %t", x.rtf, got, html)
		}
	}
}
