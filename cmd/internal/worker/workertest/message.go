package workertest

import (
	"io"
	"testing"

	"mxhook/cmd/internal/worker"
	"mxhook/sinks"
	"mxhook/sinks/payload"
	"mxhook/sinks/record"
	"mxhook/sinks/sqs"
)

// MessageOf returns the message that an sqs sink makes of an event.
func MessageOf(t testing.TB, e *sinks.Event) worker.Message {
	t.Helper()
	facts, err := record.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	return worker.Message{Body: Payload(t, e), Attributes: map[string]string{
		sqs.AttributeID: e.ID, sqs.AttributeRoute: e.Route, sqs.AttributeFormat: "mxhook", sqs.AttributeEvent: string(facts),
	}}
}

// Payload returns the native payload of an event with the message as received.
func Payload(t testing.TB, e *sinks.Event) string {
	t.Helper()
	body, err := payload.Native(t.Context(), e, payload.Include{Attachments: "inline", Raw: "inline", HTML: true})
	if err != nil {
		t.Fatal(err)
	}
	r := body.Open()
	defer r.Close()
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
