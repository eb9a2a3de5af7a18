package main

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"
)

func TestAFullStoreDefersTheMail(t *testing.T) {
	a, path := startStoreApp(t), t.TempDir()
	mounted(t, path, "size=1m", 0)
	b := startBridge(t, storing(a, path))
	filler := fill(t, path)
	for range 2 {
		if got := b.send(t, "ann@sender.example", "any@in.example", []byte(hostileFiles)); !strings.HasPrefix(got, "452 4.3.1 ") {
			t.Errorf("heard %q", got)
		}
	}
	if len(a.got) > 0 {
		t.Error("a request was sent without its files")
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	a.only(t, b, accepted(t, b.send(t, "ann@sender.example", "any@in.example", []byte(hostileFiles))))
}

func TestALargeAttachmentIsStoredWithoutBeingHeld(t *testing.T) {
	a, path := startStoreApp(t), t.TempDir()
	config := processConfig(t, a.URL, "limits: {memory: 4MiB, disk_reserve: 0}\n")
	text, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	text = bytes.Replace(text, []byte(`app: {type: webhook, `), fmt.Appendf(nil, "files: {type: dir, path: %q}\n  app: {type: webhook, include: {attachments: \"store:files\", raw: \"store:files\"}, ", path), 1)
	if err := os.WriteFile(config, text, 0o600); err != nil {
		t.Fatal(err)
	}
	p := startProcess(t, config)
	idle := residentPeak(t, p.cmd.Process.Pid)
	m := mailing{server: p.smtp, helo: "mail.sender.example", from: "ann@sender.example", rcpts: []string{"x@in.example"}}
	if _, err := m.send(t.Context(), bytes.NewReader(bigMessage(1, 25<<20-1000))); err != nil {
		t.Fatal(err)
	}
	d := a.next(t)
	peak := residentPeak(t, p.cmd.Process.Pid)
	t.Logf("payload %d octets; resident %d MiB when idle, %d MiB at most", len(d.body), idle>>20, peak>>20)
	if len(d.body) > 16<<10 || a.fetched != 2 {
		t.Errorf("a payload of %d octets, %d fetched", len(d.body), a.fetched)
	}
	if peak > idle+24<<20 && !raceDetector { // which takes several times the memory
		t.Errorf("resident %d MiB, %d MiB when idle", peak>>20, idle>>20)
	}
}
