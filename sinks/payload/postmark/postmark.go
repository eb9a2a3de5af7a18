// Package postmark makes the payload of Postmark's inbound webhook: what an app that
// receives from Postmark reads, without a change to it.
//
// Postmark signs nothing: the app knows its sender by the user and password of the URL.
// What Postmark measures and mxhook does not (spam score) is left out. MessageID is an
// identifier of the event, as Postmark's is one of its own; the Message-ID field stands
// in Headers.
package postmark

import (
	"context"
	"strings"

	"mxhook/inbound/message"
	"mxhook/sinks"
	"mxhook/sinks/payload"
)

// New returns the format. It is made for one recipient. inc.Raw "inline" adds RawEmail
// (payload.RawText).
func New(inc payload.Include) payload.Format {
	return payload.FormatFunc(func(_ context.Context, e *sinks.Event) (*payload.Body, error) { return encode(e, inc) })
}

type mailbox struct {
	Email, Name, MailboxHash string
}

type headerField struct{ Name, Value string }

type attachment struct {
	Name          string
	Content       any
	ContentType   string
	ContentLength int64
	ContentID     string
}

type inboundMessage struct {
	FromName          string
	MessageStream     string
	From              string
	FromFull          mailbox
	To                string
	ToFull            []mailbox
	Cc                string
	CcFull            []mailbox
	Bcc               string
	BccFull           []mailbox
	OriginalRecipient string
	Subject           string
	MessageID         string
	ReplyTo           string
	MailboxHash       string
	Date              string
	TextBody          any
	HtmlBody          any
	StrippedTextReply any
	RawEmail          any `json:",omitempty"`
	Tag               string
	Headers           []headerField
	Attachments       []attachment
}

func encode(e *sinks.Event, inc payload.Include) (*payload.Body, error) {
	if err := payload.ForOne(e); err != nil {
		return nil, err
	}
	var j payload.JSON
	msg, rcpt := e.Message, e.Recipients[0]
	m := inboundMessage{
		MessageStream: "inbound", OriginalRecipient: rcpt.Path.String(), MailboxHash: payload.Tag(rcpt),
		To: payload.Mailboxes(msg.To), ToFull: full(msg.To, rcpt), Cc: payload.Mailboxes(msg.Cc), CcFull: full(msg.Cc, rcpt),
		Bcc: payload.Mailboxes(blind(msg, rcpt)), BccFull: full(blind(msg, rcpt), rcpt),
		Subject: msg.Subject, MessageID: payload.UUID(e), ReplyTo: payload.Mailboxes(msg.ReplyTo),
		TextBody: j.Text(msg.Text), HtmlBody: "", StrippedTextReply: j.Text(msg.Reply.Text),
		Headers: []headerField{}, Attachments: []attachment{},
	}
	if len(msg.From) > 0 {
		m.From, m.FromName = msg.From[0].Address, msg.From[0].Name
		m.FromFull = mailbox{Email: m.From, Name: m.FromName}
	}
	if inc.HTML {
		m.HtmlBody = j.Text(msg.HTML)
	}
	if inc.Raw == "inline" {
		raw, err := payload.RawText(e)
		if err != nil {
			return nil, err
		}
		if m.RawEmail, err = j.TextSource(raw); err != nil {
			return nil, err
		}
	}
	header := payload.Header(e)
	m.Date = payload.First(header, "Date")
	for _, f := range header {
		if !apart(f.Name) && !verdict(f.Name) {
			m.Headers = append(m.Headers, headerField{f.Name, f.Value})
		}
	}
	if inc.Attachments != "metadata" {
		for i := range msg.Attachments {
			a := &msg.Attachments[i]
			m.Attachments = append(m.Attachments, attachment{
				Name: a.Filename, Content: j.Attachment(a), ContentType: a.ContentType, ContentLength: a.Size, ContentID: a.ContentID,
			})
		}
	}
	return j.Encode(m)
}

// apart tells whether a field has a key of its own and doesn't stand in Headers.
func apart(name string) bool {
	switch strings.ToLower(name) {
	case "from", "to", "cc", "bcc", "subject", "date", "reply-to":
		return true
	}
	return false
}

// verdict tells whether a field is what Postmark itself writes of spam, so that its reader
// takes it for Postmark's word; here it is a sender's.
func verdict(name string) bool {
	switch strings.ToLower(name) {
	case "x-spam-checker-version", "x-spam-status", "x-spam-score", "x-spam-tests":
		return true
	}
	return false
}

// full writes addresses; the hash is that of the recipient whom the event is for.
func full(list []message.Address, rcpt sinks.Recipient) []mailbox {
	all := []mailbox{}
	for _, a := range list {
		m := mailbox{Email: a.Address, Name: a.Name}
		if strings.EqualFold(a.Address, rcpt.Path.String()) {
			m.MailboxHash = payload.Tag(rcpt)
		}
		all = append(all, m)
	}
	return all
}

// blind is the Bcc field, and the recipient whom neither To nor Cc name.
func blind(m *message.Message, rcpt sinks.Recipient) []message.Address {
	list := m.Bcc
	for _, a := range append(append(append([]message.Address{}, m.To...), m.Cc...), m.Bcc...) {
		if strings.EqualFold(a.Address, rcpt.Path.String()) {
			return list
		}
	}
	return append(append([]message.Address{}, list...), message.Address{Address: rcpt.Path.String()})
}
