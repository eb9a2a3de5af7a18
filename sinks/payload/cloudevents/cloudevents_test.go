package cloudevents_test

import (
	"bytes"
	"encoding/json"
	"os"
	"testing"
	"time"

	"mxhook/sinks/payload"
	"mxhook/sinks/payload/cloudevents"
	"mxhook/sinks/payload/payloadtest"
)

func TestTheEnvelopeHoldsTheNativePayload(t *testing.T) {
	e := payloadtest.Example(t, "attachment-pdf.eml")
	e.Route = "a b/ü"
	inc := payload.Include{HTML: true, Raw: "inline"}
	r, p := payloadtest.Request(t, cloudevents.New(inc), e)
	if r.Body.ContentType() != "application/cloudevents+json; charset=utf-8" {
		t.Error(r.Body.ContentType())
	}
	var m map[string]json.RawMessage
	if err := json.Unmarshal(p, &m); err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]string{
		"specversion": `"1.0"`, "id": `"` + e.ID + `"`, "source": `"//mx.in.example/a%20b%2F%C3%BC"`, "type": `"mxhook.message.received.v1"`,
		"subject": `"support+42@in.example"`, "datacontenttype": `"application/json"`, "time": `"2026-11-21T10:00:00.123Z"`,
	} {
		if string(m[key]) != want {
			t.Errorf("%s: %s, want %s", key, m[key], want)
		}
	}
	native, err := payload.Native(t.Context(), e, inc)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(m["data"], payloadtest.Read(t, native)) || len(m) != 8 {
		t.Errorf("data is not the native payload, or %d attributes", len(m))
	}
	if _, err := time.Parse(time.RFC3339, "2026-11-21T10:00:00.123Z"); err != nil {
		t.Error(err)
	}
}

func TestSeveralRecipientsHaveNoSubject(t *testing.T) {
	_, p := payloadtest.Request(t, cloudevents.New(payload.Include{}), payloadtest.Example(t, "plain.eml", "a@in.example", "b@in.example"))
	var m map[string]any
	if err := json.Unmarshal(p, &m); err != nil {
		t.Fatal(err)
	}
	if _, ok := m["subject"]; ok {
		t.Error(m["subject"])
	}
}

func TestEveryMessageOfTheProjectIsJSON(t *testing.T) {
	for _, file := range payloadtest.Messages(t) {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if _, p := payloadtest.Request(t, cloudevents.New(payload.Include{HTML: true}), payloadtest.Event(t, data)); !json.Valid(p) {
			t.Error(file)
		}
	}
}
