package sinks_test

import (
	"testing"

	"mxhook/inbound"
	"mxhook/inbound/message"
	"mxhook/sinks"
)

func TestLikenessIsTheMessagesNotTheTransactions(t *testing.T) {
	data := inbound.NewMailData([]byte("Subject: x\r\n\r\nhello"))
	named := &message.Message{MessageID: "<1@sender.example>"}
	for _, c := range []struct {
		name string
		a, b sinks.Event
		same bool
	}{
		{"one message without Message-ID in two transactions", sinks.Event{Identity: [32]byte{1}, Message: &message.Message{}, Data: data}, sinks.Event{Identity: [32]byte{2}, Message: &message.Message{}, Data: data}, true},
		{"two without Message-ID", sinks.Event{Message: &message.Message{}, Data: data}, sinks.Event{Message: &message.Message{}, Data: inbound.NewMailData([]byte("\r\nother"))}, false},
		{"one identity with other trace fields", sinks.Event{Identity: [32]byte{1}, Message: named, Data: data}, sinks.Event{Identity: [32]byte{1}, Message: named, Data: inbound.NewMailData([]byte("\r\nother"))}, true},
		{"two identities", sinks.Event{Identity: [32]byte{1}, Message: named, Data: data}, sinks.Event{Identity: [32]byte{2}, Message: named, Data: data}, false},
	} {
		if same := c.a.Likeness() == c.b.Likeness(); same != c.same {
			t.Errorf("%s: alike is %v", c.name, same)
		}
	}
}
