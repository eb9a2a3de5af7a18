package cloudmailin_test

import (
	"testing"

	"mxhook/sinks"
	"mxhook/sinks/payload"
	"mxhook/sinks/payload/cloudmailin"
	"mxhook/sinks/payload/payloadtest"
)

func readData(t *testing.T, data []byte) (fields, files map[string]string) {
	t.Helper()
	return read(t, payloadtest.Event(t, data))
}

// read is the multipart format as a receiver reads it.
func read(t *testing.T, e *sinks.Event) (fields, files map[string]string) {
	t.Helper()
	r, p := payloadtest.Request(t, cloudmailin.NewMultipart(payload.Include{HTML: true}), e)
	got := payloadtest.Form(t, r, p)
	fields, files = map[string]string{}, map[string]string{}
	for name := range got.Values {
		fields[name] = got.Get(name)
	}
	for name, f := range got.Files {
		files[name] = f.Content
	}
	return fields, files
}
