package cloudmailin_test

import (
	"bytes"
	"io"
	"mime"
	"mime/multipart"
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
	_, params, err := mime.ParseMediaType(r.Body.ContentType())
	if err != nil {
		t.Fatal(err)
	}
	fields, files = map[string]string{}, map[string]string{}
	m := multipart.NewReader(bytes.NewReader(p), params["boundary"])
	for {
		part, err := m.NextRawPart()
		if err == io.EOF {
			return fields, files
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(part)
		if err != nil {
			t.Fatal(err)
		}
		if part.FileName() != "" {
			files[part.FormName()] = string(content)
		} else {
			fields[part.FormName()] = string(content)
		}
	}
}
