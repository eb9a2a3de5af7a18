package cloudmailin

import (
	"context"
	"strconv"
	"strings"

	"mxhook/sinks"
	"mxhook/sinks/payload"
)

func encodeMultipart(ctx context.Context, e *sinks.Event, inc payload.Include) (*payload.Body, error) {
	if err := payload.ForOne(e); err != nil {
		return nil, err
	}
	links, err := inc.Store(ctx, e)
	if err != nil {
		return nil, err
	}
	m := payload.NewMultipart(e)
	field := func(name, value string) { m.Field(name, strings.ToValidUTF8(value, "\uFFFD")) }
	field("plain", crlf(e.Message.Text))
	if inc.HTML {
		field("html", crlf(e.Message.HTML))
	} else {
		field("html", "")
	}
	field("reply_plain", crlf(e.Message.Reply.Text))
	flatten("headers", headers(e), field)
	flatten("envelope", envelope(e), field)
	for i := range e.Message.Attachments {
		a, at := &e.Message.Attachments[i], "attachments["+strconv.Itoa(i)+"]"
		if inc.Attachments == "metadata" || links.Attachments != nil {
			field(at+"[file_name]", a.Filename)
			field(at+"[content_type]", a.ContentType)
			field(at+"[size]", strconv.FormatInt(a.Size, 10))
			field(at+"[disposition]", disposition(a))
			if links.Attachments != nil {
				field(at+"[url]", links.Attachments[i])
			}
			continue
		}
		filename := a.Filename
		if filename == "" {
			filename = "attachment-" + strconv.Itoa(i+1) // a form's file needs a name
		}
		m.File(at, filename, a.ContentType, payload.ContentSource(a))
	}
	return m.Body(), nil
}

// flatten writes an object as fields in the notation of PHP and Rack: a[b][0].
func flatten(name string, v any, field func(name, value string)) {
	switch v := v.(type) {
	case string:
		field(name, v)
	case bool:
		field(name, strconv.FormatBool(v))
	case []string:
		for i, s := range v {
			field(name+"["+strconv.Itoa(i)+"]", s)
		}
	case payload.Object:
		for _, m := range v {
			// A name with brackets would stand elsewhere, and without them be another.
			if !strings.ContainsAny(m.Name, "[]") {
				flatten(name+"["+m.Name+"]", m.Value, field)
			}
		}
	}
}

// crlf gives text the line ends of a form.
func crlf(s string) string {
	return strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\n", "\r\n")
}
