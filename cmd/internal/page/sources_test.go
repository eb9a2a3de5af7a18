package page_test

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"mxhook/cmd/internal/bridge"
	"mxhook/cmd/internal/config"
	"mxhook/cmd/internal/page"
	"mxhook/cmd/internal/worker"
	"mxhook/cmd/internal/worker/workertest"
	"mxhook/sinks/sinktest"
)

// newSourceBed is a bridge that listens nowhere and takes events from a queue.
func newSourceBed(t *testing.T, queue *workertest.Queue) *bed {
	t.Helper()
	state := t.TempDir()
	c, problems := config.Parse("test.yaml", fmt.Appendf(nil, `
hostname: worker.in.example
state: %q
admin: {address: "127.0.0.1:0"}
limits: {disk_reserve: 0}
sinks: {disk: {type: dir, path: %q}}
sources: [{name: jobs, type: sqs, queue_url: "https://queue.example/1/work", region: eu-central-1, deliver: [disk]}]
`, state, state+"/mail"), func(string) (string, bool) { return "", false })
	if c == nil {
		t.Fatal(problems)
	}
	b := &bed{t: t}
	var err error
	b.Bridge, err = bridge.New(c, bridge.Options{Log: slog.New(slog.DiscardHandler), Version: "1.2.3", Page: page.Make,
		Queue: func(config.Source) (worker.Queue, error) { return queue, nil }})
	if err != nil {
		t.Fatal(err)
	}
	return b.run(t)
}

func TestAProcessWithoutListenersSaysThatItTakesEventsFromQueues(t *testing.T) {
	b := newSourceBed(t, &workertest.Queue{})
	home := b.get("/")
	if strings.Contains(home, "mxhook send") || !strings.Contains(home, "This process has no listener: it takes events from <bdi>jobs, sqs work</bdi>.") {
		t.Error(home)
	}
	if setup := b.get("/sinks"); strings.Contains(setup, "h-routes") || !strings.Contains(setup, "<dt>Sources</dt><dd><code>jobs, sqs work</code></dd>") || !strings.Contains(setup, "<dt>Listeners</dt><dd>none</dd>") {
		t.Error(setup)
	}
}

func TestWhatASourceTakesStandsAmongTheMessages(t *testing.T) {
	queue := &workertest.Queue{Hidden: time.Hour}
	b := newSourceBed(t, queue)
	e := sinktest.NewEvent(100, "support+7@in.example")
	queue.Send(workertest.MessageOf(t, e))
	b.until("/?outcome=delivered", "canary-of-the-mail")
	queue.Send(worker.Message{Body: "hello"})
	b.until("/?outcome=poison", "attribute mxhook-event is missing")
	for _, id := range messageIDs(b.get("/")) {
		text := b.get("/messages/" + id)
		want := []string{"taken from the queue of source jobs", "put back into the queue: no try will ever deliver it", "let sqs sinks of mxhook alone write to this queue", "None could be read."}
		if strings.Contains(text, "canary-of") {
			want = []string{"taken from the queue of source jobs", "taken out of the queue", "delivered to disk", "<dt>Source</dt>", "<dt>Peer</dt>"}
		}
		for _, w := range want {
			if !strings.Contains(text, w) {
				t.Errorf("%s is missing in %s", w, text)
			}
		}
		if strings.Contains(text, "no reply yet") || strings.Contains(text, "the sender was told") {
			t.Errorf("nobody is told a reply: %s", text)
		}
	}
}
