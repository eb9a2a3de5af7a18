package formats_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"slices"
	"strings"
	"testing"

	"mxhook/inbound/status"
	"mxhook/sinks"
	"mxhook/sinks/payload"
	"mxhook/sinks/payload/formats"
	"mxhook/sinks/payload/payloadtest"
)

// shelf is a Store with URLs like those of S3, which have a query.
type shelf struct {
	full  bool
	names []string
}

func (s *shelf) Name() string { return "files" }

func (s *shelf) Store(_ context.Context, e *sinks.Event, c payload.Content) (string, error) {
	if s.full {
		return "", status.NoStorage.Wrap("sink files", errors.New("full"))
	}
	s.names = append(s.names, c.Name)
	return shelfURL(e, c.Name), nil
}

func shelfURL(e *sinks.Event, name string) string {
	return "https://files.example/" + e.ID + "/" + name + "?expires=3600&signature=%2F"
}

func storedIn(t *testing.T, name string, s *shelf) payload.Format {
	t.Helper()
	f, err := formats.New(name, formats.Options{Include: payload.Include{Attachments: payload.Stored, AttachmentStore: s, HTML: true}})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestAFormatNamesStoredFilesOrRefusesAStore(t *testing.T) {
	for _, name := range formats.Names() {
		kind, _ := formats.Find(name)
		for what, inc := range map[string]struct {
			payload.Include
			can bool
		}{
			"attachments": {payload.Include{Attachments: payload.Stored, AttachmentStore: &shelf{}}, kind.AttachmentURL},
			"raw":         {payload.Include{Raw: payload.Stored, RawStore: &shelf{}}, kind.RawURL},
		} {
			if _, err := formats.New(name, formats.Options{Include: inc.Include}); (err == nil) != inc.can {
				t.Errorf("%s: %s: %v", name, what, err)
			}
		}
		if !kind.AttachmentURL {
			continue
		}
		e, s := payloadtest.Example(t, "attachment-pdf.eml"), &shelf{}
		_, p := payloadtest.Request(t, storedIn(t, name, s), e)
		if !slices.Equal(s.names, []string{"1"}) || !bytes.Contains(p, []byte("files.example")) || bytes.Contains(p, []byte("JVBERi")) || bytes.Contains(p, []byte("%PDF")) {
			t.Errorf("%s: stored %v, %.300s", name, s.names, p)
		}
		if x, err := storedIn(t, name, &shelf{full: true}).Encode(t.Context(), e); x != nil || status.ConditionOf(err) != status.NoStorage {
			t.Errorf("%s: a store that is full: %v, %v", name, x, err)
		}
	}
}

func TestCloudMailinNamesStoredFiles(t *testing.T) {
	e := payloadtest.Example(t, "inline-image.eml")
	_, p := payloadtest.Request(t, storedIn(t, "cloudmailin", &shelf{}), e)
	var m struct{ Attachments []map[string]string }
	if err := json.Unmarshal(p, &m); err != nil {
		t.Fatal(err)
	}
	r, p := payloadtest.Request(t, storedIn(t, "cloudmailin-multipart", &shelf{}), e)
	fields := payloadtest.Form(t, r, p)
	a := e.Message.Attachments[0]
	for key, want := range map[string]string{
		"file_name": a.Filename, "content_type": a.ContentType, "disposition": "inline", "url": shelfURL(e, "1"), "content": "",
	} {
		if m.Attachments[0][key] != want || fields.Get("attachments[0]["+key+"]") != want {
			t.Errorf("%s: %q and %q, want %q", key, m.Attachments[0][key], fields.Get("attachments[0]["+key+"]"), want)
		}
	}
}

func TestMailgunWithAStoreIsTheFormOfStoreNotify(t *testing.T) {
	e := payloadtest.Example(t, "inline-image.eml")
	r, p := payloadtest.Request(t, storedIn(t, "mailgun", &shelf{}), e)
	if r.Body.ContentType() != "application/x-www-form-urlencoded" {
		t.Fatal(r.Body.ContentType())
	}
	form, err := url.ParseQuery(string(p))
	if err != nil {
		t.Fatal(err)
	}
	var files []struct {
		URL         string
		ContentType string `json:"content-type"`
		Name        string
		Size        int64
	}
	ids := map[string]string{}
	if err := errors.Join(json.Unmarshal([]byte(form.Get("attachments")), &files), json.Unmarshal([]byte(form.Get("content-id-map")), &ids)); err != nil {
		t.Fatal(err)
	}
	a := e.Message.Attachments[0]
	if f := files[0]; len(files) != len(e.Message.Attachments) || f.URL != shelfURL(e, "1") || f.ContentType != a.ContentType || f.Name != a.Filename || f.Size != a.Size {
		t.Errorf("%+v", files)
	}
	if ids["<"+a.ContentID+">"] != shelfURL(e, "1") || form.Has("attachment-count") || form.Get("domain") != "in.example" {
		t.Errorf("%v %v", ids, form)
	}
	_, p = payloadtest.Request(t, storedIn(t, "mailgun", &shelf{}), payloadtest.Example(t, "alternative.eml"))
	if strings.Contains(string(p), "attachments=") {
		t.Errorf("attachments of a message without any: %s", p)
	}
}
