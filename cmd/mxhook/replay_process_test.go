package main

import (
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"mxhook/cmd/internal/control"
)

func TestTheSocketOfAKilledProcessIsInNobodysWay(t *testing.T) {
	a := startApp(t)
	config := processConfig(t, a.URL, "delivery: {ledger: 1h}\n")
	state := filepath.Dir(config)
	p := startProcess(t, config)
	info, err := os.Stat(control.Path(state))
	if err != nil || info.Mode() != os.ModeSocket|0o600 {
		t.Fatalf("%v, %v", info, err)
	}
	p.cmd.Process.Kill()
	p.exited(t)
	if _, err := os.Stat(control.Path(state)); err != nil {
		t.Fatal("the killed process left no socket:", err)
	}
	if got := replayIn(t, config, "--list"); got.status != exitGood || !strings.Contains(got.stdout, "the spool holds no event") {
		t.Errorf("%+v", got)
	}
	p = startProcess(t, config)
	if c, err := control.Dial(state); err != nil {
		t.Error(err)
	} else {
		c.Close()
	}
	p.signal(t, syscall.SIGTERM)
	if err := p.exited(t); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(control.Path(state)); !os.IsNotExist(err) {
		t.Errorf("the socket is left: %v", err)
	}
}

func TestAStateThatAnotherProcessHasAndNobodyAnswers(t *testing.T) {
	a := startApp(t)
	config := processConfig(t, a.URL, "delivery: {ledger: 1h}\n")
	startProcess(t, config)
	if err := os.Remove(control.Path(filepath.Dir(config))); err != nil {
		t.Fatal(err)
	}
	got := replayIn(t, config, "--list")
	if got.status != exitProblem || !strings.Contains(got.stderr, "in use by another process") || !strings.Contains(got.stderr, "try again, or stop it first") {
		t.Errorf("%+v", got)
	}
}

func TestAProcessThatDrainsSaysSo(t *testing.T) {
	a := startApp(t)
	reached, proceed := make(chan bool), make(chan bool)
	a.set(func(_ http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		reached <- true
		<-proceed
	})
	config := processConfig(t, a.URL, "")
	p := startProcess(t, config)
	file := writeFile(t, "m.eml", storedMessage)
	sent := make(chan result, 1)
	go func() { sent <- replayIn(t, config, file) }()
	<-reached
	p.signal(t, syscall.SIGTERM)
	p.await(t, "draining")
	for {
		got := replayIn(t, config, "--list")
		if strings.Contains(got.stderr, "mxhook serve is shutting down") {
			break
		}
		if got.status != exitGood {
			t.Fatalf("%+v", got)
		}
	}
	close(proceed)
	if got := <-sent; got.status != exitGood || !strings.HasPrefix(got.stdout, "250 2.0.0 OK msg_") {
		t.Errorf("what ran heard %+v", got)
	}
	if err := p.exited(t); err != nil {
		t.Error(err)
	}
}

func TestAnAbortedReplayDeliversNothing(t *testing.T) {
	a := startApp(t)
	b := startBridge(t, strings.ReplaceAll(interopConfig, "%URL%", a.URL))
	m := control.Stored{ReversePath: "ann@sender.example", Recipients: []string{"support@in.example"}}
	if _, err := b.Send(context.Background(), m, io.MultiReader(strings.NewReader(storedMessage), brokenReader{})); err == nil || !strings.Contains(err.Error(), "broke off") {
		t.Errorf("%v", err)
	}
	if len(a.got) > 0 {
		t.Error("half a message was delivered")
	}
}

func TestReplayWithAStateWhosePathIsLong(t *testing.T) {
	if _, err := os.Stat("/proc/self/fd"); err != nil {
		t.Skip(err)
	}
	a := startApp(t)
	folder := filepath.Join(t.TempDir(), strings.Repeat("long", 40))
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(folder, "mxhook.yaml")
	rewrite(t, config, a.URL, "")
	startProcess(t, config)
	if got := replayIn(t, config, writeFile(t, "m.eml", storedMessage)); got.status != exitGood {
		t.Errorf("%+v", got)
	}
	a.next(t)
}

func TestReplayNeedsAStateFolder(t *testing.T) {
	config := strings.ReplaceAll(goodConfig, "hostname:", "state: ./nowhere\nhostname:")
	t.Chdir(t.TempDir())
	got := replayIn(t, writeFile(t, "mxhook.yaml", config), "--list")
	if got.status != exitProblem || !strings.Contains(got.stderr, "there is no state folder") {
		t.Errorf("%+v", got)
	}
	if left, _ := os.ReadDir("."); len(left) > 0 {
		t.Errorf("it made %v", left)
	}
}

func TestAnotherUsersStateIsLeftAlone(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give a folder away")
	}
	a := startApp(t)
	config := processConfig(t, a.URL, "")
	tmp := filepath.Join(filepath.Dir(config), "tmp")
	if err := os.Mkdir(tmp, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(tmp, 65534, 65534); err != nil {
		t.Fatal(err)
	}
	if got := replayIn(t, config, "--list"); got.status != exitProblem || !strings.Contains(got.stderr, "the user with the id 65534") {
		t.Errorf("%+v", got)
	}
}
