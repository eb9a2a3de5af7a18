package formats_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/textproto"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mxhook/inbound"
	"mxhook/sinks/payload"
	"mxhook/sinks/payload/formats"
	"mxhook/sinks/payload/payloadtest"
)

// fixtures are requests that providers really made, each of the same mail, with the
// format that is ours.
var fixtures = []struct{ file, format string }{
	{"postmark/spam.txt", "postmark"}, {"sendgrid/valid.txt", "sendgrid"}, {"mailgun/parsed/valid.txt", "mailgun"},
	{"mailgun/raw/valid.txt", "mailgun-mime"}, {"cloudmailin/multipart/valid.txt", "cloudmailin-multipart"},
	{"cloudmailin/json/attachment_store.txt", "cloudmailin"}, {"mandrill/valid.txt", "mandrill"},
}

// TestRequestsOfProvidersHaveTheFieldsOfOurs compares the fields of each, by name and type.
// What differs stands with its reason in deviations, and nothing else stands there.
func TestRequestsOfProvidersHaveTheFieldsOfOurs(t *testing.T) {
	const set = "../../../../shared/corpora/payload-multi_mail"
	if _, err := os.Stat(set); err != nil {
		t.Skip("no corpora beside the module")
	}
	mandrill := request(t, filepath.Join(set, "mandrill/valid.txt"))
	mail := []byte(mandrill["mandrill_events[].msg.raw_msg"].value)
	used := map[string]bool{}
	for _, f := range fixtures {
		theirFields := request(t, filepath.Join(set, f.file))
		made, err := formats.New(f.format, formats.Options{Include: payload.Include{HTML: true}, Secret: fixtureSecret(f.format)})
		if err != nil {
			t.Fatal(err)
		}
		e := payloadtest.Event(t, mail, "foo+bar@govkit.org")
		e.Mail.ReversePath = inbound.Path{LocalPart: "james", Domain: "opennorth.ca"}
		r, p := payloadtest.Request(t, made, e)
		ours := fields(t, r.Body.ContentType(), p)
		for _, name := range names(theirFields, ours) {
			a, b := theirFields[name], ours[name]
			if a.kind == b.kind && (!slices.Contains(texts, name) || same(a.value) == same(b.value)) {
				continue
			}
			rule := f.format + " " + name
			reason, listed := deviation(rule)
			if used[reason] = true; !listed {
				t.Errorf("%s: %s there, %s here\n%.900q\n%.900q", rule, a, b, a.value, b.value)
			}
		}
	}
	for _, d := range deviations {
		if !used[d.reason] {
			t.Errorf("not met: %s: %s", d.names, d.reason)
		}
	}
}

// texts are the fields whose values are compared as well: they are of the mail and not of its
// way.
var texts = strings.Fields("Subject subject from From from_name TextBody HtmlBody text html body-plain body-html stripped-text stripped-signature " +
	"plain reply_plain headers.subject headers.from headers[subject] headers[from] attachments attachment-count charsets.text charsets.subject SPF dkim " +
	"mandrill_events[].event mandrill_events[].msg.subject mandrill_events[].msg.from_email mandrill_events[].msg.from_name mandrill_events[].msg.text " +
	"mandrill_events[].msg.html mandrill_events[].msg.headers.From mandrill_events[].msg.attachments.foo.txt.type")

// field is one of a request: its kind is "" where it is not there.
type field struct{ kind, value string }

func (f field) String() string {
	if f.kind == "" {
		return "none"
	}
	return f.kind
}

func names(a, b map[string]field) (all []string) {
	for n := range a {
		all = append(all, n)
	}
	for n := range b {
		if _, ok := a[n]; !ok {
			all = append(all, n)
		}
	}
	slices.Sort(all)
	return all
}

// request reads a file of the set: an HTTP header section, under the line of an answer, and
// a body.
func request(t *testing.T, file string) map[string]field {
	t.Helper()
	p, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(bytes.NewReader(p))
	r.ReadString('\n')
	h, err := textproto.NewReader(r).ReadMIMEHeader()
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(r)
	return fields(t, h.Get("Content-Type"), body)
}

// fields are those of a body. Fields of forms that hold JSON are taken apart as well.
func fields(t *testing.T, contentType string, body []byte) map[string]field {
	t.Helper()
	all := map[string]field{}
	kind, params, err := mime.ParseMediaType(contentType)
	if err != nil {
		t.Fatal(err)
	}
	switch kind {
	case "application/json":
		var v any
		if err := json.Unmarshal(body, &v); err != nil {
			t.Fatal(err)
		}
		if m, ok := v.(map[string]any); ok {
			if h, ok := m["headers"].(map[string]any); ok { // CloudMailin's of 2013, before it was normalized
				m["headers"] = map[string]any{}
				for name, x := range h {
					m["headers"].(map[string]any)[normal(name)] = x
				}
			}
		}
		flatten(all, "", v)
	case "application/x-www-form-urlencoded":
		values, err := url.ParseQuery(strings.TrimSpace(string(body)))
		if err != nil {
			t.Fatal(err)
		}
		for name, v := range values {
			flattenText(all, name, v[0])
		}
	default:
		// The set was saved with the line ends of Unix.
		body = bytes.ReplaceAll(bytes.ReplaceAll(body, []byte("\r\n"), []byte("\n")), []byte("\n"), []byte("\r\n"))
		for r := multipart.NewReader(bytes.NewReader(body), params["boundary"]); ; {
			part, err := r.NextRawPart()
			if err != nil {
				break
			}
			p, _ := io.ReadAll(part)
			if part.FileName() != "" {
				all[part.FormName()] = field{"file", ""}
				continue
			}
			name := part.FormName()
			if strings.HasPrefix(name, "headers[") {
				name = normal(name)
			}
			flattenText(all, name, string(p))
		}
	}
	return all
}

// normal is a name as CloudMailin writes it today.
func normal(name string) string { return strings.ToLower(strings.ReplaceAll(name, "-", "_")) }

// flattenText takes a field of a form.
func flattenText(all map[string]field, name, value string) {
	var v any
	if (strings.HasPrefix(value, "{") || strings.HasPrefix(value, "[")) && json.Unmarshal([]byte(value), &v) == nil {
		flatten(all, name, v)
		return
	}
	all[name] = field{"string", value}
}

// flatten takes a value of JSON. The first element stands for those of an array.
func flatten(all map[string]field, name string, v any) {
	switch v := v.(type) {
	case map[string]any:
		all[name] = field{"object", ""}
		for k, x := range v {
			flatten(all, strings.TrimPrefix(name+"."+k, "."), x)
		}
	case []any:
		all[name] = field{"array", ""}
		if len(v) > 0 {
			flatten(all, name+"[]", v[0])
		}
	case nil:
		all[name] = field{"null", ""}
	default:
		all[name] = field{strings.TrimPrefix(fmt.Sprintf("%T", v), "float64 "), fmt.Sprint(v)}
	}
}

func fixtureSecret(format string) string {
	if k, _ := formats.Find(format); k.Secret == formats.Key {
		return "key"
	}
	return ""
}

func deviation(rule string) (string, bool) {
	for _, d := range deviations {
		for _, pattern := range strings.Fields(d.names) {
			if d.format+" "+pattern == rule || strings.HasSuffix(pattern, "*") && strings.HasPrefix(rule, d.format+" "+strings.TrimSuffix(pattern, "*")) {
				return d.reason, true
			}
		}
	}
	return "", false
}

// deviations are the rows of sinks/payload/README.md.
var deviations = []struct{ format, names, reason string }{
	{"postmark", "Attachments[]*", "The spam that was kept has no attachment."},
	{"postmark", "Bcc BccFull FromFull.MailboxHash FromName MessageStream OriginalRecipient StrippedTextReply ToFull[].MailboxHash", "Newer than the request, which is of 2013; Postmark documents them."},
	{"postmark", "Subject TextBody HtmlBody", "The request is of another mail."},
	{"sendgrid", "attachment-info* attachment3 attachment4", "The texts and HTML after the first are parts of text and html here, files there."},
	{"sendgrid", "text html attachments charsets.text", "As before: here all parts that are shown, there the first; and texts are UTF-8 here."},
	{"sendgrid", "dkim", "The event of the test is signed."},
	{"sendgrid", "sender_ip", "Newer than the request; SendGrid documents it."},
	{"sendgrid", "spam_report spam_score", "There is no spam filter here."},
	{"mailgun", "Authentication-Results Received-Spf X-Original-To", "Our trace fields."},
	{"mailgun", "X-Mailgun-Dkim-Check-Result", "Newer than the request."},
	{"mailgun", "X-Mailgun-Sflag X-Mailgun-Sscore", "There is no spam filter here, either."},
	{"mailgun", "body-html", "A line end stands here between the parts."},
	{"mailgun", "stripped-html", "Only the text is divided."},
	{"mailgun-mime", "Authentication-Results Received-Spf X-Original-To X-Mailgun-Dkim-Check-Result X-Mailgun-Sflag X-Mailgun-Sscore", "As with mailgun."},
	{"cloudmailin-multipart", "html", "All parts that are shown; CloudMailin itself did so in JSON and not here."},
	{"cloudmailin", "html", "A line end stands here between the parts, too."},
	{"cloudmailin-multipart", "envelope[tls]", "In CloudMailin's types, and newer than the request."},
	{"cloudmailin-multipart", "headers[authentication_results] headers[received_spf] headers[x_original_to] headers[received][2] headers[received][3] headers[content_type]", "The mail had another way and another header."},
	{"cloudmailin", "attachments[].content attachments[].url", "There the files were in a store; see include."},
	{"cloudmailin", "envelope.tls", "In CloudMailin's types too."},
	{"cloudmailin", "headers.authentication_results headers.received_spf headers.x_original_to headers.content_transfer_encoding", "The mail of this request had another header."},
	{"mandrill", "mandrill_events[].msg.attachments.bar.txt.base64 mandrill_events[].msg.attachments.foo.txt.base64", "Newer than the request: without it an app can't know whether content is base64."},
	{"mandrill", "mandrill_events[].msg.headers.Authentication-Results mandrill_events[].msg.headers.Received-Spf mandrill_events[].msg.headers.Return-Path mandrill_events[].msg.headers.X-Original-To", "Our trace fields, here too."},
	{"mandrill", "mandrill_events[].msg.html", "Here all parts that are shown, there the first of HTML (and all of text)."},
	{"mandrill", "mandrill_events[].msg.spam_report*", "There is no spam filter, here as well."},
}
