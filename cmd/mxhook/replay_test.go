package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mxhook/cmd/internal/control"
)

const storedMessage = "From: ann@sender.example\nTo: Team, support@in.example\nMessage-ID: <stored@sender.example>\nSubject: hello\n\nText.\n"

// replayIn runs mxhook replay with a configuration.
func replayIn(t *testing.T, config string, args ...string) result {
	t.Helper()
	return runCommand(t, "", append([]string{"replay", "-c", config}, args...)...)
}

func TestReplayUsage(t *testing.T) {
	file := writeFile(t, "m.eml", storedMessage)
	const id = "msg_abcdefghijklmnopqrstuvwxyz"
	for _, c := range []struct {
		name   string
		args   []string
		stderr string
	}{
		{"nothing", nil, "--list lists what the spool holds"},
		{"neither id nor file", []string{"nonsense"}, `"nonsense" is neither the id of an event`},
		{"an id and a file", []string{id, file}, "one message at a time"},
		{"two files", []string{file, file}, "one message at a time"},
		{"list of something", []string{"--list", id}, "--list takes no argument"},
		{"all and an id", []string{"--all", id}, "--all takes no argument"},
		{"a state that is none", []string{"--list", "--state", "alive"}, "there are waiting and dead"},
		{"an id with a filter", []string{id, "--sink", "app"}, "--sink does not go with an ID"},
		{"a list with an envelope", []string{"--list", "--from", "a@b.example"}, "--from does not go with --list"},
		{"show nothing", []string{"--show"}, "--show needs the id"},
		{"show two", []string{"--show", id, id}, "--show takes one id"},
		{"show a file", []string{"--show", file}, "is neither the id"},
		{"the message as JSON", []string{"--show", "--raw", "--json", id}, "--raw is the message itself"},
		{"raw without show", []string{"--raw", id}, "--raw does not go with an ID"},
		{"drop nothing", []string{"--drop"}, "--drop needs the id"},
		{"drop a file", []string{"--drop", file}, "is neither the id"},
		{"drop all by accident", []string{"--drop", "--all"}, "say --yes, too"},
		{"drop all and an id", []string{"--drop", "--all", "--yes", id}, "--drop --all takes no argument"},
		{"yes to nothing", []string{"--yes", "--all"}, "--yes does not go with --all"},
		{"a folder in the id", []string{"--drop", id + ".a/../b"}, "is neither the id"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := runCommand(t, "", append([]string{"replay"}, c.args...)...)
			if got.status != exitUsage || !strings.Contains(got.stderr, c.stderr) || got.stdout != "" {
				t.Errorf("%+v", got)
			}
		})
	}
}

func TestAnIdIsAFileOnlyWhereOneIs(t *testing.T) {
	t.Chdir(t.TempDir())
	const id = "msg_abcdefghijklmnopqrstuvwxyz"
	if err := os.WriteFile(id+".eml", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(id+".app", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for argument, want := range map[string]bool{
		id: false, id + ".app": false, id + ".eml": true, "./" + id + ".app": true, id + "x.eml": true, "missing.eml": true,
		strings.Replace(id, "abc", "cba", 1) + ".eml": false, "-": true, "nonsense": false,
	} {
		if got := isMessageFile(argument); got != want {
			t.Errorf("%s is a file: %v", argument, got)
		}
	}
}

// TestReplaySendsAStoredMessage does it by a process that serves, and without one.
func TestReplaySendsAStoredMessage(t *testing.T) {
	for _, serving := range []bool{true, false} {
		name := map[bool]string{true: "mxhook serve runs", false: "nothing runs"}[serving]
		t.Run(name, func(t *testing.T) {
			a := startApp(t)
			config := processConfig(t, a.URL, "delivery: {ledger: 1h}\nlimits: {message_size: 64KiB}\n")
			if serving {
				startProcess(t, config)
			}
			file := writeFile(t, "m.eml", storedMessage)
			got := replayIn(t, config, file, "--ip", "192.0.2.7", "--helo", "old.example")
			first := a.next(t)
			id := first.Header.Get("webhook-id")
			want := "250 2.0.0 OK " + id + "\n  " + id + ".app (route 1, support@in.example): delivered (HTTP 200)\n"
			if got.status != exitGood || got.stdout != want || !strings.Contains(got.stderr, `"Team" has no address`) {
				t.Errorf("%+v, want %q", got, want)
			}
			var p struct {
				Envelope struct {
					ReversePath string `json:"reverse_path"`
					RemoteIP    string `json:"remote_ip"`
					HELO        string
				}
				Authentication struct {
					SPF, DMARC struct{ Result string }
				}
				Message struct{ Subject string }
			}
			if err := json.Unmarshal(first.body, &p); err != nil || p.Envelope.ReversePath != "ann@sender.example" || p.Envelope.RemoteIP != "192.0.2.7" ||
				p.Envelope.HELO != "old.example" || p.Authentication.SPF.Result != "none" || p.Authentication.DMARC.Result != "none" || p.Message.Subject != "hello" {
				t.Errorf("%+v, %v", p, err)
			}
			if got := replayIn(t, config, file, "--ip", "192.0.2.7"); got.status != exitGood || got.stdout != "250 2.0.0 already delivered as "+id+"\n  app: already delivered (1 recipient)\n" {
				t.Errorf("the same again: %+v", got)
			}
			if got := replayIn(t, config, file, "--ip", "192.0.2.7", "--again"); got.status != exitGood || a.next(t).Header.Get("webhook-id") != id {
				t.Errorf("--again: %+v", got)
			}
			a.set(answering(503))
			got = replayIn(t, config, file, "--rcpt", "x@in.example", "--rcpt", "<y@elsewhere.example>")
			if got.status != exitProblem || !strings.HasPrefix(got.stdout, "451 4.4.5 ") || !strings.Contains(got.stdout, "(HTTP 503)") ||
				!strings.Contains(got.stdout, "\n  y@elsewhere.example: 550 5.7.1 ") {
				t.Errorf("while the app is down: %+v", got)
			}
			a.set(nil)
			var report control.Report
			got = replayIn(t, config, file, "--rcpt", "x@in.example", "--from", "", "--json")
			if err := json.Unmarshal([]byte(got.stdout), &report); err != nil || got.status != exitGood || !report.Complete || len(report.Events) != 1 ||
				report.Events[0].Outcome != control.Delivered || report.Events[0].ID != a.next(t).Header.Get("webhook-id") {
				t.Errorf("%+v, %v", got, err)
			}
			big := writeFile(t, "big.eml", storedMessage+strings.Repeat("x", 20<<20))
			if got := replayIn(t, config, big); got.status != exitProblem || !strings.HasPrefix(got.stdout, "552 5.3.4 ") {
				t.Errorf("a message too big: %+v", got)
			}
			if got := replayIn(t, config, writeFile(t, "nobody.eml", "Subject: x\n\n")); got.status != exitProblem || !strings.Contains(got.stderr, "names no recipient") {
				t.Errorf("a message for nobody: %+v", got)
			}
			if len(a.got) > 0 {
				t.Errorf("%d deliveries too many", len(a.got))
			}
		})
	}
}

func TestAMessageThatWasKeptGoesToItsOwnRecipients(t *testing.T) {
	state := t.TempDir()
	config := writeFile(t, "mxhook.yaml", `hostname: mx.in.example
state: "`+state+`"
sinks: {disk: {type: dir, path: "`+state+`/mail"}}
routes: [{recipient: "@in.example", deliver: [disk]}]
`)
	file := writeFile(t, "m.eml", storedMessage)
	if got := replayIn(t, config, file, "--from", "<>", "--rcpt", "hidden@in.example", "--rcpt", "b@in.example"); got.status != exitGood {
		t.Fatalf("%+v", got)
	}
	kept, err := filepath.Glob(filepath.Join(state, "mail", "*.eml"))
	if err != nil || len(kept) != 1 {
		t.Fatal(kept, err)
	}
	before, err := os.ReadFile(kept[0])
	if err != nil {
		t.Fatal(err)
	}
	got := replayIn(t, config, kept[0], "--again")
	if got.status != exitGood || !strings.Contains(got.stdout, "hidden@in.example, b@in.example") {
		t.Errorf("%+v", got)
	}
	after, err := os.ReadFile(kept[0]) // the same message for the same recipients has the same id
	if err != nil || !bytes.HasPrefix(after, []byte("Return-Path: <>\r\nX-Original-To: hidden@in.example\r\n")) || bytes.Count(after, []byte("\r\nX-Original-To:")) != 2 {
		t.Errorf("%s\n%v, before\n%s", after, err, before)
	}
}

// TestAMessageThatCameOverSMTPIsKnownAgainWhenTheSameIsVerified: who vouches for it is
// part of what it is.
func TestAMessageThatCameOverSMTPIsKnownAgainWhenTheSameIsVerified(t *testing.T) {
	a := startApp(t)
	b := startBridge(t, withLedger(a))
	first := b.send(t, "ann@sender.example", "x@in.example", []byte(smallMessage))
	id := a.next(t).Header.Get("webhook-id")
	m := control.Stored{ReversePath: "ann@sender.example", Recipients: []string{"x@in.example"}, RemoteIP: "127.0.0.1", HELO: "mail.sender.example", Verify: true}
	known, err := b.Send(t.Context(), m, strings.NewReader(smallMessage))
	if err != nil || !known.Complete || known.Reply != "250 2.0.0 already delivered as "+id {
		t.Errorf("%+v, %v; first %s", known, err, first)
	}
	m.Verify = false
	if unknown, err := b.Send(t.Context(), m, strings.NewReader(smallMessage)); err != nil || !unknown.Complete || unknown.Events[0].ID == id || a.next(t).Header.Get("webhook-id") == id {
		t.Errorf("%+v, %v", unknown, err)
	}
}

// TestReplayWaitsForWhatASenderWouldNot has a sink that is late and an optional one.
func TestReplayWaitsForWhatASenderWouldNot(t *testing.T) {
	late, optional := startApp(t), startApp(t)
	b := startBridge(t, `hostname: mx.in.example
delivery: {ledger: 1h, budget: 1s}
sinks:
  late: {type: webhook, url: "`+late.URL+`", attempts: 1}
  optional: {type: webhook, url: "`+optional.URL+`", attempts: 1}
routes: [{name: r, recipient: "@in.example", deliver: [late], optional: [optional]}]
`)
	reached, proceed := make(chan bool, 1), make(chan bool)
	late.set(func(_ http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		reached <- true
		<-proceed
	})
	optional.set(answering(http.StatusNotAcceptable))
	m := control.Stored{ReversePath: "ann@sender.example", Recipients: []string{"x@in.example"}}
	answer := make(chan control.Report, 1)
	go func() {
		report, err := b.Send(t.Context(), m, strings.NewReader(smallMessage))
		if err != nil {
			t.Error(err)
		}
		answer <- report
	}()
	<-reached
	b.await(t, "message deferred")
	close(proceed)
	report := <-answer
	if !strings.HasPrefix(report.Reply, "451 4.4.5 ") || report.Complete || len(report.Events) != 2 ||
		report.Events[0].Outcome != control.Delivered || report.Events[1].Outcome != control.Refused || !report.Events[1].Optional {
		t.Errorf("%+v", report)
	}
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestWhatAPeerWroteIsSafeForATerminal(t *testing.T) {
	for in, want := range map[string]string{
		"ann@in.example": "ann@in.example", "jörg@in.example": "jörg@in.example", "\x1b[2J@x": `\x1b[2J@x`, "a\u202eb": `a\u202eb`, "\xff": `\xff`, "\"q\"\n": `"q"\n`,
	} {
		if got := printable(in); got != want {
			t.Errorf("%q is printed as %q", in, got)
		}
	}
}

// TestAListForASinkThatIsNoneIsWrongUsage: "no event" of a mistyped name would calm who asks.
func TestAListForASinkThatIsNoneIsWrongUsage(t *testing.T) {
	state := t.TempDir()
	config := writeFile(t, "mxhook.yaml", fmt.Sprintf("state: %q\nlimits: {disk_reserve: 0}\n%s", state, goodConfig))
	got := replayIn(t, config, "--list", "--sink", "ap")
	if got.status != exitUsage || !strings.Contains(got.stderr, "--sink ap: the configuration has no such sink; it has app") {
		t.Errorf("%+v", got)
	}
	if got := replayIn(t, config, "--list", "--sink", "app"); got.status != 0 || got.stdout != "the spool holds no event for the sink app\n" {
		t.Errorf("%+v", got)
	}
}
