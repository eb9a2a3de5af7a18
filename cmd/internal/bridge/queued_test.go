package bridge

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"mxhook/cmd/internal/config"
	"mxhook/cmd/internal/worker"
	"mxhook/cmd/internal/worker/workertest"
	"mxhook/inbound"
	"mxhook/inbound/message"
	"mxhook/sinks"
	"mxhook/sinks/sinktest"
)

// far is a world whose messages come from a queue and go to an application.
type far struct {
	*world
	queue *workertest.Queue
	app   *httptest.Server

	mu     sync.Mutex
	code   int
	header http.Header
	got    []string // webhook-id and path of each request
}

func newFar(t *testing.T, more string) *far {
	f := &far{queue: &workertest.Queue{}, code: 200, header: http.Header{}}
	f.app = httptest.NewServer(http.HandlerFunc(f.serve))
	t.Cleanup(f.app.Close)
	f.world = &world{t: t, state: t.TempDir(), log: &strings.Builder{}, zone: &swapped{}}
	f.yaml = fmt.Sprintf(`
hostname: worker.example
state: %q
limits: {disk_reserve: 0}
sinks:
  app: {type: webhook, url: "%s/mail/{ticket}", attempts: 1, circuit: {failures: 2, open: 1h}}
  disk: {type: dir, path: %q}
sources: [{name: jobs, type: sqs, queue_url: "https://queue.example/1/jobs", deliver: [app], optional: [disk]}]
%s`, f.state, f.app.URL, f.state+"/mail", more)
	f.start()
	return f
}

func (f *far) serve(w http.ResponseWriter, r *http.Request) {
	io.Copy(io.Discard, r.Body)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.got = append(f.got, r.Header.Get("webhook-id")+" "+r.URL.Path+" "+r.Header.Get("X-Mxhook-Route"))
	for k, v := range f.header {
		w.Header()[k] = v
	}
	w.WriteHeader(f.code)
}

func (f *far) answer(code int, header ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.code, f.got, f.header = code, nil, http.Header{}
	for i := 0; i+1 < len(header); i += 2 {
		f.header.Set(header[i], header[i+1])
	}
}

func (f *far) requests() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]string(nil), f.got...)
}

// queuedEvent is one as a listener's bridge makes it for one recipient.
func queuedEvent(n int) *sinks.Event {
	e := sinktest.NewEvent(100, fmt.Sprintf("support+%d@in.example", n))
	e.Identity = sinks.Identity{MessageID: "<1@sender.example>", BodySHA256: e.Data.BodySHA256(), Transaction: fmt.Sprint(n)}.Sum()
	e.ID = sinks.EventID(e.Identity, e.Route, e.Recipients)
	e.Recipients[0].Captures = map[string]string{"ticket": fmt.Sprint(n)}
	e.Message = message.Parse(e.Data, e.Data.Size(), message.Options{})
	return e
}

func (f *far) handle(m worker.Message) worker.Outcome {
	return f.HandleQueued(context.Background(), "jobs", m)
}

func TestAQueuedEventIsDeliveredOnceUnderItsOwnID(t *testing.T) {
	f := newFar(t, "")
	defer f.stop()
	e := queuedEvent(7)
	m := workertest.MessageOf(t, e)
	if o := f.handle(m); o.Result != worker.Accepted || o.Event != e.ID {
		t.Errorf("%+v", o)
	}
	if got := f.requests(); len(got) != 1 || got[0] != e.ID+" /mail/7 tickets" {
		t.Errorf("%q", got)
	}
	if o := f.handle(m); o.Result != worker.Accepted { // the queue brings it again
		t.Errorf("%+v", o)
	}
	if got := f.requests(); len(got) != 1 {
		t.Errorf("%q", got)
	}
}

func TestWithoutALedgerItIsRepeatedUnderTheSameID(t *testing.T) {
	f := newFar(t, "delivery: {ledger: 0}")
	defer f.stop()
	m := workertest.MessageOf(t, queuedEvent(7))
	f.handle(m)
	f.handle(m)
	if got := f.requests(); len(got) != 2 || got[0] != got[1] {
		t.Errorf("%q", got)
	}
}

func TestARefusedQueuedEventIsADeadEvent(t *testing.T) {
	f := newFar(t, "")
	defer f.stop()
	f.answer(406)
	e := queuedEvent(7)
	m := workertest.MessageOf(t, e)
	if o := f.handle(m); o.Result != worker.Refused || o.Detail != "HTTP 406" {
		t.Errorf("%+v", o)
	}
	if list := f.spool.List(); len(list) != 1 || list[0].ID != e.ID+".app" || list[0].Condition != "sink_refused" {
		t.Errorf("%+v", list)
	}
	f.answer(200)
	if o := f.handle(m); o.Result != worker.Accepted || len(f.requests()) != 0 {
		t.Errorf("%+v, %v", o, f.requests())
	}
}

func TestASinkThatAsksForTimeGetsIt(t *testing.T) {
	f := newFar(t, "")
	defer f.stop()
	f.answer(503, "Retry-After", "90")
	if o := f.handle(workertest.MessageOf(t, queuedEvent(7))); o.Result != worker.Temporary || o.After.Seconds() != 90 || o.Detail != "HTTP 503" {
		t.Errorf("%+v", o)
	}
}

func TestAQueueIsLeftAloneWhileACircuitIsOpen(t *testing.T) {
	f := newFar(t, "")
	defer f.stop()
	ready := f.readiness("jobs")
	if n := ready("lane"); n != worker.Any {
		t.Errorf("%d may be taken", n)
	}
	f.answer(503)
	for n := range 2 {
		f.handle(workertest.MessageOf(t, queuedEvent(n)))
	}
	if n := ready("lane"); n != 0 {
		t.Errorf("%d may be taken", n)
	}
	if o := f.handle(workertest.MessageOf(t, queuedEvent(3))); o.Result != worker.Temporary || o.After <= 0 || len(f.requests()) != 2 {
		t.Errorf("%+v, %d requests", o, len(f.requests()))
	}
}

func TestPoisonAndALostSourceComeToNoSink(t *testing.T) {
	f := newFar(t, "")
	defer f.stop()
	m := workertest.MessageOf(t, queuedEvent(7))
	if o := f.HandleQueued(context.Background(), "other", m); o.Result != worker.Temporary {
		t.Errorf("%+v", o)
	}
	m.Body = "{}"
	if o := f.handle(m); o.Result != worker.Poison || o.Event == "" {
		t.Errorf("%+v", o)
	}
	if got := f.requests(); len(got) != 0 {
		t.Errorf("%q", got)
	}
}

// TestWhatAMessagePointsToIsReadFromBucketsOfTheConfigurationAlone: with their credentials.
func TestWhatAMessagePointsToIsReadFromBucketsOfTheConfigurationAlone(t *testing.T) {
	e := queuedEvent(7)
	m := workertest.MessageOf(t, e)
	cloud := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/mail/overflow/7.json" || !strings.Contains(r.Header.Get("Authorization"), "Credential=AKIAREADER/") {
			t.Errorf("%s %s", r.Method, r.URL.Path)
		}
		io.WriteString(w, m.Body)
	}))
	defer cloud.Close()
	archive := fmt.Sprintf("  archive: {type: s3, bucket: mail, endpoint: %q, path_style: true, access_key_id: AKIAREADER, secret_access_key: x}\n", cloud.URL)
	f := newFar(t, "")
	f.stop()
	f.yaml = strings.Replace(f.yaml, "  disk:", archive+"  disk:", 1)
	f.start()
	defer f.stop()
	pointer := func(bucket string) worker.Message {
		p := m
		p.Body = `["software.amazon.payloadoffloading.PayloadS3Pointer",{"s3BucketName":"` + bucket + `","s3Key":"overflow/7.json"}]`
		return p
	}
	if o := f.handle(pointer("others")); o.Result != worker.Poison || len(f.requests()) != 0 {
		t.Errorf("%+v", o)
	}
	if o := f.handle(pointer("mail")); o.Result != worker.Accepted || len(f.requests()) != 1 {
		t.Errorf("%+v", o)
	}
}

// TestEventsWithoutAnIdentityStayApart: one that a spool of an earlier version had.
func TestEventsWithoutAnIdentityStayApart(t *testing.T) {
	f := newFar(t, "")
	defer f.stop()
	for n := range 2 {
		e := queuedEvent(7)
		e.Data = inbound.NewMailData(fmt.Appendf(nil, "From: bob@sender.example\r\n\r\n%d", n))
		sum := sha256.Sum256([]byte{byte(n)})
		e.ID = sinks.EventID(sum, e.Route, e.Recipients)
		e.Identity = [32]byte{}
		if o := f.handle(workertest.MessageOf(t, e)); o.Result != worker.Accepted {
			t.Errorf("%+v", o)
		}
	}
	if got := f.requests(); len(got) != 2 || got[0] == got[1] {
		t.Errorf("%q", got)
	}
}

// TestABridgeOfSourcesAloneListensNowhereAndEmptiesItsQueue runs all of it.
func TestABridgeOfSourcesAloneListensNowhereAndEmptiesItsQueue(t *testing.T) {
	f := newFar(t, "admin: {address: \"127.0.0.1:0\"}")
	f.options.Queue = func(c config.Source) (worker.Queue, error) {
		if c.QueueURL != "https://queue.example/1/jobs" {
			t.Errorf("%+v", c)
		}
		return f.queue, nil
	}
	want := map[string]bool{}
	for n := range 40 {
		e := queuedEvent(n)
		want[e.ID] = true
		f.queue.Send(workertest.MessageOf(t, e))
	}
	f.queue.Send(worker.Message{Body: "hello"})
	if err := f.Start(); err != nil {
		t.Fatal(err)
	}
	if len(f.Addrs()) != 0 {
		t.Errorf("it listens at %v", f.Addrs())
	}
	settled(t, func() bool {
		return f.queue.Len() == 1 && strings.Contains(f.scrape(), `outcome="poison",source="jobs"} 1`)
	})
	metrics := f.scrape()
	for _, line := range []string{`mxhook_source_messages_total{outcome="accepted",source="jobs"} 40`, `mxhook_source_messages_total{outcome="refused",source="jobs"} 0`,
		`mxhook_source_failures_total{source="jobs"} 0`, `mxhook_sink_attempts_total{outcome="accepted",sink="app"} 40`} {
		if !strings.Contains(metrics, line) {
			t.Errorf("the metrics lack %s", line)
		}
	}
	f.stop()
	for _, got := range f.requests() {
		delete(want, strings.Fields(got)[0])
	}
	if len(want) != 0 || len(f.requests()) != 40 {
		t.Errorf("%d events are missing of %d requests", len(want), len(f.requests()))
	}
}

// settled waits until something is so.
func settled(t *testing.T, so func() bool) {
	t.Helper()
	look := time.NewTicker(5 * time.Millisecond)
	defer look.Stop()
	for end := time.After(time.Minute); !so(); {
		select {
		case <-look.C:
		case <-end:
			t.Fatal("it did not come so within a minute")
		}
	}
}

func (f *far) scrape() string {
	rec := httptest.NewRecorder()
	f.metrics.Handler().ServeHTTP(rec, httptest.NewRequest("GET", "/metrics", nil))
	return rec.Body.String()
}
