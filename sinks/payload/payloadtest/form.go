package payloadtest

import (
	"bytes"
	"io"
	"mime"
	"mime/multipart"
	"net/url"
	"testing"

	"mxhook/sinks/payload"
)

// Fields is a form of either kind as a receiver reads it.
type Fields struct {
	url.Values
	Files map[string]File // of multipart/form-data
}

// File is a file of a form.
type File struct{ Name, Type, Content string }

// Form reads p, the body of r.
func Form(t testing.TB, r payload.Request, p []byte) Fields {
	t.Helper()
	kind, params, err := mime.ParseMediaType(r.Body.ContentType())
	if err != nil {
		t.Fatal(err)
	}
	got := Fields{url.Values{}, map[string]File{}}
	switch kind {
	case "application/x-www-form-urlencoded":
		if got.Values, err = url.ParseQuery(string(p)); err != nil {
			t.Fatal(err)
		}
		return got
	case "multipart/form-data":
	default:
		t.Fatalf("%s is no form", kind)
	}
	for m := multipart.NewReader(bytes.NewReader(p), params["boundary"]); ; {
		part, err := m.NextRawPart()
		if err == io.EOF {
			return got
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(part)
		if err != nil {
			t.Fatal(err)
		}
		if part.FileName() != "" {
			got.Files[part.FormName()] = File{part.FileName(), part.Header.Get("Content-Type"), string(content)}
			continue
		}
		got.Add(part.FormName(), string(content))
	}
}
