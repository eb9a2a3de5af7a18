package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"mxhook/cmd/internal/control"
	"mxhook/sinks/spool"
)

// deadConfig has a sink that can refuse while another takes the message.
func deadConfig(t *testing.T, a *app) string {
	t.Helper()
	dir := t.TempDir()
	return writeFile(t, "mxhook.yaml", fmt.Sprintf(`hostname: mx.in.example
state: %q
log: {format: json}
listeners: [{address: "127.0.0.1:0", tls: {mode: none}}]
verify: {resolver: ["127.0.0.1:1"], timeout: 1s}
sinks:
  app: {type: webhook, url: "%s"}
  other: {type: webhook, url: "%s"}
  disk: {type: dir, path: %q}
routes:
  - {name: one, recipient: "one@in.example", deliver: [app, disk]}
  - {name: two, recipient: "two@in.example", deliver: [app, other, disk]}
`, filepath.Join(dir, "state"), a.URL, a.URL, filepath.Join(dir, "mail")))
}

// listed returns what mxhook replay --list --json prints.
func listed(t *testing.T, config string, args ...string) []spool.Item {
	t.Helper()
	got := replayIn(t, config, append([]string{"--list", "--json"}, args...)...)
	var list struct{ Events []spool.Item }
	if err := json.Unmarshal([]byte(got.stdout), &list); err != nil || got.status != exitGood {
		t.Fatalf("%+v, %v", got, err)
	}
	return list.Events
}

// bury makes dead events: the app refuses, and the disk takes.
func bury(t *testing.T, a *app, config string, recipients ...string) {
	t.Helper()
	a.set(answering(http.StatusNotAcceptable))
	defer a.set(nil)
	file := writeFile(t, "m.eml", storedMessage)
	for _, r := range recipients {
		if got := replayIn(t, config, file, "--rcpt", r); !strings.HasPrefix(got.stdout, "250 ") || !strings.Contains(got.stdout, ": refused, 550 5.7.1 ") {
			t.Fatalf("%+v", got)
		}
	}
}

// TestReplayOfDeadEvents goes through all that can be asked of them, with a process
// that serves and without one.
func TestReplayOfDeadEvents(t *testing.T) {
	for _, serving := range []bool{true, false} {
		t.Run(fmt.Sprint("serve runs: ", serving), func(t *testing.T) {
			a := startApp(t)
			config := deadConfig(t, a)
			var p *process
			if serving {
				p = startProcess(t, config)
			}
			bury(t, a, config, "one@in.example", "two@in.example")

			all := listed(t, config)
			if len(all) != 3 || len(listed(t, config, "--sink", "other")) != 1 || len(listed(t, config, "--state", "waiting")) != 0 ||
				all[0].State != spool.Dead || all[0].Condition != "sink_refused" || all[0].Detail != "HTTP 406" {
				t.Fatalf("%+v", all)
			}
			ids := map[string]string{} // by route and sink
			for _, i := range all {
				ids[i.Route+" "+i.Sink] = i.ID
			}
			table := replayIn(t, config, "--list")
			if table.status != exitGood || strings.Count(table.stdout, "\n") != 5 || !strings.HasPrefix(table.stdout, "EVENT ") ||
				!strings.Contains(table.stdout, "one@in.example: 550 5.7.1 refused by the destination (HTTP 406)\n") ||
				!strings.HasSuffix(table.stdout, "3 dead events, 0 waiting events\n") {
				t.Errorf("%+v", table)
			}
			shown := replayIn(t, config, "--show", ids["one app"])
			for _, want := range []string{"sink  ", "session.remote_ip  ", "hello", "sink_refused"} {
				if shown.status != exitGood || !strings.Contains(shown.stdout, want) {
					t.Errorf("%q is not in\n%+v", want, shown)
				}
			}
			raw := replayIn(t, config, "--show", ids["one app"], "--raw")
			if raw.status != exitGood || raw.stdout != strings.ReplaceAll(storedMessage, "\n", "\r\n") {
				t.Errorf("%+v", raw)
			}
			var both struct{ Events []control.Shown }
			event, _ := control.SplitName(ids["two app"])
			if got := replayIn(t, config, "--show", "--json", event); json.Unmarshal([]byte(got.stdout), &both) != nil || len(both.Events) != 2 || len(both.Events[0].Record) == 0 {
				t.Errorf("%+v", got)
			}

			// Dropped is gone.
			if got := replayIn(t, config, "--drop", ids["two other"]); got.status != exitGood || got.stdout != "dropped: 1 dead event\n" {
				t.Errorf("%+v", got)
			}
			// What is not there is told, the rest is done.
			got := replayIn(t, config, ids["one app"], ids["two other"])
			if got.status != exitProblem || !strings.HasPrefix(got.stdout, "put back: 1 dead event\n") ||
				!strings.Contains(got.stderr, "no event has the id "+ids["two other"]+"; see mxhook replay --list") {
				t.Errorf("%+v", got)
			}
			if told := strings.Contains(got.stdout, "mxhook serve is not running"); told == serving {
				t.Errorf("%+v", got)
			}
			if got := replayIn(t, config, "--all"); got.status != exitGood || !strings.HasPrefix(got.stdout, "put back: 1 dead event\n") {
				t.Errorf("%+v", got)
			}
			if !serving {
				if waiting := listed(t, config, "--state", "waiting"); len(waiting) != 2 || len(a.got) > 0 {
					t.Errorf("%+v, and %d requests", waiting, len(a.got))
				}
				p = startProcess(t, config)
			}
			for range 2 {
				d := a.next(t)
				route := d.Header.Get("X-Mxhook-Route")
				if id, _ := control.SplitName(ids[route+" app"]); d.Header.Get("webhook-id") != id {
					t.Errorf("route %s: the id is %s, was %s", route, d.Header.Get("webhook-id"), id)
				}
			}
			awaitEmpty(t, config)
			if got := replayIn(t, config, "--list", "--sink", "app"); got.stdout != "the spool holds no event for the sink app\n" {
				t.Errorf("%+v", got)
			}
			p.signal(t, syscall.SIGTERM)
			if err := p.exited(t); err != nil {
				t.Error(err)
			}
			if len(a.got) > 0 {
				t.Errorf("%d requests too many", len(a.got))
			}
		})
	}
}

// awaitEmpty waits until the spool holds nothing: the app has the event a moment
// before the spool knows.
func awaitEmpty(t *testing.T, config string) {
	t.Helper()
	for len(listed(t, config)) > 0 {
		if t.Context().Err() != nil {
			t.Fatal("the spool doesn't get empty")
		}
	}
}

func TestDropAll(t *testing.T) {
	a := startApp(t)
	config := deadConfig(t, a)
	bury(t, a, config, "one@in.example", "two@in.example")
	if got := replayIn(t, config, "--drop", "--all", "--yes", "--state", "waiting"); got.status != exitGood || got.stdout != "the spool holds no event that is waiting\n" {
		t.Errorf("%+v", got)
	}
	if got := replayIn(t, config, "--drop", "--all", "--yes", "--sink", "app"); got.status != exitGood || got.stdout != "dropped: 2 dead events\n" {
		t.Errorf("%+v", got)
	}
	if left := listed(t, config); len(left) != 1 || left[0].Sink != "other" {
		t.Errorf("%+v", left)
	}
	var c control.Changed
	if got := replayIn(t, config, "--drop", "--all", "--yes", "--json"); json.Unmarshal([]byte(got.stdout), &c) != nil || c.Dead != 1 {
		t.Errorf("%+v", got)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(config), "..", "001", "state", "dead", "msg_*")); len(left) > 0 {
		t.Errorf("%v", left)
	}
}

func TestADeadEventWhoseRecordIsDamagedIsShownAndDropped(t *testing.T) {
	a := startApp(t)
	config := deadConfig(t, a)
	bury(t, a, config, "one@in.example")
	i := listed(t, config)[0]
	records, err := filepath.Glob(filepath.Join(filepath.Dir(filepath.Dir(config)), "*", "state", "dead", "*.json"))
	if err != nil || len(records) != 1 {
		t.Fatal(records, err)
	}
	if err := os.WriteFile(records[0], []byte("\x1b[2J"), 0o600); err != nil {
		t.Fatal(err)
	}
	got := replayIn(t, config, "--list")
	if got.status != exitGood || !strings.Contains(got.stdout, "its record can't be read") || strings.Contains(got.stdout, "\x1b") {
		t.Errorf("%+v", got)
	}
	if got := replayIn(t, config, "--show", i.ID); got.status != exitGood || !strings.Contains(got.stdout, "problem ") {
		t.Errorf("%+v", got)
	}
	if got := replayIn(t, config, "--all"); got.status != exitProblem || !strings.Contains(got.stderr, i.ID) {
		t.Errorf("%+v", got)
	}
	if got := replayIn(t, config, "--drop", i.ID); got.status != exitGood || len(listed(t, config)) != 0 {
		t.Errorf("%+v", got)
	}
}

// TestPutBackBesideRunningWorkers puts events back again and again, from several
// sides, while the spool delivers them to an app that fails half of the time.
func TestPutBackBesideRunningWorkers(t *testing.T) {
	a := startApp(t)
	b := startBridge(t, `hostname: mx.in.example
delivery: {ledger: 1h}
sinks:
  app: {type: webhook, url: "`+a.URL+`", attempts: 1, circuit: {failures: 0}}
  disk: {type: dir, path: "`+t.TempDir()+`"}
routes: [{recipient: "@in.example", deliver: [app, disk]}]
`)
	const events = 40
	a.set(answering(http.StatusNotAcceptable))
	for n := range events {
		message := strings.NewReplacer("stored@", fmt.Sprint("stored", n, "@")).Replace(storedMessage)
		b.send(t, "ann@sender.example", "x@in.example", []byte(strings.ReplaceAll(message, "\n", "\r\n")))
	}
	var mu sync.Mutex
	taken, asked := map[string]int{}, 0
	a.set(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		mu.Lock()
		defer mu.Unlock()
		if asked++; asked%2 == 0 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		taken[r.Header.Get("webhook-id")]++
	})
	var dead []spool.Item
	b.List(t.Context(), control.Filter{}, func(i spool.Item) error { dead = append(dead, i); return nil })
	if len(dead) != events || dead[0].State != spool.Dead {
		t.Fatalf("%d events: %+v", len(dead), dead)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for left := 1; left > 0 && t.Context().Err() == nil; {
				c, err := b.Replay(t.Context(), control.Selection{All: true})
				if err != nil || len(c.Failed) > 0 || !c.Working {
					t.Errorf("%+v, %v", c, err)
				}
				left = 0
				b.List(t.Context(), control.Filter{}, func(spool.Item) error { left++; return nil })
			}
		})
	}
	wg.Wait()
	if len(taken) != events {
		t.Errorf("%d of %d events came", len(taken), events)
	}
	for id, n := range taken {
		if n != 1 {
			t.Errorf("%s came %d times", id, n)
		}
	}
}

// TestKill9WhileEventsArePutBack kills the process in the middle, and puts back what is
// left after the next start.
func TestKill9WhileEventsArePutBack(t *testing.T) {
	const events, before = 60, 20
	a := startApp(t)
	config := deadConfig(t, a)
	p := startProcess(t, config)
	a.set(answering(http.StatusNotAcceptable))
	for n := range events {
		m := mailing{server: p.smtp, helo: "mail.sender.example", from: "ann@sender.example", rcpts: []string{"one@in.example"}}
		message := strings.NewReplacer("stored@", fmt.Sprint("stored", n, "@"), "\n", "\r\n").Replace(storedMessage)
		if _, err := m.send(t.Context(), strings.NewReader(message)); err != nil {
			t.Fatal(err)
		}
	}
	want := map[string]bool{}
	for _, i := range listed(t, config) {
		want[i.Event] = true
	}
	var mu sync.Mutex
	got, requests, enough := map[string]int{}, 0, make(chan bool)
	a.set(func(_ http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		mu.Lock()
		defer mu.Unlock()
		got[r.Header.Get("webhook-id")]++
		if requests++; requests == before {
			close(enough)
		}
	})
	asked := make(chan result, 1)
	go func() { asked <- replayIn(t, config, "--all") }()
	<-enough
	p.cmd.Process.Kill()
	p.exited(t)
	<-asked // its status says whether it was answered before the kill

	startProcess(t, config)
	if again := replayIn(t, config, "--all"); again.status != exitGood {
		t.Errorf("%+v", again)
	}
	awaitEmpty(t, config)
	mu.Lock()
	defer mu.Unlock()
	for id := range want {
		if got[id] == 0 {
			t.Errorf("%s never came", id)
		}
	}
	if len(want) != events || len(got) != events {
		t.Errorf("%d events were dead and %d came", len(want), len(got))
	}
	t.Logf("%d events in %d requests", events, requests)
}
