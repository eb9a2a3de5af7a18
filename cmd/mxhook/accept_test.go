package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"mxhook/cmd/internal/config"
)

const acceptSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

// acceptConfig asks %ASK% in all its routes but one, which is the last.
const acceptConfig = `
hostname: mx.in.example
sinks:
  app: {type: webhook, url: "%URL%"}
  other: {type: webhook, url: "%URL%/other"}
routes:
  - {name: both, recipient: ["b-*@in.example", "c-*@in.example"], accept: {url: "%ASK%/both", secret: "` + acceptSecret + `", cache: 0s}, deliver: [other], continue: true}
  - {name: hidden, recipient: "c-*@in.example", deliver: [app]}
  - {name: ask, recipient: "@in.example", accept: {url: "%ASK%/ask", secret: "` + acceptSecret + `"}, deliver: [app]}
`

// acceptor answers the questions of a bridge by the local part of the recipient.
type acceptor struct {
	*app
	mu    sync.Mutex
	asked []map[string]string // the questions, with the path under "path"
}

func startAcceptor(t *testing.T) *acceptor {
	a := &acceptor{app: startApp(t)}
	verifier, err := standardwebhooks.NewWebhook(acceptSecret)
	if err != nil {
		t.Fatal(err)
	}
	a.set(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if err := verifier.Verify(body, r.Header); err != nil {
			t.Errorf("%s: %v", body, err)
		}
		q := map[string]string{"path": r.URL.Path}
		if err := json.Unmarshal(body, &q); err != nil {
			t.Error(err)
		}
		a.mu.Lock()
		a.asked = append(a.asked, q)
		a.mu.Unlock()
		local, _, _ := strings.Cut(q["recipient"], "@")
		switch {
		case strings.HasSuffix(local, "no"), strings.HasSuffix(local, "half") && q["path"] == "/both":
			w.WriteHeader(http.StatusNotAcceptable)
		case strings.HasSuffix(local, "moved"):
			w.Header().Set("Smtp-Reply", "551 5.1.6 ask bob")
			w.WriteHeader(http.StatusTeapot)
		case strings.HasSuffix(local, "later"), strings.HasSuffix(local, "mixed") && q["path"] == "/both":
			w.WriteHeader(http.StatusInternalServerError)
		case strings.HasSuffix(local, "away"):
			http.Redirect(w, r, "/yes", http.StatusTemporaryRedirect)
		}
	})
	return a
}

func (a *acceptor) questions() []map[string]string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.asked)
}

func acceptBridge(t *testing.T, ask string) (*running, *app) {
	t.Helper()
	sink := startApp(t)
	return startBridge(t, strings.NewReplacer("%URL%", sink.URL, "%ASK%", ask).Replace(acceptConfig)), sink
}

func TestAcceptIsAskedAtRCPT(t *testing.T) {
	ask := startAcceptor(t)
	b, _ := acceptBridge(t, ask.URL)
	c := dialSMTP(t, b.smtp)
	c.say("MAIL FROM:<ann@sender.example>")
	const yes, no, open = "250 2.1.5 recipient OK", "550 5.1.1 no such recipient", "451 4.3.0 temporary lookup failure"
	for _, m := range []struct {
		name, rcpt, want string
		asked            int
	}{
		{"yes", "a-yes@in.example", yes, 1},
		{"yes again is remembered", "a-yes@in.example", yes, 0},
		{"no", "a-no@in.example", no, 1},
		{"no again is remembered", "a-no@in.example", no, 0},
		{"a reply of its own", "a-moved@in.example", "551 5.1.6 ask bob", 1},
		{"which is remembered", "a-moved@in.example", "551 5.1.6 ask bob", 0},
		{"a failure", "a-later@in.example", open, 1},
		{"which is not remembered", "a-later@in.example", open, 1},
		{"a redirect is not followed", "a-away@in.example", open, 1},
		{"postmaster is accepted without a question", "postmaster@in.example", yes, 0},
		{"bare postmaster, too", "PostMaster", yes, 0},
		{"what no route takes is not asked", "x@elsewhere.example", "550 5.7.1 relaying denied", 0},
		{"two routes, both yes", "b-yes@in.example", yes, 2},
		{"without a cache it is asked again", "b-yes@in.example", yes, 1},
		{"two routes, both no", "b-no@in.example", no, 2},
		{"a no takes one route out", "b-half@in.example", yes, 2},
		{"one yes doesn't make up for a failure", "b-mixed@in.example", open, 2},
		{"a route that asks and one that doesn't", "c-no@in.example", yes, 1},
		{"the same, and a failure", "c-later@in.example", open, 1},
	} {
		before := len(ask.questions())
		if got := c.say("RCPT TO:<" + m.rcpt + ">"); got != m.want {
			t.Errorf("%s: %s, want %s", m.name, got, m.want)
		}
		if n := len(ask.questions()) - before; n != m.asked {
			t.Errorf("%s: asked %d times, want %d", m.name, n, m.asked)
		}
	}
	want := map[string]string{"path": "/ask", "recipient": "a-yes@in.example", "reverse_path": "ann@sender.example",
		"remote_ip": "127.0.0.1", "helo": "mail.sender.example", "route": "ask"}
	if first := ask.questions()[0]; fmt.Sprint(first) != fmt.Sprint(want) {
		t.Errorf("the question %v", first)
	}
}

func TestARouteThatIsRefusedGetsNoMail(t *testing.T) {
	ask := startAcceptor(t)
	b, sink := acceptBridge(t, ask.URL)
	if reply := b.send(t, "ann@sender.example", "b-half@in.example", []byte("Subject: x\r\n\r\nx\r\n")); !strings.HasPrefix(reply, "250 ") {
		t.Fatal(reply)
	}
	d := sink.next(t)
	if d.URL.Path != "/" || d.Header.Get("X-Mxhook-Route") != "ask" || len(sink.got) != 0 {
		t.Errorf("%s of route %s, and %d more", d.URL.Path, d.Header.Get("X-Mxhook-Route"), len(sink.got))
	}
}

func TestAcceptOverAReload(t *testing.T) {
	ask, sink := startAcceptor(t), startApp(t)
	reload := func(b *running, yaml string) {
		t.Helper()
		c, problems := config.Parse("test.yaml", []byte(yaml), os.LookupEnv)
		if c == nil {
			t.Fatal(problems)
		}
		if err := b.Reload(c); err != nil {
			t.Fatal(err)
		}
	}
	yaml := strings.NewReplacer("%URL%", sink.URL, "%ASK%", ask.URL).Replace(acceptConfig)
	b := startBridge(t, yaml)
	rest := "\nlisteners: [{address: \"127.0.0.1:0\", tls: {mode: none}}]\ndelivery: {ledger: 0}\nlimits: {disk_reserve: 0}\nstate: " + t.TempDir()
	for i, step := range []struct {
		name, yaml string
		want       int // questions so far
	}{
		{"at first", yaml, 1},
		{"another budget keeps the answers", yaml + "verify: {timeout: 3s}\n", 1},
		{"another URL doesn't have them", strings.ReplaceAll(yaml, "/ask", "/asked"), 2},
		{"nor do they come back", yaml, 3},
	} {
		if i > 0 {
			reload(b, step.yaml+rest)
		}
		c := dialSMTP(t, b.smtp)
		c.say("MAIL FROM:<ann@sender.example>")
		if got := c.say("RCPT TO:<a-yes@in.example>"); !strings.HasPrefix(got, "250 ") {
			t.Errorf("%s: %s", step.name, got)
		}
		if n := len(ask.questions()); n != step.want {
			t.Errorf("%s: asked %d times, want %d", step.name, n, step.want)
		}
	}
}

// Two hundred clients at a URL that never answers are told 451 in about the time of one
// question. Those who hang up meanwhile leave nothing behind, and neither does the log
// tell the URL's secrets.
func TestADeadAcceptURLCostsFiveSeconds(t *testing.T) {
	if testing.Short() {
		t.Skip("takes five seconds")
	}
	end := make(chan struct{})
	dead := startApp(t)
	dead.set(func(_ http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		select {
		case <-end:
		case <-r.Context().Done():
		}
	})
	defer close(end)
	sink := startApp(t)
	b := startBridge(t, strings.NewReplacer("%URL%", sink.URL, "%ASK%", strings.Replace(dead.URL, "://", "://user:canary@", 1)+"/canary").Replace(acceptConfig)+
		"limits: {connections_per_ip: 1000}\n")
	const clients = 200
	list := make([]*client, clients)
	for i := range list {
		list[i] = dialSMTP(t, b.smtp)
		list[i].say("MAIL FROM:<ann@sender.example>")
	}
	before := runtime.NumGoroutine()
	began := time.Now()
	var wait sync.WaitGroup
	for i, c := range list {
		wait.Go(func() {
			fmt.Fprintf(c.nc, "RCPT TO:<a-%d@in.example>\r\n", i)
			if i%4 == 3 {
				c.nc.Close()
				return
			}
			if got := c.reply(); got != "451 4.3.0 temporary lookup failure" {
				t.Errorf("client %d: %s", i, got)
			}
		})
	}
	wait.Wait()
	if took := time.Since(began); took < 4*time.Second || took > 15*time.Second {
		t.Errorf("it took %s", took)
	}
	t.Logf("%d clients were told after %s; goroutines %d before, %d after", clients, time.Since(began), before, runtime.NumGoroutine())
	if strings.Contains(b.log.String(), "canary") {
		t.Error("the log tells what stands in the URL")
	}
	ok := dialSMTP(t, b.smtp)
	ok.say("MAIL FROM:<ann@sender.example>")
	if got := ok.say("RCPT TO:<postmaster@in.example>"); !strings.HasPrefix(got, "250 ") {
		t.Error(got)
	}
}

func TestExplainTellsOfAcceptAndAsksNobody(t *testing.T) {
	ask := startAcceptor(t)
	file := filepath.Join(t.TempDir(), "mxhook.yaml")
	yaml := strings.NewReplacer("%URL%", "http://127.0.0.1:1", "%ASK%", ask.URL).Replace(acceptConfig)
	if err := os.WriteFile(file, []byte(yaml), 0o600); err != nil {
		t.Fatal(err)
	}
	for rcpt, want := range map[string]string{
		"a@in.example":          "=> route ask, if its accept url says yes, delivered to app",
		"b-x@in.example":        "=> route both, if its accept url says yes, delivered to other",
		"c-x@in.example":        "=> route hidden, delivered to app",
		"postmaster@in.example": "=> route ask, delivered to app",
	} {
		got := runCommand(t, "", "explain", "-c", file, rcpt)
		if got.status != exitGood || !strings.Contains(got.stdout, want) {
			t.Errorf("explain %s: want %q in\n%s%s", rcpt, want, got.stdout, got.stderr)
		}
	}
	if n := len(ask.questions()); n != 0 {
		t.Errorf("explain asked %d times", n)
	}
}
