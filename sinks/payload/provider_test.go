package payload_test

import (
	"net/mail"
	"testing"

	"mxhook/sinks/payload"
	"mxhook/sinks/payload/payloadtest"
)

func TestAnEncodedNameIsNoOtherAuthor(t *testing.T) {
	for field, want := range map[string]string{
		"=?utf-8?q?ceo=40bank=2Eexample=2C?= <ann@sender.example>":                   `"ceo@bank.example," <ann@sender.example>`,
		"=?utf-8?q?=22=3Cceo=40bank=2Eexample=3E=2C?= <ann@sender.example>":          `"\"<ceo@bank.example>," <ann@sender.example>`,
		"=?utf-8?q?ceo=40bank=2Eexample=0D=0ATo=3A?= <ann@sender.example>":           `"ceo@bank.example To:" <ann@sender.example>`,
		"=?utf-8?b?SsO2cmc=?= <ann@sender.example>, Bob <bob@sender.example>":        `"Jörg" <ann@sender.example>, "Bob" <bob@sender.example>`,
		"\"Doe, Ann\" <ann@sender.example>":                                          `"Doe, Ann" <ann@sender.example>`,
		"=?utf-8?q?x?= <ann@sender.example> <, =?utf-8?q?ceo=40bank=2Eexample=2C?=,": "=?utf-8?q?x?= <ann@sender.example> <, =?utf-8?q?ceo=40bank=2Eexample=2C?=,",
	} {
		e := payloadtest.Event(t, []byte("From: "+field+"\r\n\r\nHello\r\n"))
		got := payload.First(payload.Header(e), "From")
		if got != want {
			t.Errorf("%s: %s, want %s", field, got, want)
		}
		if list, err := mail.ParseAddressList(got); err == nil && list[0].Address != "ann@sender.example" {
			t.Errorf("%s: the author is %s", field, list[0].Address)
		}
	}
}
