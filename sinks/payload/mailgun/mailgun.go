// Package mailgun makes the two forms of Mailgun's Routes: what forward() posts to a URL,
// parsed, and to a URL that ends in "mime", with the whole message in body-mime.
//
// Each attempt has a fresh timestamp, token and signature (HMAC-SHA256 with the signing
// key), as receivers refuse old ones. What Mailgun measures and mxhook does not (spam
// score) is left out.
package mailgun

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"
	"time"

	"mxhook/sinks"
	"mxhook/sinks/payload"
	"mxhook/verify/authres"
)

// New returns the parsed form: with stored attachments that of store(notify), else that of
// forward(). It is made for one recipient. Without a key there is no
// timestamp, token and signature.
func New(inc payload.Include, key string) payload.Format {
	return format{key: key, include: inc, write: func(f fields, e *sinks.Event, links []string) error { return parsed(f, e, inc, links) }, file: func(e *sinks.Event) bool {
		return len(e.Message.Attachments) > 0 && inc.Attachments != "metadata" && inc.Attachments != payload.Stored || isLarge(e)
	}}
}

// NewMIME returns the raw form.
func NewMIME(key string) payload.Format {
	return format{key: key, write: raw, file: isLarge}
}

// isLarge tells whether the form is multipart for its size alone: frameworks read both
// kinds alike, but some take no more than 4 MiB of the other (Rack 2.2.14), in which
// binary content is also three times as long.
func isLarge(e *sinks.Event) bool { return e.Data.Size() > 1<<20 }

// maxFields bounds how many of the header's fields are fields of the form as well.
// message-headers has them all; Django and PHP refuse a form of more than 1000.
const maxFields = 500

type format struct {
	key     string
	include payload.Include
	write   func(f fields, e *sinks.Event, links []string) error
	file    func(e *sinks.Event) bool // the form is multipart
}

// fields is a form of either kind.
type fields interface {
	add(name, value string)
	source(name string, src payload.Source) error
	file(name, filename, contentType string, src payload.Source)
}

// Encode implements payload.Format.
func (f format) Encode(ctx context.Context, e *sinks.Event) (payload.Encoded, error) {
	if err := payload.ForOne(e); err != nil {
		return nil, err
	}
	links, err := f.include.Store(ctx, e)
	if err != nil {
		return nil, err
	}
	return encoded{f, e, links.Attachments}, nil
}

type encoded struct {
	format
	event *sinks.Event
	links []string // where the attachments are, nil when they are not stored
}

// Request implements payload.Encoded.
func (x encoded) Request(a payload.Attempt) (payload.Request, error) {
	if x.file(x.event) {
		m := multipart{payload.NewMultipart(x.event)}
		err := x.fill(m, a.Time)
		return payload.Request{Body: m.Body()}, err
	}
	f := &urlencoded{}
	err := x.fill(f, a.Time)
	return payload.Request{Body: f.form.Body()}, err
}

func (x encoded) fill(f fields, now time.Time) error {
	e := x.event
	f.add("recipient", e.Recipients[0].Path.String())
	f.add("sender", e.Mail.ReversePath.String())
	f.add("from", payload.First(payload.Header(e), "From"))
	f.add("subject", e.Message.Subject)
	if err := x.write(f, e, x.links); err != nil {
		return err
	}
	all := headers(e)
	for _, h := range all[:min(len(all), maxFields)] {
		if !strings.ContainsAny(h.Name, "[]") { // From[x] beside From is a form that Rack refuses
			f.add(payload.TitleCase(h.Name), h.Value)
		}
	}
	f.add("message-headers", messageHeaders(all))
	if x.key != "" {
		timestamp, token := strconv.FormatInt(now.Unix(), 10), newToken()
		f.add("timestamp", timestamp)
		f.add("token", token)
		f.add("signature", Sign(x.key, timestamp, token))
	}
	return nil
}

// Sign is Mailgun's signature: HMAC-SHA256 over timestamp and token, in hex.
func Sign(key, timestamp, token string) string {
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(timestamp + token))
	return hex.EncodeToString(mac.Sum(nil))
}

// newToken is 50 random characters.
func newToken() string {
	var p [25]byte
	rand.Read(p[:]) // never fails
	return hex.EncodeToString(p[:])
}

func raw(f fields, e *sinks.Event, _ []string) error {
	src, err := payload.RawText(e)
	if err != nil {
		return err
	}
	return f.source("body-mime", src)
}

func parsed(f fields, e *sinks.Event, inc payload.Include, links []string) error {
	m := e.Message
	if m.Text != "" || m.HTML != "" || len(m.Attachments) == 0 {
		f.add("body-plain", m.Text)
		f.add("stripped-text", m.Reply.Text)
		if m.Reply.Signature != "" {
			f.add("stripped-signature", m.Reply.Signature)
		}
	}
	if m.HTML != "" && inc.HTML {
		f.add("body-html", m.HTML)
		if m.Reply.Quoted == "" && m.Reply.Signature == "" {
			f.add("stripped-html", m.HTML) // nothing is to be taken out of it
		}
	}
	if inc.Attachments == "metadata" || len(m.Attachments) == 0 {
		return nil
	}
	if links != nil {
		stored(f, e, links)
		return nil
	}
	f.add("attachment-count", strconv.Itoa(len(m.Attachments)))
	called := func(i int) string { return "attachment-" + strconv.Itoa(i+1) }
	for i := range m.Attachments {
		a, name := &m.Attachments[i], called(i)
		filename := a.Filename
		if filename == "" {
			filename = name
		}
		f.file(name, filename, a.ContentType, payload.ContentSource(a))
	}
	if ids := payload.ContentIDs(m.Attachments, "<", ">", called); len(ids) > 0 {
		f.add("content-id-map", payload.JSONText(ids))
	}
	return nil
}

// stored adds what the form of store(notify) has in place of the files. It has no
// message-url, since there is no Messages API behind it.
func stored(f fields, e *sinks.Event, links []string) {
	type attachment struct {
		URL         string `json:"url"`
		ContentType string `json:"content-type"`
		Name        string `json:"name"`
		Size        int64  `json:"size"`
	}
	list := []attachment{}
	for i := range e.Message.Attachments {
		a := &e.Message.Attachments[i]
		list = append(list, attachment{links[i], a.ContentType, a.Filename, a.Size})
	}
	f.add("domain", e.Recipients[0].Path.Domain)
	f.add("attachments", payload.JSONText(list))
	if ids := payload.ContentIDs(e.Message.Attachments, "<", ">", func(i int) string { return links[i] }); len(ids) > 0 {
		f.add("content-id-map", payload.JSONText(ids))
	}
}

// headers are the message's fields with Mailgun's own.
func headers(e *sinks.Event) []payload.HeaderField {
	list := payload.Header(e)
	own := []payload.HeaderField{{Name: "X-Envelope-From", Value: "<" + e.Mail.ReversePath.String() + ">"}, {Name: "X-Mailgun-Incoming", Value: "Yes"}}
	if e.Results != nil {
		own = append(own, payload.HeaderField{Name: "X-Mailgun-Spf", Value: spf(e.Results.SPF.Result)})
		if v := dkim(e); v != "" {
			own = append(own, payload.HeaderField{Name: "X-Mailgun-Dkim-Check-Result", Value: v})
		}
	}
	// Those of a sender must not pass for ours.
	for _, h := range list {
		if n := strings.ToLower(h.Name); !strings.HasPrefix(n, "x-mailgun-") && n != "x-envelope-from" {
			own = append(own, h)
		}
	}
	return own
}

func spf(r authres.Result) string {
	switch r {
	case authres.Pass:
		return "Pass"
	case authres.Fail:
		return "Fail"
	case authres.SoftFail:
		return "SoftFail"
	case authres.TempError:
		return "TempError"
	case authres.PermError:
		return "PermError"
	case authres.None:
		return "None"
	}
	return "Neutral"
}

// dkim is Pass when one signature passes, Fail when none of those that are there does.
func dkim(e *sinks.Event) string {
	result := ""
	for _, s := range e.Results.DKIM {
		if s.Result == authres.Pass {
			return "Pass"
		}
		result = "Fail"
	}
	return result
}

// messageHeaders is JSON: [["Name","value"],…].
func messageHeaders(all []payload.HeaderField) string {
	pairs := [][2]string{}
	for _, h := range all {
		pairs = append(pairs, [2]string{payload.TitleCase(h.Name), h.Value})
	}
	return payload.JSONText(pairs)
}
