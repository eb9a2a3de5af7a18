// Package ses makes the notification of Amazon SES about a received message, as its SNS
// action publishes it and SNS delivers it raw: the JSON that stands in "Message" of an
// SNS request, with the message in `content`.
//
// SNS signs its own envelope; nobody else can, so that there is none. What SES measures
// and mxhook does not (spam, virus) has the status DISABLED, as with SES when scanning
// is switched off. The account's own names (ARN of the topic) are left out.
package ses

import (
	"context"
	"strings"
	"time"

	"mxhook/inbound/message"
	"mxhook/sinks"
	"mxhook/sinks/payload"
	"mxhook/verify"
	"mxhook/verify/authres"
)

// New returns the format.
func New() payload.Format { return payload.FormatFunc(encode) }

type notification struct {
	NotificationType string  `json:"notificationType"`
	Mail             mail    `json:"mail"`
	Receipt          receipt `json:"receipt"`
	Content          any     `json:"content"`
}

type receipt struct {
	Timestamp            string   `json:"timestamp"`
	ProcessingTimeMillis int64    `json:"processingTimeMillis"`
	Recipients           []string `json:"recipients"`
	SpamVerdict          verdict  `json:"spamVerdict"`
	VirusVerdict         verdict  `json:"virusVerdict"`
	SPFVerdict           verdict  `json:"spfVerdict"`
	DKIMVerdict          verdict  `json:"dkimVerdict"`
	DMARCVerdict         verdict  `json:"dmarcVerdict"`
	DMARCPolicy          string   `json:"dmarcPolicy,omitempty"`
	Action               action   `json:"action"`
}

type verdict struct {
	Status string `json:"status"`
}

type action struct {
	Type     string `json:"type"`
	Encoding string `json:"encoding"`
}

type mail struct {
	Timestamp        string        `json:"timestamp"`
	Source           string        `json:"source"`
	MessageID        string        `json:"messageId"`
	Destination      []string      `json:"destination"`
	HeadersTruncated bool          `json:"headersTruncated"`
	Headers          []header      `json:"headers"`
	CommonHeaders    commonHeaders `json:"commonHeaders"`
}

type header struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

type commonHeaders struct {
	ReturnPath string   `json:"returnPath,omitempty"`
	From       []string `json:"from,omitempty"`
	Date       string   `json:"date,omitempty"`
	To         []string `json:"to,omitempty"`
	Cc         []string `json:"cc,omitempty"`
	Bcc        []string `json:"bcc,omitempty"`
	Sender     string   `json:"sender,omitempty"`
	ReplyTo    []string `json:"replyTo,omitempty"`
	MessageID  string   `json:"messageId,omitempty"`
	Subject    string   `json:"subject,omitempty"`
}

func encode(_ context.Context, e *sinks.Event) (*payload.Body, error) {
	raw, err := payload.Raw(e)
	if err != nil {
		return nil, err
	}
	var j payload.JSON
	content, encoding, err := contentOf(&j, raw)
	if err != nil {
		return nil, err
	}
	list := payload.Header(e)
	at := timestamp(e.ReceivedAt)
	n := notification{
		NotificationType: "Received", Content: content,
		Mail: mail{
			Timestamp: at, Source: e.Mail.ReversePath.String(), MessageID: e.ID, Destination: recipients(e),
			Headers: []header{}, CommonHeaders: common(e, list),
		},
		Receipt: receipt{
			Timestamp: at, Recipients: recipients(e), SpamVerdict: verdict{"DISABLED"}, VirusVerdict: verdict{"DISABLED"},
			Action: action{Type: "SNS", Encoding: encoding},
		},
	}
	judge(&n.Receipt, e.Results)
	for _, f := range list {
		// X-SES-Spam-Verdict and its kin are SES's word to its reader, never a sender's.
		if !strings.HasPrefix(strings.ToLower(f.Name), "x-ses-") {
			n.Mail.Headers = append(n.Mail.Headers, header{f.Name, f.Raw})
		}
	}
	return j.Encode(n)
}

// contentOf is the raw copy as text where it is UTF-8, else as base64: SES's two
// encodings.
func contentOf(j *payload.JSON, raw *payload.Body) (content any, encoding string, err error) {
	src := payload.BodySource(raw)
	text, err := payload.IsUTF8(src.Open())
	if err != nil {
		return nil, "", err
	}
	if !text {
		return j.Stream(payload.Base64Source(src)), "BASE64", nil
	}
	content, err = j.TextSource(src)
	return content, "UTF8", err
}

func recipients(e *sinks.Event) []string {
	var list []string
	for _, r := range e.Recipients {
		list = append(list, r.Path.String())
	}
	return list
}

func common(e *sinks.Event, list []payload.HeaderField) commonHeaders {
	m := e.Message
	c := commonHeaders{
		ReturnPath: e.Mail.ReversePath.String(), From: mailboxes(m.From), Date: payload.First(list, "Date"), To: mailboxes(m.To), Cc: mailboxes(m.Cc),
		Bcc: mailboxes(m.Bcc), ReplyTo: mailboxes(m.ReplyTo), MessageID: m.MessageID, Subject: m.Subject,
	}
	if m.Sender != nil {
		c.Sender = payload.Mailbox(*m.Sender)
	}
	return c
}

func mailboxes(list []message.Address) (texts []string) {
	for _, a := range list {
		texts = append(texts, payload.Mailbox(a))
	}
	return texts
}

// judge fills the verdicts. GRAY is SES's word for what neither passed nor failed.
func judge(r *receipt, results *verify.Results) {
	if results == nil {
		results = &verify.Results{}
	}
	r.SPFVerdict, r.DMARCVerdict = status(results.SPF.Result), status(results.DMARC.Result)
	r.DKIMVerdict = verdict{"GRAY"}
	for _, s := range results.DKIM {
		v := status(s.Result)
		if v.Status == "PASS" || r.DKIMVerdict.Status == "GRAY" {
			r.DKIMVerdict = v
		}
		if v.Status == "PASS" {
			break
		}
	}
	if r.DMARCVerdict.Status == "FAIL" {
		r.DMARCPolicy = results.DMARC.Disposition
	}
}

func status(r authres.Result) verdict {
	switch r {
	case authres.Pass:
		return verdict{"PASS"}
	case authres.Fail:
		return verdict{"FAIL"}
	case authres.TempError, authres.PermError:
		return verdict{"PROCESSING_FAILED"}
	}
	return verdict{"GRAY"}
}

func timestamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }
