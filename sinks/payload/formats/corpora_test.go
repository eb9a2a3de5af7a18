package formats_test

import (
	"bytes"
	"encoding/json"
	"io"
	"io/fs"
	"mime"
	"mime/multipart"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"mxhook/sinks/payload"
	"mxhook/sinks/payload/formats"
	"mxhook/sinks/payload/payloadtest"
)

// corpusFiles are the files of all sets that stand beside the module.
func corpusFiles(t *testing.T) (files []string) {
	filepath.WalkDir(filepath.Join("..", "..", "..", "..", "shared", "corpora"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return nil
		}
		info, err := d.Info()
		if err != nil || testing.Short() && info.Size() > 16<<10 {
			return err
		}
		files = append(files, path)
		return nil
	})
	return files
}

// TestEveryMessageInEveryFormat: whatever the message, each format makes a payload of
// the length that it says, the same at a second reading, that a reader of its kind can read.
func TestEveryMessageInEveryFormat(t *testing.T) {
	files := append(payloadtest.Messages(t), corpusFiles(t)...)
	made := make(map[string]payload.Format)
	for _, name := range formats.Names() {
		kind, _ := formats.Find(name)
		f, err := formats.New(name, formats.Options{Include: payload.Include{HTML: true}, Secret: exampleSecret(t, kind)})
		if err != nil {
			t.Fatal(err)
		}
		made[name] = f
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		e := payloadtest.Event(t, data)
		for name, f := range made {
			r, p := payloadtest.Request(t, f, e)
			if err := readable(r.Body.ContentType(), p); err != "" {
				t.Errorf("%s in %s: %s", file, name, err)
			}
		}
	}
	t.Logf("%d files in %d formats", len(files), len(made))
}

// readable tells what a reader would complain about.
func readable(contentType string, p []byte) string {
	kind, params, err := mime.ParseMediaType(contentType)
	switch {
	case err != nil:
		return "Content-Type: " + err.Error()
	case strings.HasSuffix(kind, "json"):
		if !json.Valid(p) || !utf8.Valid(p) {
			return "no JSON"
		}
	case strings.HasPrefix(kind, "multipart/"):
		r := multipart.NewReader(bytes.NewReader(p), params["boundary"])
		for n := 0; ; n++ {
			part, err := r.NextRawPart()
			if err == io.EOF && n > 0 {
				return ""
			}
			if err != nil {
				return "multipart: " + err.Error()
			}
			if part.FormName() == "" {
				return "a part without a name"
			}
			if _, err := io.Copy(io.Discard, part); err != nil {
				return "multipart: " + err.Error()
			}
		}
	case strings.HasSuffix(kind, "form-urlencoded"):
		v, err := url.ParseQuery(string(p))
		if err != nil {
			return "form: " + err.Error()
		}
		for name, values := range v {
			if !utf8.ValidString(name+strings.Join(values, "")) && name != "body-mime" {
				return "no UTF-8 in " + name
			}
		}
	}
	return ""
}
