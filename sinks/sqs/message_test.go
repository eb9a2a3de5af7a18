package sqs_test

import (
	"strings"
	"testing"

	"mxhook/inbound"
	"mxhook/sinks"
	"mxhook/sinks/sqs"
)

// The emulators check the digest of whole messages.
func TestDigestOfAttributesIsInTheOrderOfTheirNames(t *testing.T) {
	a := []sqs.Attribute{sqs.NewAttribute("b", "String", "2"), sqs.NewAttribute("a", "Number", "1")}
	b := []sqs.Attribute{a[1], a[0]}
	if sqs.DigestOfAttributes(a) != sqs.DigestOfAttributes(b) {
		t.Error("the order of the attributes changes their digest")
	}
	// md5 of: 00000001 "a" 00000006 "Number" 01 00000001 "1" 00000001 "b" 00000006 "String" 01 00000001 "2"
	if got, want := sqs.DigestOfAttributes(a), "02bc784682167881b554c14e8156ce95"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestSizeCountsNamesTypesAndValuesInOctets(t *testing.T) {
	if n := sqs.SizeOf(100, []sqs.Attribute{sqs.NewAttribute("ab", "String", "é"), sqs.NewAttribute("c", "Number", "1")}); n != 100+2+6+2+1+6+1 {
		t.Error(n)
	}
}

// TestTextIsWhatXMLHolds compares with the Char production of XML 1.0, written as ranges.
func TestTextIsWhatXMLHolds(t *testing.T) {
	in := func(r rune) bool {
		return r == 0x9 || r == 0xa || r == 0xd || r >= 0x20 && r <= 0xd7ff || r >= 0xe000 && r <= 0xfffd || r >= 0x10000 && r <= 0x10ffff
	}
	for r := rune(0); r <= 0x10ffff; r++ {
		if r >= 0xd800 && r <= 0xdfff {
			continue // no string of Go holds one; below is what is left of them
		}
		if got := sqs.IsText("a" + string(r)); got != in(r) {
			t.Fatalf("%U: %v", r, got)
		}
	}
	for _, s := range []string{"\xff", "a\xed\xa0\x80b", "\xf4\x90\x80\x80", "\xc0\x80", "\xe2\x82"} {
		if sqs.IsText(s) {
			t.Errorf("%q is no UTF-8", s)
		}
	}
}

func TestGroupIsTheRecipientOrADigestOfHim(t *testing.T) {
	long := strings.Repeat("a", 64) + "@" + strings.Repeat("b", 63) + ".example"
	for canonical, want := range map[string]string{
		"ann+42@in.example":                 "ann+42@in.example",
		"!#$%&'*+-/=?^_`{|}~@in.example":    "!#$%&'*+-/=?^_`{|}~@in.example",
		"a@" + strings.Repeat("b", 126):     "a@" + strings.Repeat("b", 126),
		long:                                "",
		"dörte@in.example":                  "",
		"\"a b\"@in.example":                "",
		"postmaster":                        "",
		"sha256-" + strings.Repeat("0", 64): "",
	} {
		r := sinks.Recipient{Path: inbound.Path{LocalPart: "x", Domain: "in.example"}, Canonical: canonical}
		got := sqs.GroupOf(r)
		if want != "" && got != want || want == "" && (len(got) != 71 || !strings.HasPrefix(got, "sha256-") || got == canonical) {
			t.Errorf("%s: %s", canonical, got)
		}
	}
	upper := sinks.Recipient{Path: inbound.Path{LocalPart: "Ann", Domain: "In.Example"}}
	if got := sqs.GroupOf(upper); got != "ann@in.example" {
		t.Errorf("two spellings are two groups: %s", got)
	}
}
