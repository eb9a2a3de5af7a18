package payload

import (
	"context"
	"encoding/hex"
	"io"
	"net/netip"
	"strings"
	"time"

	"mxhook/inbound"
	"mxhook/inbound/message"
	"mxhook/sinks"
	"mxhook/verify"
	"mxhook/verify/authres"
)

// SchemaName is the value of the native payload's "schema".
const SchemaName = "mxhook.v1"

// Times of the payload: what we saw has milliseconds, a Date field has seconds.
const (
	timeMillis  = "2006-01-02T15:04:05.000Z"
	timeSeconds = "2006-01-02T15:04:05Z"
)

// Native returns the payload mxhook.v1 of e. Its fields are documented in Schema
// and README.md. The Body reads e's Message and Data, so it lives as long as they.
// What inc wants to be stored is stored before it returns, until ctx ends. The error
// says what e lacks or what inc asks for that can't be had, or is a *StoreError.
func Native(ctx context.Context, e *sinks.Event, inc Include) (*Body, error) {
	if err := complete(e); err != nil {
		return nil, err
	}
	links, err := inc.Store(ctx, e)
	if err != nil {
		return nil, err
	}
	// The streams must be collected in the order in which they stand in the JSON.
	var d JSON
	m := messageOf(&d, e.Message, inc, links.Attachments)
	raw := rawOf(&d, e.Data, inc, links.Raw)
	results := e.Results
	if results == nil {
		results = &verify.Results{}
	}
	return d.Encode(native{
		Schema:         SchemaName,
		ID:             e.ID,
		ReceivedAt:     e.ReceivedAt.UTC().Format(timeMillis),
		Route:          e.Route,
		Envelope:       envelopeOf(e, results),
		Authentication: authenticationOf(results),
		Message:        m,
		Raw:            raw,
	})
}

func envelopeOf(e *sinks.Event, r *verify.Results) envelope {
	env := envelope{
		ReversePath: e.Mail.ReversePath.String(),
		Recipients:  make([]recipient, 0, len(e.Recipients)),
		HELO:        e.Session.HELO,
		RemoteIP:    IP(e.Session.RemoteIP),
		Protocol:    e.Mail.Protocol,
		SMTPUTF8:    e.Mail.SMTPUTF8,
		Size:        e.Data.Size(),
	}
	// A name that doesn't lead back to the address is the peer's own claim.
	if r.IPRev.Result == authres.Pass {
		env.RemoteName = r.IPRev.Name
	}
	for _, rcpt := range e.Recipients {
		env.Recipients = append(env.Recipients, recipientOf(rcpt))
	}
	if t := e.Session.TLS; t != nil {
		env.TLS = &tlsFacts{Version: t.Version, Cipher: t.Cipher, ServerName: t.ServerName}
	}
	if p := e.Mail.Provider; p != nil {
		env.Provider = &provider{
			Name: p.Name, MessageID: p.MessageID,
			SPF: string(p.SPF), DKIM: string(p.DKIM), DMARC: string(p.DMARC), Spam: string(p.Spam), Virus: string(p.Virus),
		}
	}
	if e.Session.User != "" {
		env.User = &e.Session.User
	}
	return env
}

func recipientOf(r sinks.Recipient) recipient {
	user, tag, _ := strings.Cut(r.Path.LocalPart, "+")
	captures := r.Captures
	if captures == nil {
		captures = map[string]string{}
	}
	return recipient{
		Address:   r.Path.String(),
		LocalPart: r.Path.LocalPart,
		Domain:    r.Path.Domain,
		User:      user,
		Tag:       tag,
		Captures:  captures,
	}
}

// IP writes an address without a zone or the form of IPv6 for IPv4. It returns "" for no address, as for mail that came through a store.
func IP(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.Unmap().WithZone("").String()
}

func messageOf(d *JSON, m *message.Message, inc Include, links []string) content {
	c := content{
		MessageID:    m.MessageID,
		Date:         dateOf(m.Date),
		Subject:      m.Subject,
		From:         addressesOf(m.From),
		ReplyTo:      addressesOf(m.ReplyTo),
		To:           addressesOf(m.To),
		Cc:           addressesOf(m.Cc),
		Bcc:          addressesOf(m.Bcc),
		InReplyTo:    list(m.InReplyTo),
		References:   list(m.References),
		Headers:      make([]headerField, 0, len(m.Header)),
		Text:         d.Text(m.Text),
		HTML:         "",
		TextFromHTML: m.TextFromHTML,
		Attachments:  make([]attachment, 0, len(m.Attachments)),
		Class:        or(string(m.Class), string(message.ClassNormal)),
		Automatic: automatic{
			AutoSubmitted: or(m.Automatic.AutoSubmitted, "no"),
			Precedence:    m.Automatic.Precedence,
			Reason:        m.Automatic.Reason,
		},
		List:           mailingList{ID: m.List.ID, Unsubscribe: list(m.List.Unsubscribe), OneClick: m.List.OneClick},
		Bounce:         bounceOf(m.Bounce),
		FeedbackReport: feedbackOf(m.FeedbackReport),
		Calendar:       calendarOf(m.Calendar),
		Security:       security{Signed: or(m.Security.Signed, "none"), Encrypted: or(m.Security.Encrypted, "none")},
		Defects:        make([]defect, 0, len(m.Defects)),
	}
	if inc.HTML {
		c.HTML = d.Text(m.HTML)
	}
	c.Reply = reply{Text: d.Text(m.Reply.Text), Quoted: d.Text(m.Reply.Quoted), Signature: d.Text(m.Reply.Signature)}
	if m.Sender != nil {
		c.Sender = &address{Name: m.Sender.Name, Address: m.Sender.Address}
	}
	for _, f := range m.Header {
		c.Headers = append(c.Headers, headerField{Name: f.Name, Value: f.Value})
	}
	for i := range m.Attachments {
		c.Attachments = append(c.Attachments, attachmentOf(d, &m.Attachments[i], inc))
		if links != nil {
			c.Attachments[i].URL = &links[i]
		}
	}
	for _, x := range m.Defects {
		c.Defects = append(c.Defects, defect{Part: x.Part, Code: x.Code, Text: x.Text})
	}
	return c
}

func attachmentOf(d *JSON, a *message.Attachment, inc Include) attachment {
	out := attachment{
		Filename:    a.Filename,
		ContentType: a.ContentType,
		Charset:     a.Charset,
		Disposition: dispositionOf(a.Disposition),
		ContentID:   a.ContentID,
		Size:        a.Size,
		SHA256:      hex.EncodeToString(a.SHA256[:]),
	}
	if inc.Attachments == "" || inc.Attachments == "inline" {
		out.Content = d.stream(contentOf(a))
	}
	return out
}

// contentOf is the base64 of a: as it stands in the message where that is clean,
// which is far cheaper than to decode and encode it.
func contentOf(a *message.Attachment) segment {
	s := base64Of(a.Open, a.Size)
	if _, ok := a.Base64(); ok {
		s.open = func(*scratch) io.Reader {
			r, _ := a.Base64()
			return r
		}
	}
	return s
}

// dispositionOf takes what it doesn't know for an attachment (RFC 2183 2.8).
func dispositionOf(s string) string {
	if s == "inline" {
		return s
	}
	return "attachment"
}

func rawOf(d *JSON, data *inbound.MailData, inc Include, link string) rawFacts {
	sum := data.SHA256()
	r := rawFacts{Size: data.Size(), SHA256: hex.EncodeToString(sum[:])}
	if inc.Raw == "inline" {
		r.Content = d.stream(base64Of(func() io.Reader { return data.Open() }, data.Size()))
	}
	if link != "" {
		r.URL = &link
	}
	return r
}

// dateOf returns nil for a missing date and for one that RFC 3339 can't say.
func dateOf(t time.Time) *string {
	t = t.UTC()
	if t.IsZero() || t.Year() < 0 || t.Year() > 9999 {
		return nil
	}
	s := t.Format(timeSeconds)
	return &s
}

func addressesOf(in []message.Address) []address {
	out := make([]address, 0, len(in))
	for _, a := range in {
		out = append(out, address{Name: a.Name, Address: a.Address})
	}
	return out
}

// list returns a slice that is [] in JSON and never null.
func list(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}
