// Package cloudmailin makes CloudMailin's normalized formats: JSON, and
// multipart/form-data with the files apart.
//
// CloudMailin signs nothing: the app knows its sender by the user and password of the
// URL.
package cloudmailin

import (
	"context"
	"strconv"
	"strings"

	"mxhook/inbound/message"
	"mxhook/sinks"
	"mxhook/sinks/payload"
)

// New returns the JSON format. It is made for one recipient.
func New(inc payload.Include) payload.Format {
	return payload.FormatFunc(func(ctx context.Context, e *sinks.Event) (*payload.Body, error) { return encodeJSON(ctx, e, inc) })
}

// NewMultipart returns the multipart format.
func NewMultipart(inc payload.Include) payload.Format {
	return payload.FormatFunc(func(ctx context.Context, e *sinks.Event) (*payload.Body, error) { return encodeMultipart(ctx, e, inc) })
}

func encodeJSON(ctx context.Context, e *sinks.Event, inc payload.Include) (*payload.Body, error) {
	if err := payload.ForOne(e); err != nil {
		return nil, err
	}
	links, err := inc.Store(ctx, e)
	if err != nil {
		return nil, err
	}
	var j payload.JSON
	m := e.Message
	o := payload.Object{{Name: "headers", Value: headers(e)}, {Name: "envelope", Value: envelope(e)}, {Name: "plain", Value: j.Text(m.Text)}}
	html := ""
	if inc.HTML {
		html = m.HTML
	}
	o.Set("html", j.Text(html))
	o.Set("reply_plain", j.Text(m.Reply.Text))
	files := []payload.Object{}
	for i := range m.Attachments {
		a := &m.Attachments[i]
		f := payload.Object{}
		if inc.Attachments != "metadata" && links.Attachments == nil {
			f.Set("content", j.Attachment(a))
		}
		f.Set("file_name", a.Filename)
		f.Set("content_type", a.ContentType)
		f.Set("size", strconv.FormatInt(a.Size, 10))
		f.Set("disposition", disposition(a))
		if a.ContentID != "" {
			f.Set("content_id", a.ContentID)
		}
		if links.Attachments != nil {
			f.Set("url", links.Attachments[i])
		}
		files = append(files, f)
	}
	o.Set("attachments", files)
	return j.Encode(o)
}

func disposition(a *message.Attachment) string {
	if a.Disposition == "inline" {
		return "inline"
	}
	return "attachment"
}

// ours are the keys of the fields that only a receiver writes, which a raw copy loses when
// the sender wrote them.
var ours = []string{"return_path", "x_original_to", "delivered_to", "authentication_results"}

// headers is an object of lower_snake_case names; a repeated one has an array.
// A field whose name has a _ itself is left out where it would take the key of another, as
// Authentication_Results would that of what mxhook found out.
func headers(e *sinks.Event) payload.Object {
	o := payload.Object{}
	list := payload.Header(e)
	taken := map[string]bool{}
	for _, name := range ours {
		taken[name] = true
	}
	for _, h := range list {
		if !strings.Contains(h.Name, "_") {
			taken[snake(h.Name)] = true
		}
	}
	at := map[string]int{}
	for _, h := range list {
		name := snake(h.Name)
		if strings.Contains(h.Name, "_") && taken[name] {
			continue
		}
		i, ok := at[name]
		if !ok {
			at[name] = len(o)
			o = append(o, payload.Member{Name: name, Value: value(h)})
			continue
		}
		switch v := o[i].Value.(type) {
		case string:
			o[i].Value = []string{v, value(h)}
		case []string:
			o[i].Value = append(v, value(h))
		}
	}
	return o
}

// value is a field's, without the angle brackets of Return-Path.
func value(h payload.HeaderField) string {
	if strings.EqualFold(h.Name, "Return-Path") {
		return strings.Trim(h.Value, "<>")
	}
	return h.Value
}

func snake(name string) string { return strings.ReplaceAll(strings.ToLower(name), "-", "_") }

func envelope(e *sinks.Event) payload.Object {
	to := e.Recipients[0].Path.String()
	spf := payload.SPF(e)
	return payload.Object{
		{Name: "to", Value: to}, {Name: "recipients", Value: []string{to}}, {Name: "from", Value: e.Mail.ReversePath.String()},
		{Name: "helo_domain", Value: e.Session.HELO}, {Name: "remote_ip", Value: payload.IP(e.Session.RemoteIP)},
		{Name: "tls", Value: e.Session.TLS != nil},
		{Name: "spf", Value: payload.Object{{Name: "result", Value: string(spf.Result)}, {Name: "domain", Value: spf.Domain}}},
	}
}
