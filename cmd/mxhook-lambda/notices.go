package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"mxhook/inbound/ses"
)

// notice runs what SNS or SQS brings: the words of SES or of S3, as they are or in the
// wrapper that SNS puts around them for SQS.
func (h *handler) notice(ctx context.Context, text []byte) error {
	var n struct {
		Type    string // of SNS's wrapper
		Message string
		Event   string            // of S3's test
		Records []json.RawMessage // of S3
		Receipt json.RawMessage   `json:"receipt"` // of SES
		Kind    string            `json:"notificationType"`
	}
	if json.Unmarshal(text, &n) != nil {
		if strings.HasPrefix(string(text), "Successfully validated SNS topic") {
			return nil
		}
		return fmt.Errorf("a message that is no JSON: %w", errMalformed)
	}
	switch {
	case n.Type == "Notification" && n.Message != "":
		inner := []byte(n.Message)
		if strings.Contains(n.Message, `"Type"`) { // a wrapper has one inside once, at most
			var again struct{ Type string }
			if json.Unmarshal(inner, &again) == nil && again.Type == "Notification" {
				return fmt.Errorf("a notification within a notification: %w", errMalformed)
			}
		}
		return h.notice(ctx, inner)
	case n.Event == "s3:TestEvent":
		return nil
	case len(n.Records) > 0:
		for _, r := range n.Records {
			if sourceOf(r) != fromS3 {
				return fmt.Errorf("a record that is not of S3 within a message: %w", errMalformed)
			}
			if err := h.object(ctx, r); err != nil {
				return err
			}
		}
		return nil
	case n.Receipt != nil, n.Kind != "":
		return h.received(ctx, text)
	}
	return fmt.Errorf("a message that is neither an event of mxhook's sqs sink nor a notification of SES or S3: %w", errMalformed)
}

var errNoBucket = errors.New("SES or S3 tells of a message, but " + envSESBucket + " is not set; set it to the bucket of the receipt rule")

// received runs a notification of SES.
func (h *handler) received(ctx context.Context, text []byte) error {
	if h.ses == nil {
		return errNoBucket
	}
	n, ok, err := ses.Parse(text, h.bucket, h.prefix)
	if err != nil || !ok {
		return err
	}
	return h.ses.Receive(ctx, n)
}

// object runs a record of S3.
func (h *handler) object(ctx context.Context, record json.RawMessage) error {
	if h.ses == nil {
		return errNoBucket
	}
	var r struct {
		Name string    `json:"eventName"`
		Time time.Time `json:"eventTime"`
		S3   struct {
			Bucket struct {
				Name string `json:"name"`
			} `json:"bucket"`
			Object struct {
				Key string `json:"key"`
			} `json:"object"`
		} `json:"s3"`
	}
	if err := json.Unmarshal(record, &r); err != nil {
		return fmt.Errorf("a record of S3 that is none: %w", errMalformed)
	}
	if !strings.HasPrefix(r.Name, "ObjectCreated:") {
		return nil // removed, restored: no message
	}
	key, err := url.QueryUnescape(r.S3.Object.Key) // as S3 writes keys
	if err != nil || key == "" {
		return fmt.Errorf("a record of S3 without a key: %w", errMalformed)
	}
	n, ok := ses.FromObject(r.S3.Bucket.Name, key, r.Time)
	if !ok {
		return nil
	}
	return h.ses.Receive(ctx, n)
}
