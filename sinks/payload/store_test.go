package payload

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"mxhook/inbound/status"
	"mxhook/sinks"
)

// memory is a Store that can be full.
type memory struct {
	kept []string // key, size and content type of each call
	full string   // the name of the content that doesn't fit
}

func (m *memory) Name() string { return "files" }

func (m *memory) Store(_ context.Context, e *sinks.Event, c Content) (string, error) {
	if c.Name == m.full {
		return "", status.NoStorage.Wrap("sink files", errors.New("full"))
	}
	n, err := io.Copy(io.Discard, c.Open())
	m.kept = append(m.kept, fmt.Sprint(c.Name, " ", n == c.Size && err == nil, " ", c.ContentType))
	return "https://files.example/" + e.ID + "/" + c.Name, nil
}

func TestStoredContentsHaveAURLInPlaceOfTheirContent(t *testing.T) {
	e := fullEvent(same)
	all := &memory{}
	b, err := Native(t.Context(), e, Include{Attachments: Stored, AttachmentStore: all, Raw: Stored, RawStore: all, HTML: true})
	if err != nil {
		t.Fatal(err)
	}
	p, err := io.ReadAll(b.Open())
	if err != nil {
		t.Fatal(err)
	}
	validate(t, strictSchema(t), "stored", p)
	var n struct {
		Message struct {
			Attachments []struct{ Content, URL *string }
		}
		Raw struct{ Content, URL *string }
	}
	if err := json.Unmarshal(p, &n); err != nil {
		t.Fatal(err)
	}
	if len(n.Message.Attachments) == 0 || len(n.Message.Attachments) != len(e.Message.Attachments) {
		t.Fatalf("%d attachments", len(n.Message.Attachments))
	}
	for i, a := range n.Message.Attachments {
		if want := fmt.Sprintf("https://files.example/%s/%d", e.ID, i+1); a.Content != nil || a.URL == nil || *a.URL != want {
			t.Errorf("attachment %d: content %v, url %v, want %s", i, a.Content, a.URL, want)
		}
	}
	if n.Raw.Content != nil || n.Raw.URL == nil || !strings.HasSuffix(*n.Raw.URL, "/raw") {
		t.Errorf("raw: %+v", n.Raw)
	}
	if len(all.kept) != len(e.Message.Attachments)+1 || slices.ContainsFunc(all.kept, func(s string) bool { return !strings.Contains(s, " true ") }) {
		t.Errorf("stored %v", all.kept)
	}
}

func TestWithoutItsFilesThereIsNoPayload(t *testing.T) {
	for _, name := range []string{"1", "raw"} {
		m := &memory{full: name}
		b, err := Native(t.Context(), fullEvent(same), Include{Attachments: Stored, AttachmentStore: m, Raw: Stored, RawStore: m})
		var failed *StoreError
		if b != nil || !errors.As(err, &failed) || failed.Store != "files" || status.ConditionOf(err) != status.NoStorage {
			t.Errorf("%s: %v, %v", name, b, err)
		}
	}
}
