package s3_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"mxhook/inbound/status"
	"mxhook/sinks"
	"mxhook/sinks/payload"
	"mxhook/sinks/s3"
	"mxhook/sinks/sinktest"
	"mxhook/verify"
)

var everything = []string{s3.JSON, s3.Raw, s3.Attachments}

func TestTheJSONComesLast(t *testing.T) {
	b := newBucket(t)
	var mu sync.Mutex
	var order []string
	b.before = func(_ int, key string, _ http.ResponseWriter, _ *http.Request) bool {
		mu.Lock()
		defer mu.Unlock()
		order = append(order, key)
		return false
	}
	e, _ := mailOf(t, 10000)
	deliver(t, newSink(t, b.URL, func(c *s3.Config) { c.Content = everything }), e)
	if want := []string{e.ID + "/1", e.ID + "/2", e.ID + ".eml", e.ID + ".json"}; !slices.Equal(order, want) {
		t.Errorf("%q", order)
	}
}

// TestACrashBetweenTwoPUTs has the server die after each of them: nothing but a whole
// event is a yes, and the resend writes what is missing.
func TestACrashBetweenTwoPUTs(t *testing.T) {
	for after := range 4 {
		b := newBucket(t)
		b.before = func(n int, _ string, w http.ResponseWriter, _ *http.Request) bool {
			if n > after {
				panic(http.ErrAbortHandler) // the connection breaks
			}
			return false
		}
		e, _ := mailOf(t, 10000)
		s := newSink(t, b.URL, func(c *s3.Config) { c.Content = everything })
		if o := s.Deliver(t.Context(), e); o.Class() != status.Temporary || len(b.all()) != after {
			t.Fatalf("after %d: %+v, %v", after, o, b.keys())
		}
		b.before = nil
		deliver(t, s, e)
		if keys := b.keys(); len(keys) != 4 {
			t.Errorf("after %d: %v", after, keys)
		}
		for key, n := range b.keys() {
			if n != 1 {
				t.Errorf("after %d: %s was written %d times", after, key, n)
			}
		}
	}
}

func TestAnAttemptGoesOnWhereTheLastOneStopped(t *testing.T) {
	b := newBucket(t)
	b.before = func(n int, _ string, w http.ResponseWriter, _ *http.Request) bool {
		if n == 2 {
			refuse(w, 503, "SlowDown")
		}
		return n == 2
	}
	o := newSink(t, b.URL, nil).Deliver(t.Context(), sinktest.NewEvent(10))
	if o.Err != nil || o.Attempts != 2 || b.puts != 3 {
		t.Errorf("%+v, %d requests", o, b.puts)
	}
}

func TestTwoWritersAtOneKeyAreTemporary(t *testing.T) {
	b := newBucket(t)
	conflicts := 1
	b.before = func(n int, _ string, w http.ResponseWriter, _ *http.Request) bool {
		if n <= conflicts {
			refuse(w, 409, "ConditionalRequestConflict")
		}
		return n <= conflicts
	}
	deliver(t, newSink(t, b.URL, nil), sinktest.NewEvent(10))
	b.puts, conflicts = 0, 100
	if o := newSink(t, b.URL, nil).Deliver(t.Context(), sinktest.NewEvent(10)); status.ConditionOf(o.Err) != status.SinkBusy {
		t.Errorf("%+v", o)
	}
}

func TestASlowServerIsCutByTheBudget(t *testing.T) {
	over := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		r.Body.Read(make([]byte, 1)) // and no more
		<-over
	}))
	t.Cleanup(server.Close)
	defer close(over)
	e, _ := mailOf(t, 8<<20)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	o := newSink(t, server.URL, func(c *s3.Config) { c.Content = []string{s3.Raw} }).Deliver(ctx, e)
	if status.ConditionOf(o.Err) != status.BudgetExceeded || o.Attempts != 1 {
		t.Errorf("%+v", o)
	}
}

func TestAServerThatDoesNotAnswerIsATimeout(t *testing.T) {
	over := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		<-over
	}))
	t.Cleanup(server.Close)
	defer close(over)
	o := newSink(t, server.URL, func(c *s3.Config) { c.Cloud.Timeout, c.Cloud.Attempts = 200*time.Millisecond, 1 }).Deliver(t.Context(), sinktest.NewEvent(10))
	if got := status.ReplyOf(o.Err).String(); !strings.HasPrefix(got, "451 4.4.1") {
		t.Errorf("%s: %+v", got, o)
	}
}

func TestAServerWithoutIfNoneMatch(t *testing.T) {
	b := newBucket(t)
	b.before = func(_ int, _ string, w http.ResponseWriter, r *http.Request) bool {
		if r.Header.Get("If-None-Match") == "" {
			return false
		}
		refuse(w, 501, "NotImplemented")
		return true
	}
	e := sinktest.NewEvent(10)
	if o := newSink(t, b.URL, nil).Deliver(t.Context(), e); status.ConditionOf(o.Err) != status.SinkOperator || o.Attempts != 1 {
		t.Errorf("%+v", o)
	}
	s := newSink(t, b.URL, func(c *s3.Config) { c.Overwrite = true })
	deliver(t, s, e)
	deliver(t, s, e)
	if n := b.keys()[e.ID+".eml"]; n != 2 {
		t.Errorf("written %d times", n)
	}
}

func TestOneEventADomainWhereThePrefixHasOne(t *testing.T) {
	s := newSink(t, "http://127.0.0.1:1", func(c *s3.Config) { c.Prefix = "{domain}/" })
	if s.FanOut() != sinks.FanOutDomain || s.Dated() {
		t.Error(s.FanOut(), s.Dated())
	}
	s = newSink(t, "http://127.0.0.1:1", func(c *s3.Config) { c.Prefix = "{year}/{route}/" })
	if s.FanOut() != sinks.FanOutMessage || !s.Dated() {
		t.Error(s.FanOut(), s.Dated())
	}
}

func TestTheDateIsThatOfTheFirstTry(t *testing.T) {
	b := newBucket(t)
	s := newSink(t, b.URL, func(c *s3.Config) { c.Prefix = "{year}/{month}/{day}/" })
	e := sinktest.NewEvent(10)
	e.ReceivedAt = time.Date(2026, 12, 31, 23, 59, 59, 999, time.UTC)
	deliver(t, s, e)
	again := *e
	again.FirstTried, again.ReceivedAt = e.ReceivedAt, time.Date(2027, 1, 1, 0, 0, 1, 0, time.FixedZone("CET", 3600))
	deliver(t, s, &again)
	if keys := b.keys(); len(keys) != 2 || keys["2026/12/31/"+e.ID+".eml"] != 1 {
		t.Errorf("%v", keys)
	}
}

// TestMetadataHoldsNoWordOfASender has everything that a stranger can choose be odd.
func TestMetadataHoldsNoWordOfASender(t *testing.T) {
	b := newBucket(t)
	e, _ := mailOf(t, 1000)
	e.Results = &verify.Results{FromVerified: true, DKIM: []verify.DKIM{{Result: "fail", Domain: "a\r\nX-Evil: 1"}, {Result: "pass"}}}
	e.Results.SPF.Reason = "canary\r\n"
	for i, name := range []string{"évil\r\nX-Evil: 1\x00\".html", strings.Repeat("ü", 5000)} {
		e.Message.Attachments[i].Filename = name
	}
	e.Message.Attachments[0].ContentType = "text/html; x=\"\r\nX-Evil: 1\""
	deliver(t, newSink(t, b.URL, func(c *s3.Config) {
		c.Content, c.Tags, c.StorageClass, c.Encryption, c.KMSKeyID = everything, map[string]string{"route": "r {route}"}, "STANDARD_IA", "aws:kms", "alias/mail"
	}), e)
	for key, o := range b.all() {
		h := o.header
		for name, values := range h {
			for _, v := range values {
				if strings.ContainsFunc(v, func(r rune) bool { return r < ' ' || r > '~' }) || len(v) > 2000 {
					t.Errorf("%s: %s: %q", key, name, v)
				}
			}
		}
		if h.Get("X-Evil") != "" || h.Get("X-Amz-Meta-Mxhook-Dkim") != "pass" || h.Get("X-Amz-Meta-Mxhook-From-Verified") != "true" ||
			h.Get("X-Amz-Tagging") != "route=r+tickets" || h.Get("X-Amz-Storage-Class") != "STANDARD_IA" ||
			h.Get("X-Amz-Server-Side-Encryption") != "aws:kms" || h.Get("X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id") != "alias/mail" {
			t.Errorf("%s: %v", key, h)
		}
		if h.Get("X-Amz-Checksum-Crc32") != "" || h.Get("X-Amz-Sdk-Checksum-Algorithm") != "" || h.Get("Content-Encoding") != "" {
			t.Errorf("%s: a checksum that other servers refuse: %v", key, h)
		}
	}
	one := b.all()[e.ID+"/1"].header
	if got := one.Get("Content-Disposition"); !strings.HasPrefix(got, "attachment; filename*=UTF-8''%C3%A9vil%0D%0A") {
		t.Errorf("%q", got)
	}
	var doc struct {
		Message struct {
			Attachments []struct{ URL, Content *string }
		}
	}
	if err := json.Unmarshal(b.all()[e.ID+".json"].body, &doc); err != nil {
		t.Fatal(err)
	}
	for i, a := range doc.Message.Attachments {
		if a.Content != nil || a.URL == nil || *a.URL != fmt.Sprintf("s3://mail/%s/%d", e.ID, i+1) {
			t.Errorf("%d: %v", i, a)
		}
	}
}

func TestAMessageThatCannotBeReadIsNoFaultOfTheServer(t *testing.T) {
	b := newBucket(t)
	e, _ := mailOf(t, 1<<20)
	s := newSink(t, b.URL, func(c *s3.Config) { c.Content = everything })
	e.Data.Release()
	if o := s.Deliver(t.Context(), e); status.ConditionOf(o.Err) != status.LocalError || len(b.all()) > 0 {
		t.Errorf("%+v, %v", o, b.keys())
	}
	c := payload.Content{Name: "1", Size: 10, Open: func() io.Reader { return strings.NewReader("short") }}
	if _, err := s.Store(t.Context(), sinktest.NewEvent(10), c); status.ClassOf(err) != status.Temporary || len(b.all()) > 0 {
		t.Errorf("%v, %v", err, b.keys())
	}
}

// TestMemoryStaysFlat puts messages of 25 MiB, several at once, to a server that keeps
// nothing.
func TestMemoryStaysFlat(t *testing.T) {
	var octets atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, _ := io.Copy(io.Discard, r.Body)
		octets.Add(n)
		w.Header().Set("ETag", `"x"`)
	}))
	t.Cleanup(server.Close)
	size, rounds := 25<<20, 3
	if raceDetector {
		size, rounds = 4<<20, 1
	}
	e, _ := mailOf(t, size)
	s := newSink(t, server.URL, func(c *s3.Config) { c.Content = everything })
	runtime.GC()
	var before, now runtime.MemStats
	runtime.ReadMemStats(&before)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range rounds {
				if o := s.Deliver(context.Background(), e); o.Err != nil {
					t.Errorf("%+v", o)
				}
			}
		})
	}
	wg.Wait()
	runtime.ReadMemStats(&now)
	if grown := int64(now.HeapSys) - int64(before.HeapSys); grown > 24<<20 {
		t.Errorf("the heap grew by %d MiB for %d MiB", grown>>20, octets.Load()>>20)
	}
	t.Logf("%d MiB were sent, the heap grew by %d KiB, %d MiB were allocated in all", octets.Load()>>20, (int64(now.HeapSys)-int64(before.HeapSys))>>10, (now.TotalAlloc-before.TotalAlloc)>>20)
}

func TestAURLLivesAsLongAsItIsConfigured(t *testing.T) {
	b := newBucket(t)
	e := sinktest.NewEvent(10)
	for expiry, want := range map[time.Duration]string{0: "X-Amz-Expires=604800", time.Hour: "X-Amz-Expires=3600"} {
		s := newSink(t, b.URL, func(c *s3.Config) { c.URLExpiry = expiry })
		links, err := payload.Include{Raw: payload.Stored, RawStore: s}.Store(t.Context(), e)
		if err != nil || !strings.Contains(links.Raw, want) || strings.Contains(links.Raw, secretKey) {
			t.Errorf("%s, %v", links.Raw, err)
		}
	}
	if n := b.keys()[e.Edition()+"/raw"]; n != 1 {
		t.Errorf("written %d times", n)
	}
	if _, err := s3.New(s3.Config{Bucket: "mail", URLExpiry: 169 * time.Hour}); err == nil {
		t.Error("169h is longer than S3 signs")
	}
}
