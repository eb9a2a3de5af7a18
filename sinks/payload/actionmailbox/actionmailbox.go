// Package actionmailbox makes what the relay ingress of Rails' Action Mailbox takes: the
// message itself, to be posted to /rails/action_mailbox/relay/inbound_emails.
//
// Rails has no envelope but X-Original-To, and knows a resend by the digest of the
// octets. So that field alone is put before the frozen message; no other trace field is,
// since it would change with each try.
package actionmailbox

import (
	"context"
	"encoding/base64"
	"io"

	"mxhook/sinks"
	"mxhook/sinks/payload"
	"mxhook/sinks/trace"
)

// User is the user of the ingress.
const User = "actionmailbox"

// New returns the format. It is made for one recipient. password is Rails'
// RAILS_INBOUND_EMAIL_PASSWORD; without one the URL's user and password are sent.
func New(password string) payload.Format { return format{password} }

type format struct{ password string }

// Encode implements payload.Format.
func (f format) Encode(_ context.Context, e *sinks.Event) (payload.Encoded, error) {
	if err := payload.ForOne(e); err != nil {
		return nil, err
	}
	c, err := trace.CopyWith(e, trace.OriginalTo(e))
	if err != nil {
		return nil, err
	}
	src := payload.Source{Open: func() io.Reader { return c.Open() }, Size: c.Size()}
	r := payload.Request{Body: payload.NewBody("message/rfc822", src)}
	if f.password != "" {
		r.Header = map[string]string{"Authorization": "Basic " + base64.StdEncoding.EncodeToString([]byte(User+":"+f.password))}
	}
	return encoded{r}, nil
}

type encoded struct{ request payload.Request }

// Request implements payload.Encoded.
func (x encoded) Request(payload.Attempt) (payload.Request, error) { return x.request, nil }
