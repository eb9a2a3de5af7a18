package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"mxhook/cmd/internal/bridge"
	"mxhook/cmd/internal/config"
	"mxhook/cmd/internal/worker"
	"mxhook/inbound/ses"
)

// reserve is how much of an invocation's time is left for its answer.
const reserve = time.Second

// handler takes events of Lambda. It is safe for concurrent use.
type handler struct {
	bridge  *bridge.Bridge
	queued  queued
	ses     *ses.Source // nil without a bucket
	sources []config.Source
	dead    *deadLetters // nil without a queue
	bucket  string
	prefix  string
	budget  time.Duration
	log     *slog.Logger
}

// queued delivers what the queue of a source brings.
type queued interface {
	HandleQueued(ctx context.Context, source string, m worker.Message) worker.Outcome
}

// close ends the parts.
func (h *handler) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), h.budget)
	defer cancel()
	return h.bridge.Stop(ctx)
}

// Invoke implements lambda.Handler. The answer to a batch of SQS names the messages that
// must come again; for everything else an error says so.
func (h *handler) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	if deadline, ok := ctx.Deadline(); ok {
		if left := time.Until(deadline); left < h.budget+reserve {
			h.log.Warn("the function's timeout is shorter than delivery.budget and a second; raise it, or what is slow will be delivered again", "left", left.Seconds())
		}
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, deadline.Add(-reserve))
		defer cancel()
	}
	var e struct {
		Records []json.RawMessage
	}
	if json.Unmarshal(payload, &e) != nil || len(e.Records) == 0 {
		return nil, errors.New("an event without Records: mxhook-lambda takes those of SQS, SNS, S3 and SES")
	}
	if sourceOf(e.Records[0]) == fromSQS {
		return h.batch(ctx, e.Records)
	}
	for _, r := range e.Records {
		if err := h.record(ctx, r); err != nil {
			return nil, err
		}
	}
	return []byte("null"), nil
}

// The services that send events.
const (
	fromSQS = "aws:sqs"
	fromSNS = "aws:sns"
	fromS3  = "aws:s3"
	fromSES = "aws:ses"
)

// sourceOf tells which service a record is of; SNS writes the name in its own way.
func sourceOf(record json.RawMessage) string {
	var r struct {
		Source string `json:"eventSource"` // EventSource too: package json doesn't mind case
	}
	json.Unmarshal(record, &r)
	return r.Source
}

// record runs one record of SNS, S3 or SES.
func (h *handler) record(ctx context.Context, record json.RawMessage) error {
	switch source := sourceOf(record); source {
	case fromSNS:
		var r struct {
			SNS struct{ Message string } `json:"Sns"`
		}
		if err := json.Unmarshal(record, &r); err != nil {
			return fmt.Errorf("a record of SNS that is none: %w", errMalformed)
		}
		return h.notice(ctx, []byte(r.SNS.Message))
	case fromS3:
		return h.object(ctx, record)
	case fromSES:
		var r struct {
			SES json.RawMessage `json:"ses"`
		}
		if err := json.Unmarshal(record, &r); err != nil {
			return fmt.Errorf("a record of SES that is none: %w", errMalformed)
		}
		return h.received(ctx, r.SES)
	default:
		return fmt.Errorf("a record of %.40q: %w", source, errMalformed)
	}
}

var errMalformed = errors.New("mxhook-lambda takes events of SQS, SNS, S3 and SES")
