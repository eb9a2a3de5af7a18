// Package sendgrid makes the two forms of SendGrid's Inbound Parse: the parsed one, and
// the raw one with the whole message in `email`. With a key its requests are signed as
// Twilio's security policy signs them: ECDSA over the timestamp and the body.
//
// Texts are UTF-8, as `charsets` says. What SendGrid measures and mxhook does not (spam
// score) is left out.
package sendgrid

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"mxhook/inbound/message"
	"mxhook/sinks"
	"mxhook/sinks/payload"
	"mxhook/verify/authres"
)

// New returns the parsed form. key is an ECDSA key of P-256 in PEM, "" for requests
// without a signature; the error says what is wrong with it and holds nothing of it.
func New(inc payload.Include, key string) (payload.Format, error) {
	return newFormat(key, func(_ context.Context, e *sinks.Event) (*payload.Body, error) { return parsed(e, inc) })
}

// NewRaw returns the raw form.
func NewRaw(key string) (payload.Format, error) { return newFormat(key, raw) }

func newFormat(key string, encode payload.FormatFunc) (payload.Format, error) {
	if key == "" {
		return encode, nil
	}
	s, err := newSigner(key)
	if err != nil {
		return nil, err
	}
	return signed{encode, s}, nil
}

// form is what the two forms share, in SendGrid's words.
type form struct {
	*payload.Multipart
	event    *sinks.Event
	header   []payload.HeaderField
	charsets payload.Object
}

func newForm(e *sinks.Event) (*form, error) {
	if err := payload.ForAll(e); err != nil {
		return nil, err
	}
	return &form{Multipart: payload.NewMultipart(e), event: e, header: payload.Header(e)}, nil
}

// text adds a field whose charset is told.
func (f *form) text(name, value string) {
	f.Field(name, strings.ToValidUTF8(value, "\uFFFD"))
	f.charsets.Set(name, "UTF-8")
}

// common adds the fields that both forms have.
func (f *form) common() {
	e, m := f.event, f.event.Message
	f.Field("dkim", dkim(e))
	f.Field("SPF", string(payload.SPF(e).Result))
	f.Field("sender_ip", payload.IP(e.Session.RemoteIP))
	f.Field("envelope", envelope(e))
	f.text("to", payload.First(f.header, "To"))
	if len(m.Cc) > 0 {
		f.text("cc", payload.First(f.header, "Cc"))
	}
	f.text("from", payload.First(f.header, "From"))
	f.text("subject", m.Subject)
}

func (f *form) end() *payload.Body {
	f.Field("charsets", payload.JSONText(f.charsets))
	return f.Body()
}

func raw(_ context.Context, e *sinks.Event) (*payload.Body, error) {
	f, err := newForm(e)
	if err != nil {
		return nil, err
	}
	src, err := payload.RawText(e)
	if err != nil {
		return nil, err
	}
	f.common()
	f.FieldSource("email", "", src)
	return f.end(), nil
}

func parsed(e *sinks.Event, inc payload.Include) (*payload.Body, error) {
	f, err := newForm(e)
	if err != nil {
		return nil, err
	}
	f.Field("headers", headerText(f.header))
	f.common()
	if e.Message.Text != "" {
		f.text("text", e.Message.Text)
	}
	if e.Message.HTML != "" && inc.HTML {
		f.text("html", e.Message.HTML)
	}
	var files []message.Attachment
	if inc.Attachments != "metadata" {
		files = e.Message.Attachments
	}
	f.files(files)
	return f.end(), nil
}

// headerText is the header section as SendGrid writes it today: the names sorted and in
// title case, repeats in their order, folds taken out. One of its users saw so in 2025.
func headerText(list []payload.HeaderField) string {
	type field struct{ name, body string }
	sorted := make([]field, len(list))
	for i, h := range list {
		sorted[i] = field{payload.TitleCase(h.Name), h.Raw}
	}
	slices.SortStableFunc(sorted, func(a, b field) int { return strings.Compare(a.name, b.name) })
	var b strings.Builder
	for _, f := range sorted {
		b.WriteString(f.name + ": " + f.body + "\n")
	}
	return strings.ToValidUTF8(b.String(), "\uFFFD")
}

// files adds the attachments and what tells of them.
func (f *form) files(list []message.Attachment) {
	f.Field("attachments", strconv.Itoa(len(list)))
	info := payload.Object{}
	for i := range list {
		a, name := &list[i], "attachment"+strconv.Itoa(i+1)
		about := payload.Object{{Name: "filename", Value: filename(a, i)}, {Name: "name", Value: filename(a, i)}, {Name: "type", Value: a.ContentType}}
		if a.ContentID != "" {
			about.Set("content-id", a.ContentID)
		}
		if a.Charset != "" {
			about.Set("charset", a.Charset)
		}
		info = append(info, payload.Member{Name: name, Value: about})
	}
	if len(list) > 0 {
		f.Field("attachment-info", payload.JSONText(info))
	}
	if ids := payload.ContentIDs(list, "", "", func(i int) string { return "attachment" + strconv.Itoa(i+1) }); len(ids) > 0 {
		f.Field("content-ids", payload.JSONText(ids))
	}
	for i := range list {
		f.File("attachment"+strconv.Itoa(i+1), filename(&list[i], i), list[i].ContentType, payload.ContentSource(&list[i]))
	}
}

// filename gives a nameless part a name, since a form's file needs one.
func filename(a *message.Attachment, i int) string {
	if a.Filename != "" {
		return a.Filename
	}
	return "attachment" + strconv.Itoa(i+1)
}

// dkim is SendGrid's own notation: {@domain : result}, "none" without a signature.
func dkim(e *sinks.Event) string {
	var texts []string
	if e.Results != nil {
		for _, s := range e.Results.DKIM {
			if s.Domain == "" {
				continue
			}
			result := "fail"
			if s.Result == authres.Pass {
				result = "pass"
			}
			texts = append(texts, fmt.Sprintf("@%s : %s", s.Domain, result))
		}
	}
	if len(texts) == 0 {
		return "none"
	}
	return "{" + strings.Join(texts, ", ") + "}"
}

// envelope is JSON: {"to":["…"],"from":"…"}.
func envelope(e *sinks.Event) string {
	var to []string
	for _, r := range e.Recipients {
		to = append(to, r.Path.String())
	}
	return payload.JSONText(payload.Object{{Name: "to", Value: to}, {Name: "from", Value: e.Mail.ReversePath.String()}})
}
