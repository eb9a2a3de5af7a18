// Package sinktest is the contract that every sink passes, as a test to be called
// from the sink's own tests, and events to try a sink with.
package sinktest

import (
	"net/netip"
	"strings"
	"time"

	"mxhook/inbound"
	"mxhook/inbound/message"
	"mxhook/sinks"
	"mxhook/verify"
)

// Canary stands in the content and the addresses of every event of NewEvent: it
// must never come up in an error, a detail or a log.
const Canary = "canary-of-the-mail"

// NewEvent returns an event of one message with size octets of text for the
// recipients. The same arguments give the same event id.
func NewEvent(size int, recipients ...string) *sinks.Event {
	if len(recipients) == 0 {
		recipients = []string{"ann+" + Canary + "@in.example"}
	}
	text := strings.Repeat("All work and no play. "+Canary+"\r\n", 1+size/40)
	data := inbound.NewMailData([]byte("From: bob@sender.example\r\nSubject: " + Canary + "\r\nMessage-ID: <1@sender.example>\r\n\r\n" + text))
	e := &sinks.Event{
		Route: "tickets", ReceivedAt: time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC), Hostname: "mx.in.example",
		Session: inbound.Session{ID: "s1", RemoteIP: netip.MustParseAddr("192.0.2.1"), RemotePort: 2525, LocalName: "mx.in.example", HELO: "mail.sender.example"},
		Mail:    inbound.Mail{ReversePath: inbound.Path{LocalPart: "bob", Domain: "sender.example"}, Protocol: "ESMTP"},
		Message: &message.Message{
			MessageID: "<1@sender.example>", Subject: Canary, From: []message.Address{{Address: "bob@sender.example"}},
			Text: strings.ReplaceAll(text, "\r\n", "\n"), Class: message.ClassNormal,
		},
		Results: &verify.Results{},
		Data:    data,
	}
	for _, r := range recipients {
		path, err := inbound.ParsePath(r, false)
		if err != nil {
			panic("sinktest: " + err.Error())
		}
		e.Recipients = append(e.Recipients, sinks.Recipient{Path: path})
	}
	identity := sinks.Identity{ReversePath: "bob@sender.example", MessageID: "<1@sender.example>", BodySHA256: data.BodySHA256()}
	e.ID = sinks.EventID(identity.Sum(), e.Route, e.Recipients)
	return e
}
