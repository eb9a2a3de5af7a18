// Package mandrill makes Mandrill's inbound webhook: a form with one field,
// mandrill_events, that holds a JSON array of one event, signed with HMAC-SHA1 over the
// URL and the field as Mandrill signs it.
//
// What Mandrill measures and mxhook does not (spam report) is left out. raw_msg is
// payload.RawText. Files that have the same name get a number, since `attachments` is an
// object.
package mandrill

import (
	"context"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"io"
	"path"
	"strconv"
	"strings"

	"mxhook/inbound/message"
	"mxhook/sinks"
	"mxhook/sinks/payload"
	"mxhook/verify/authres"
)

// SignatureField is the header field of the signature.
const SignatureField = "X-Mandrill-Signature"

// New returns the format. It is made for one recipient. Without a key requests are not
// signed.
func New(inc payload.Include, key string) payload.Format { return format{inc, key} }

type format struct {
	include payload.Include
	key     string
}

// Encode implements payload.Format.
func (f format) Encode(_ context.Context, e *sinks.Event) (payload.Encoded, error) {
	if err := payload.ForOne(e); err != nil {
		return nil, err
	}
	events, err := f.events(e)
	if err != nil {
		return nil, err
	}
	var form payload.Form
	if err := form.AddSource("mandrill_events", payload.BodySource(events)); err != nil {
		return nil, err
	}
	return encoded{f.key, events, form.Body()}, nil
}

type encoded struct {
	key          string
	events, form *payload.Body
}

// Request implements payload.Encoded. With a key it reads the events once.
func (x encoded) Request(a payload.Attempt) (payload.Request, error) {
	if x.key == "" {
		return payload.Request{Body: x.form}, nil
	}
	mac := hmac.New(sha1.New, []byte(x.key))
	io.WriteString(mac, a.URL+"mandrill_events")
	r := x.events.Open()
	defer r.Close()
	if _, err := io.Copy(mac, r); err != nil {
		return payload.Request{}, err
	}
	return payload.Request{Body: x.form, Header: map[string]string{SignatureField: base64.StdEncoding.EncodeToString(mac.Sum(nil))}}, nil
}

func (f format) events(e *sinks.Event) (*payload.Body, error) {
	raw, err := payload.RawText(e)
	if err != nil {
		return nil, err
	}
	var j payload.JSON
	rawMessage, err := j.TextSource(raw)
	if err != nil {
		return nil, err
	}
	m := e.Message
	msg := payload.Object{{Name: "raw_msg", Value: rawMessage}, {Name: "headers", Value: headers(e)}}
	msg.Set("text", j.Text(m.Text))
	msg.Set("text_flowed", false) // text is what was meant: soft line ends are joined
	if m.HTML != "" && f.include.HTML {
		msg.Set("html", j.Text(m.HTML))
	}
	f.files(&msg, &j, m)
	from := message.Address{}
	if len(m.From) > 0 {
		from = m.From[0]
	}
	msg.Set("from_email", from.Address)
	msg.Set("from_name", from.Name)
	msg.Set("to", pairs(m.To))
	if len(m.Cc) > 0 {
		msg.Set("cc", pairs(m.Cc))
	}
	msg.Set("subject", m.Subject)
	if e.Results != nil {
		msg.Set("dkim", dkim(e))
		msg.Set("spf", payload.Object{{Name: "result", Value: string(payload.SPF(e).Result)}, {Name: "detail", Value: e.Results.SPF.Reason}})
	}
	msg.Set("email", e.Recipients[0].Path.String())
	msg.Set("tags", []string{})
	msg.Set("sender", nil)
	msg.Set("template", nil)
	return j.Encode([]any{payload.Object{
		{Name: "event", Value: "inbound"}, {Name: "ts", Value: e.ReceivedAt.Unix()}, {Name: "msg", Value: msg},
	}})
}

// files are the attachments and the images, each an object by name.
func (f format) files(msg *payload.Object, j *payload.JSON, m *message.Message) {
	if f.include.Attachments == "metadata" {
		return
	}
	attachments, images := payload.Object{}, payload.Object{}
	files, ids := newNames(), newNames()
	for i := range m.Attachments {
		a := &m.Attachments[i]
		file := payload.Object{{Name: "name", Value: a.Filename}, {Name: "type", Value: a.ContentType}, {Name: "content", Value: j.Attachment(a)}}
		if a.ContentID != "" && strings.HasPrefix(a.ContentType, "image/") {
			file[0].Value = a.ContentID
			images = append(images, payload.Member{Name: ids.unused(a.ContentID), Value: file})
			continue
		}
		attachments = append(attachments, payload.Member{Name: files.unused(named(a, i)), Value: append(file, payload.Member{Name: "base64", Value: true})})
	}
	if len(attachments) > 0 {
		msg.Set("attachments", attachments)
	}
	if len(images) > 0 {
		msg.Set("images", images)
	}
}

func named(a *message.Attachment, i int) string {
	if a.Filename != "" {
		return a.Filename
	}
	return "attachment-" + strconv.Itoa(i+1)
}

// names gives every file a name of its own: "a.pdf", "a-2.pdf".
type names struct {
	taken map[string]bool
	next  map[string]int // the number to try for a name
}

func newNames() names { return names{map[string]bool{}, map[string]int{}} }

func (x names) unused(name string) string {
	ext := path.Ext(name)
	for other := name; ; {
		if !x.taken[other] {
			x.taken[other] = true
			return other
		}
		x.next[name] = max(x.next[name], 1) + 1
		other = strings.TrimSuffix(name, ext) + "-" + strconv.Itoa(x.next[name]) + ext
	}
}

// headers is an object of names in title case: a string, or an array of them where the
// field is repeated.
func headers(e *sinks.Event) payload.Object {
	o := payload.Object{}
	at := map[string]int{}
	for _, h := range payload.Header(e) {
		name := payload.TitleCase(h.Name)
		i, ok := at[name]
		if !ok {
			at[name] = len(o)
			o = append(o, payload.Member{Name: name, Value: h.Value})
			continue
		}
		switch v := o[i].Value.(type) {
		case string:
			o[i].Value = []string{v, h.Value}
		case []string:
			o[i].Value = append(v, h.Value)
		}
	}
	return o
}

// pairs are [address, name], where a name that is missing is null.
func pairs(list []message.Address) [][2]any {
	all := [][2]any{}
	for _, a := range list {
		p := [2]any{a.Address, nil}
		if a.Name != "" {
			p[1] = a.Name
		}
		all = append(all, p)
	}
	return all
}

func dkim(e *sinks.Event) payload.Object {
	valid := false
	for _, s := range e.Results.DKIM {
		valid = valid || s.Result == authres.Pass
	}
	return payload.Object{{Name: "signed", Value: len(e.Results.DKIM) > 0}, {Name: "valid", Value: valid}}
}
