package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mxhook/cmd/internal/config"
)

func TestAReloadKeepsTheLedger(t *testing.T) {
	a := startApp(t)
	state := t.TempDir()
	b := startBridgeIn(t, state, withLedger(a))
	b.sendFrom(t, "127.0.0.1", []byte(smallMessage))
	a.next(t)
	reload := func(ledger string, known bool) {
		t.Helper()
		text := strings.Replace(withLedger(a), "ledger: 1h", "ledger: "+ledger, 1) + "listeners: [{address: \"127.0.0.1:0\", tls: {mode: none}}]\n"
		c, problems := config.Parse("test.yaml", []byte(text), func(string) (string, bool) { return "", false })
		if c == nil {
			t.Fatal(problems)
		}
		if err := b.Reload(c); err != nil {
			t.Fatal(err)
		}
		if got := b.sendFrom(t, "127.0.0.1", []byte(smallMessage)); strings.Contains(got, "already delivered") != known {
			t.Errorf("ledger %s: %q", ledger, got)
		}
		if !known {
			a.next(t)
		}
	}
	reload("2h", true)
	reload("0", false)
	reload("192h", true)
}

func TestASecondProcessOnTheStateIsRefused(t *testing.T) {
	a := startApp(t)
	path := processConfig(t, a.URL, "delivery: {ledger: 1h}\n")
	p := startProcess(t, path)
	got := runCommand(t, "", "serve", "--config", path)
	folder := filepath.Join(filepath.Dir(path), "ledger")
	if got.status != exitProblem || !strings.Contains(got.stderr, folder+" is in use by another process") {
		t.Errorf("%+v", got)
	}
	p.signal(t, os.Interrupt)
	if err := p.exited(t); err != nil {
		t.Errorf("exit: %v", err)
	}
}

func TestALedgerThatCantBeWrittenDefersMailAndRecovers(t *testing.T) {
	a := startApp(t)
	state := t.TempDir()
	b := startBridgeIn(t, state, withLedger(a))
	folder := filepath.Join(state, "ledger")
	if err := os.RemoveAll(folder); err != nil {
		t.Fatal(err)
	}
	// The first hears it after the data: its event was accepted, but not remembered.
	if got := b.sendFrom(t, "127.0.0.1", []byte(smallMessage)); !strings.HasPrefix(got, "452 4.3.1 ") {
		t.Errorf("reply %q", got)
	}
	id := a.next(t).Header.Get("webhook-id")
	// From then on nothing is taken.
	if got := b.send(t, "ann@sender.example", "ann@in.example", []byte(smallMessage)); !strings.HasPrefix(got, "452 4.3.1 ") {
		t.Errorf("reply %q", got)
	}
	if len(a.got) > 0 {
		t.Error("a message was delivered although MAIL was refused")
	}
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	b.await(t, "ledger can be written again")
	if got := b.sendFrom(t, "127.0.0.1", []byte(smallMessage)); got != "250 2.0.0 OK "+id {
		t.Errorf("reply %q", got)
	}
	if again := a.next(t).Header.Get("webhook-id"); again != id {
		t.Errorf("the repeat has the id %s, not %s", again, id)
	}
}
