package webhook_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"mxhook/inbound/status"
	"mxhook/sinks"
	"mxhook/sinks/payload"
	"mxhook/sinks/sinktest"
	"mxhook/sinks/webhook"
)

func deliver(ctx context.Context, s *webhook.Sink, e *sinks.Event) <-chan sinks.Outcome {
	out := make(chan sinks.Outcome, 1)
	go func() { out <- s.Deliver(ctx, e) }()
	return out
}

// endWhenWritten returns a budget that ends as soon as a request is written, and
// closes release then.
func endWhenWritten(release chan struct{}) context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{WroteRequest: func(httptrace.WroteRequestInfo) {
		cancel()
		close(release)
	}})
}

func TestAWrittenRequestOutlivesTheBudget(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	url, _ := receiver(t, func(w http.ResponseWriter, _ *http.Request) { <-release })
	s := newSink(t, webhook.Config{URL: url})
	ctx := endWhenWritten(release)
	if o := s.Deliver(ctx, sinktest.NewEvent(10)); o.Err != nil || o.Attempts != 1 {
		t.Errorf("a late yes got lost: %+v", o)
	}
	if ctx.Err() == nil {
		t.Error("the yes was not late")
	}
}

func TestALateFailureIsNotTriedAgain(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	url, _ := receiver(t, func(w http.ResponseWriter, _ *http.Request) {
		<-release
		w.WriteHeader(http.StatusInternalServerError)
	})
	s := newSink(t, webhook.Config{URL: url, Attempts: 5})
	if o := s.Deliver(endWhenWritten(release), sinktest.NewEvent(10)); o.Attempts != 1 || status.ConditionOf(o.Err) != status.SinkFailed {
		t.Errorf("%+v", o)
	}
}

func TestAnUnwrittenRequestEndsWithTheBudget(t *testing.T) {
	t.Parallel()
	hold := make(chan struct{})
	connected := make(chan struct{}, 1)
	address := rawServer(t, func(net.Conn) { connected <- struct{}{}; <-hold })
	defer close(hold)
	s := newSink(t, webhook.Config{URL: "http://" + address, Format: payload.RawFormat()})
	ctx, cancel := context.WithCancel(context.Background())
	out := deliver(ctx, s, sinktest.NewEvent(12<<20))
	<-connected
	cancel()
	if o := <-out; o.Attempts != 1 || status.ConditionOf(o.Err) != status.BudgetExceeded {
		t.Errorf("%+v", o)
	}
}

func TestNoAttemptBeginsAfterTheBudget(t *testing.T) {
	t.Parallel()
	url, got := receiver(t, ok)
	s := newSink(t, webhook.Config{URL: url})
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if o := s.Deliver(ctx, sinktest.NewEvent(10)); o.Attempts != 0 || status.ConditionOf(o.Err) != status.BudgetExceeded {
		t.Errorf("%+v", o)
	}
	if len(got) != 0 {
		t.Error("a request was made")
	}
}

func TestASlotIsWaitedForWithinTheBudget(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	url, got := receiver(t, func(http.ResponseWriter, *http.Request) { <-release })
	s := newSink(t, webhook.Config{URL: url, Concurrency: 1})
	first := deliver(context.Background(), s, sinktest.NewEvent(10))
	<-got
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	if o := s.Deliver(ctx, sinktest.NewEvent(10)); o.Attempts != 0 || status.ConditionOf(o.Err) != status.SinkBusy {
		t.Errorf("%+v", o)
	}
	close(release)
	if o := <-first; o.Err != nil {
		t.Error(o.Err)
	}
	if o := s.Deliver(context.Background(), sinktest.NewEvent(10)); o.Err != nil {
		t.Errorf("the slot was not given back: %v", o.Err)
	}
}

func TestRetryAfterIsHonouredWhileItFits(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		after    string
		budget   time.Duration
		attempts int
		least    time.Duration
	}{
		{"1", 10 * time.Second, 2, time.Second},
		{"3600", 5 * time.Second, 1, 0},
		{"9999999999", 5 * time.Second, 1, 0},
		{"99999999999999999999999999", 5 * time.Second, 1, 0},
		{"-1", 5 * time.Second, 2, 0},
		{"soon", 5 * time.Second, 2, 0},
		{"Fri, 31 Dec 9999 23:59:59 GMT", 5 * time.Second, 1, 0},
		{"Fri, 31 Dec 1999 23:59:59 GMT", 5 * time.Second, 2, 0},
	} {
		t.Run(c.after, func(t *testing.T) {
			var n atomic.Int64
			url, _ := receiver(t, func(w http.ResponseWriter, r *http.Request) {
				if n.Add(1) == 1 {
					w.Header().Set("Retry-After", c.after)
					w.WriteHeader(http.StatusServiceUnavailable)
				}
			})
			s := newSink(t, webhook.Config{URL: url, Backoff: time.Millisecond})
			ctx, cancel := context.WithTimeout(context.Background(), c.budget)
			defer cancel()
			start := time.Now()
			o := s.Deliver(ctx, sinktest.NewEvent(10))
			if o.Attempts != c.attempts || (o.Err == nil) != (c.attempts == 2) {
				t.Errorf("%+v", o)
			}
			if took := time.Since(start); took < c.least || c.attempts == 1 && took > 4*time.Second {
				t.Errorf("took %v", took)
			}
		})
	}
}

func TestEachAttemptIsSignedAnew(t *testing.T) {
	t.Parallel()
	var n atomic.Int64
	url, got := receiver(t, func(w http.ResponseWriter, r *http.Request) {
		if n.Add(1) < 3 {
			w.WriteHeader(http.StatusInternalServerError)
		}
	})
	key, err := webhook.ParseSecret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	if err != nil {
		t.Fatal(err)
	}
	wh, err := standardwebhooks.NewWebhook("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	if err != nil {
		t.Fatal(err)
	}
	for _, size := range []int{10, 300 << 10} { // held in memory, and generated anew
		n.Store(0)
		c := webhook.Config{URL: url, Secrets: [][]byte{key}, Attempts: 3, Backoff: time.Millisecond}
		if size == 10 {
			c.Backoff = 700 * time.Millisecond // both waits together are longer than a second
		}
		s := newSink(t, c)
		if o := s.Deliver(context.Background(), sinktest.NewEvent(size)); o.Err != nil || o.Attempts != 3 {
			t.Fatalf("%+v", o)
		}
		var ids, bodies, stamps = map[string]bool{}, map[string]bool{}, map[string]bool{}
		for i := 1; i <= 3; i++ {
			r := <-got
			if err := wh.Verify(r.body, r.Header); err != nil {
				t.Errorf("attempt %d: %v", i, err)
			}
			if r.Header.Get("X-Mxhook-Attempt") != strconv.Itoa(i) {
				t.Errorf("attempt %d says %s", i, r.Header.Get("X-Mxhook-Attempt"))
			}
			ids[r.Header.Get("Webhook-Id")+r.Header.Get("Idempotency-Key")+r.Header.Get("Content-Digest")] = true
			bodies[string(r.body)] = true
			stamps[r.Header.Get("Webhook-Timestamp")+r.Header.Get("Webhook-Signature")] = true
		}
		if len(ids) != 1 || len(bodies) != 1 {
			t.Errorf("%d ids, %d bodies: all attempts must have the same", len(ids), len(bodies))
		}
		if size == 10 && len(stamps) < 2 {
			t.Error("the timestamp is not the attempt's")
		}
	}
}

func TestAnAnswerThatNeverEndsDoesntDelayAYes(t *testing.T) {
	t.Parallel()
	hold := make(chan struct{})
	url, _ := receiver(t, func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "and")
		w.(http.Flusher).Flush()
		<-hold
	})
	defer close(hold)
	s := newSink(t, webhook.Config{URL: url})
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if o := s.Deliver(ctx, sinktest.NewEvent(10)); o.Err != nil || ctx.Err() != nil {
		t.Errorf("%+v", o)
	}
}

func BenchmarkDeliver(b *testing.B) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body) })}
	go server.Serve(l)
	defer server.Close()
	for _, size := range []int{1 << 10, 200 << 10, 10 << 20} {
		b.Run(strconv.Itoa(size), func(b *testing.B) {
			s, err := webhook.New(webhook.Config{Name: "app", URL: "http://" + l.Addr().String(), Secrets: [][]byte{[]byte("key")}})
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			e := sinktest.NewEvent(size)
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				if o := s.Deliver(context.Background(), e); o.Err != nil {
					b.Fatal(o.Err)
				}
			}
		})
	}
}
