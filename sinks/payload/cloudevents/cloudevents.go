// Package cloudevents makes an event of CloudEvents 1.0 in the structured mode of its
// HTTP binding: the native payload as `data` of a JSON envelope.
package cloudevents

import (
	"bytes"
	"context"
	"encoding/json"
	"net/url"
	"strings"

	"mxhook/sinks"
	"mxhook/sinks/payload"
)

// Type is the `type` of every event.
const Type = "mxhook.message.received.v1"

const contentType = "application/cloudevents+json; charset=utf-8"

// attributes are the context attributes of CloudEvents 1.0, section 3. source names the
// host and the route; subject is the recipient, where there is one.
type attributes struct {
	SpecVersion     string `json:"specversion"`
	ID              string `json:"id"`
	Source          string `json:"source"`
	Type            string `json:"type"`
	Subject         string `json:"subject,omitempty"`
	Time            string `json:"time"`
	DataContentType string `json:"datacontenttype"`
}

// New returns the format.
func New(inc payload.Include) payload.Format {
	return payload.FormatFunc(func(ctx context.Context, e *sinks.Event) (*payload.Body, error) { return encode(ctx, e, inc) })
}

func encode(ctx context.Context, e *sinks.Event, inc payload.Include) (*payload.Body, error) {
	data, err := payload.Native(ctx, e, inc)
	if err != nil {
		return nil, err
	}
	a := attributes{
		SpecVersion: "1.0", ID: e.ID, Source: "//" + e.Hostname + "/" + url.PathEscape(e.Route), Type: Type,
		Time: e.ReceivedAt.UTC().Format("2006-01-02T15:04:05.000Z"), DataContentType: "application/json",
	}
	if len(e.Recipients) == 1 {
		a.Subject = strings.ToValidUTF8(e.Recipients[0].Path.String(), "\uFFFD")
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(a); err != nil {
		return nil, err
	}
	head := strings.TrimSuffix(b.String(), "}\n")
	return data.Within(contentType, head+`,"data":`, "}"), nil
}
