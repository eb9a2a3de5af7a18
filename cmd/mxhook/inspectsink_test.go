package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestInspectOfASinkShowsURLsAndStoresNothing(t *testing.T) {
	files := filepath.Join(t.TempDir(), "files")
	config := writeFile(t, "mxhook.yaml", fmt.Sprintf(`hostname: mx.in.example
sinks:
  app: {type: webhook, url: "https://app.example/in/{tag}", secret: whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw, include: {attachments: "store:files", raw: "store:files"}}
  old: {type: webhook, url: "https://u:p@app.example/in", format: cloudmailin, include: {attachments: "store:served"}}
  files: {type: dir, path: %q}
  served: {type: dir, path: %q, url: "https://files.example/mail/"}
  box: {type: dir, path: %q, maildir: true}
routes:
  - {recipient: "@box.example", deliver: [box]}
  - {recipient: "x+{tag}@in.example", deliver: [app], optional: [old]}
  - {recipient: "@in.example", deliver: [files]}
`, files, files+"2", files+"3"))
	message := writeFile(t, "message.eml", strings.ReplaceAll(hostileFiles, "\r\n", "\n"))
	inspect := func(sink string, more ...string) result {
		return runCommand(t, "", append([]string{"inspect", "-c", config, "--sink", sink, message, "--rcpt", "x+1@in.example", "--rcpt", "x+2@in.example", "--rcpt", "y@in.example"}, more...)...)
	}
	got := inspect("app")
	if got.status != 0 {
		t.Fatalf("%+v", got)
	}
	d := json.NewDecoder(strings.NewReader(got.stdout))
	for i := range 2 { // one for each recipient, as the captures want it
		var p struct {
			ID       string
			Envelope struct{ Recipients []struct{ Tag string } }
			Message  struct{ Attachments []reference }
			Raw      reference
		}
		if err := d.Decode(&p); err != nil {
			t.Fatal(err)
		}
		if len(p.Envelope.Recipients) != 1 || p.Envelope.Recipients[0].Tag != fmt.Sprint(i+1) || len(p.Message.Attachments) != 3 {
			t.Fatalf("%+v", p)
		}
		for n, a := range p.Message.Attachments {
			if want := fmt.Sprintf("file://%s/%s/%d", filepath.ToSlash(files), editionOf(p.ID, hostileFiles), n+1); a.URL == nil || *a.URL != want || a.Content != nil {
				t.Errorf("%+v, want %s", a, want)
			}
		}
		if p.Raw.URL == nil || !strings.HasSuffix(*p.Raw.URL, "/raw") {
			t.Errorf("raw %+v", p.Raw)
		}
	}
	if d.More() {
		t.Error("more than two events")
	}
	if got := inspect("box", "--rcpt", "z@box.example"); got.status != 0 || !strings.HasPrefix(got.stdout, "Return-Path: <") ||
		!strings.Contains(got.stdout, "\nX-Original-To: z@box.example\r\n") || strings.Contains(got.stdout, "mxhook.v1") {
		t.Errorf("%+v", got)
	}
	if got := inspect("old"); got.status != 0 || strings.Count(got.stdout, `"url": "https://files.example/mail/msg_`) != 6 {
		t.Errorf("%+v", got)
	}
	if got := inspect("files"); got.status != 0 || !strings.Contains(got.stdout, `"content": "JVBERi0xLjQK"`) || !strings.Contains(got.stdout, `"y@in.example"`) {
		t.Errorf("a dir sink: %+v", got)
	}
	for sink, want := range map[string]string{"nowhere": "is not defined", "served": "no recipient of this message goes to"} {
		if got := inspect(sink); got.status != 1 || !strings.Contains(got.stderr, want) {
			t.Errorf("%s: %+v", sink, got)
		}
	}
	for _, args := range [][]string{{"inspect", "--sink", "app", message}, {"inspect", "-c", config, "--sink", "app", "--format", "raw", message}} {
		if got := runCommand(t, "", args...); got.status == 0 || !strings.Contains(got.stderr, "--sink names a sink of --config") {
			t.Errorf("%v: %+v", args, got)
		}
	}
	if names, err := os.ReadDir(filepath.Dir(files)); err != nil || len(names) != 0 {
		t.Errorf("stored: %v, %v", names, err)
	}
}
