package main

import (
	"strings"
	"testing"

	"mxhook/inbound/message"
	"mxhook/verify"
	"mxhook/verify/dns"
)

// FuzzTheAuthorShownIsTheOneVerified: the payload's from is read by one parser and the
// domain that from_verified speaks of by another. Where the second finds an author, the
// first must show that one and no other.
func FuzzTheAuthorShownIsTheOneVerified(f *testing.F) {
	for _, from := range []string{
		"Ann <ann@a.example>", "ann@a.example (Ann)", `"ann@bank.example" <ann@a.example>`, "(ann@bank.example) ann@a.example",
		`"Ann, the First" <ann@a.example>`, `<"x@bank.example"@a.example>`, `<"x>@bank.example"@a.example>`, "Ann\r\n\t<ann@a.example>",
		"=?utf-8?q?ann=40bank=2Eexample=3E?= <ann@a.example>", "<ann@bücher.example>", ", ann@a.example,", "ann@a.example.", "ann@A.example <ann@a.example>",
		"J\xfcrgen <ann@a.example>", "a.b.@a.example", "<ann@a.example>,", "=?utf-8?q?=3Cann=40bank=2Eexample=3E=2C?= ann@a.example",
		"Ann [A] <ann@a.example>", "Ann. <ann@a.example>", "ann@a.example (x\\)y)", "\"a\\\"b\" <ann@a.example>", "<ann@\uff41.example>", "<ann@b\u3002example>",
		"ann@bank.example <ann@a.example>", "friends: ann@a.example;",
	} {
		f.Add(from)
	}
	zone, err := dns.ParseZone("")
	if err != nil {
		f.Fatal(err)
	}
	v := verify.New(verify.Config{Resolver: zone, AuthservID: "mx.in.example"})
	f.Fuzz(func(t *testing.T, from string) {
		text := "From: " + from + "\r\nTo: support@in.example\r\n\r\nHello.\r\n"
		verified := v.Verify(t.Context(), verify.Message{Content: strings.NewReader(text), Size: int64(len(text))}).DMARC.Domain
		if verified == "" {
			return
		}
		shown := message.Parse(strings.NewReader(text), int64(len(text)), message.Options{}).From
		if len(shown) != 1 {
			t.Fatalf("%q: %q is verified, %+v shown", from, verified, shown)
		}
		address := shown[0].Address
		if domain, _ := dns.Domain(address[strings.LastIndexByte(address, '@')+1:]); domain != verified {
			t.Fatalf("%q: %q is verified, %+v shown", from, verified, shown)
		}
	})
}
