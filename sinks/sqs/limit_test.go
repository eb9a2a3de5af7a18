package sqs_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"mxhook/inbound/status"
	"mxhook/sinks"
	"mxhook/sinks/cloud"
	"mxhook/sinks/payload"
	"mxhook/sinks/record"
	"mxhook/sinks/sinktest"
	"mxhook/sinks/sqs"
)

// sized is a format whose payloads have so many octets.
type sized int64

func (n sized) Encode(context.Context, *sinks.Event) (payload.Encoded, error) {
	return payload.Fixed(payload.NewBody("application/json", payload.Source{
		Open: func() io.Reader { return io.LimitReader(letters{}, int64(n)) }, Size: int64(n),
	})), nil
}

type letters struct{}

func (letters) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'a'
	}
	return len(p), nil
}

// attributesOf counts what the attributes of an event's message take, apart from the sink.
func attributesOf(t testing.TB, e *sinks.Event) int64 {
	t.Helper()
	facts, err := record.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for name, value := range map[string]string{"mxhook-id": e.ID, "mxhook-route": e.Route, "mxhook-format": "mxhook", "mxhook-event": string(facts)} {
		n += len(name) + len("String") + len(value)
	}
	return int64(n)
}

func TestTheLimitIsKeptToTheOctet(t *testing.T) {
	e := sinktest.NewEvent(10)
	attributes := attributesOf(t, e)
	for _, c := range []struct {
		name           string
		queue          int
		maxSize, limit int64
	}{
		{"the queue's own", 1 << 20, 0, 1 << 20},
		{"a queue that was lowered", 65536, 0, 65536},
		{"max_size below the queue's", 1 << 20, 32768, 32768},
		{"max_size above the queue's", 65536, 1 << 20, 65536},
		{"a queue that takes more than SQS", 2 << 20, 0, 1 << 20},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := startFake(t)
			f.shrink(c.queue)
			for extra, want := range map[int64]status.Class{0: status.Success, 1: status.Permanent} {
				s := newSink(t, sqs.Config{Cloud: cloud.Config{Endpoint: f.URL}, Format: sized(c.limit - attributes + extra), MaxSize: c.maxSize})
				o := s.Deliver(t.Context(), e)
				if o.Class() != want || o.Err != nil && condition(o) != status.SinkTooBig {
					t.Errorf("%d octets more: %+v", extra, o)
				}
			}
			if n := len(f.sent()); n != 1 || int64(len(f.sent()[0].Body))+attributes != c.limit {
				t.Errorf("%d messages", n)
			}
		})
	}
}

func TestStartNeitherFailsNorWaits(t *testing.T) {
	f := startFake(t)
	end, asked := make(chan struct{}), make(chan struct{}, 100)
	f.set(func(_ http.ResponseWriter, target string, _ request) bool {
		if target == "GetQueueAttributes" {
			asked <- struct{}{}
			<-end
		}
		return false
	})
	log := newLearning()
	s := newSink(t, sqs.Config{Cloud: cloud.Config{Endpoint: f.URL, Log: slog.New(log)}})
	s.Start()
	<-asked
	if n, sure := s.Limit(); n != sqs.Assumed || sure {
		t.Errorf("limit %d, sure %v", n, sure)
	}
	if o := s.Deliver(t.Context(), sinktest.NewEvent(100)); o.Err != nil {
		t.Errorf("a small message waits for the maximum: %v", o.Err)
	}
	close(end)
	log.await(t, s, 1<<20)

	dead := newSink(t, sqs.Config{Cloud: cloud.Config{Endpoint: "http://" + unused(t)}})
	dead.Start()
	dead.Close() // ends although the queue never answered
}

// learning is a log that tells when a sink has learnt its queue's maximum.
type learning struct {
	slog.Handler
	known chan struct{}
}

func newLearning() learning {
	return learning{slog.DiscardHandler, make(chan struct{}, 100)}
}

func (l learning) Enabled(context.Context, slog.Level) bool { return true }

func (l learning) WithAttrs([]slog.Attr) slog.Handler { return l }

func (l learning) Handle(_ context.Context, r slog.Record) error {
	if r.Message == "the queue's maximum is known" {
		l.known <- struct{}{}
	}
	return nil
}

// await waits until the sink knows the queue's maximum.
func (l learning) await(t *testing.T, s *sqs.Sink, want int64) {
	t.Helper()
	select {
	case <-l.known:
	case <-time.After(time.Minute):
		t.Fatal("the maximum is not known")
	}
	if n, sure := s.Limit(); n != want || !sure {
		t.Errorf("limit %d, sure %v", n, sure)
	}
}

func TestTheQueueIsAskedAgainUntilItAnswers(t *testing.T) {
	f := startFake(t)
	n := 0
	f.set(func(w http.ResponseWriter, _ string, _ request) bool {
		if n++; n == 1 {
			refuse(w, 503, "ServiceUnavailable")
		}
		return n == 1
	})
	log := newLearning()
	s := newSink(t, sqs.Config{Cloud: cloud.Config{Endpoint: f.URL, Log: slog.New(log)}})
	s.Start()
	log.await(t, s, 1<<20)
}

func denyAttributes(w http.ResponseWriter, target string, _ request) bool {
	if target == "GetQueueAttributes" {
		refuse(w, 400, "AccessDeniedException")
	}
	return target == "GetQueueAttributes"
}

// TestNobodysMailIsRefusedOnAGuess: what is larger than what every queue takes needs the
// queue's own word, or max_size, before it is refused for good.
func TestNobodysMailIsRefusedOnAGuess(t *testing.T) {
	f := startFake(t)
	f.set(denyAttributes)
	o := newSink(t, sqs.Config{Cloud: cloud.Config{Endpoint: f.URL}, Format: sized(300 << 10)}).Deliver(t.Context(), sinktest.NewEvent(10))
	if condition(o) != status.SinkOperator || o.Attempts != 0 || !strings.Contains(o.Detail, "AccessDeniedException") {
		t.Errorf("%+v", o)
	}
	o = newSink(t, sqs.Config{Cloud: cloud.Config{Endpoint: f.URL}, Format: sized(100 << 10)}).Deliver(t.Context(), sinktest.NewEvent(10))
	if o.Err != nil {
		t.Errorf("a message that every queue takes: %v", o.Err)
	}
	o = newSink(t, sqs.Config{Cloud: cloud.Config{Endpoint: f.URL}, Format: sized(300 << 10), MaxSize: 1 << 20}).Deliver(t.Context(), sinktest.NewEvent(10))
	if o.Err != nil {
		t.Errorf("max_size is known: %v", o.Err)
	}
	o = newSink(t, sqs.Config{Cloud: cloud.Config{Endpoint: f.URL}, Format: sized(300 << 10), Overflow: &shelf{}}).Deliver(t.Context(), sinktest.NewEvent(10))
	if o.Err != nil || f.sent()[2].Attributes[sqs.AttributeExtended].StringValue != "307200" {
		t.Errorf("the overflow takes it: %v", o.Err)
	}
	o = newSink(t, sqs.Config{Cloud: cloud.Config{Endpoint: "http://" + unused(t)}, Format: sized(300 << 10)}).Deliver(t.Context(), sinktest.NewEvent(10))
	if condition(o) != status.SinkUnavailable {
		t.Errorf("a dead queue: %+v", o)
	}
}

func TestALoweredMaximumIsLearntFromARefusal(t *testing.T) {
	f := startFake(t)
	over := &shelf{}
	with := newSink(t, sqs.Config{Cloud: cloud.Config{Endpoint: f.URL}, Format: sized(100 << 10), Overflow: over})
	without := newSink(t, sqs.Config{Cloud: cloud.Config{Endpoint: f.URL}, Format: sized(100 << 10)})
	for _, s := range []*sqs.Sink{with, without} {
		if err := s.Check(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	f.shrink(64 << 10)
	if o := with.Deliver(t.Context(), sinktest.NewEvent(10)); o.Err != nil || o.Attempts != 1 || len(over.all()) != 1 {
		t.Errorf("%+v, overflow %d", o, len(over.all()))
	}
	if o := without.Deliver(t.Context(), sinktest.NewEvent(10)); condition(o) != status.SinkTooBig || o.Attempts != 1 {
		t.Errorf("%+v", o)
	}
	// The same answer to a message that is not too large is the operator's.
	f.refusing(400, "InvalidParameterValue")
	if o := newSink(t, sqs.Config{Cloud: cloud.Config{Endpoint: f.URL}, Format: sized(10)}).Deliver(t.Context(), sinktest.NewEvent(10)); condition(o) != status.SinkOperator || o.Attempts != 1 {
		t.Errorf("%+v", o)
	}
}

func TestAQueueTooSmallForAnyMessageIsTheOperators(t *testing.T) {
	f := startFake(t)
	f.shrink(1 << 10)
	e := sinktest.NewEvent(10)
	for _, over := range []sqs.Overflow{nil, &shelf{}} {
		s := newSink(t, sqs.Config{Cloud: cloud.Config{Endpoint: f.URL}, Overflow: over, MaxSize: attributesOf(t, e)})
		if o := s.Deliver(t.Context(), e); condition(o) != status.SinkOperator || o.Attempts != 0 {
			t.Errorf("%+v", o)
		}
	}
}

func TestCheckTellsWhatIsWrong(t *testing.T) {
	f := startFake(t)
	s := newSink(t, sqs.Config{Cloud: cloud.Config{Endpoint: f.URL}})
	if err := s.Check(t.Context()); err != nil {
		t.Error(err)
	}
	f.set(denyAttributes)
	if err := s.Check(t.Context()); status.ConditionOf(err) != status.SinkOperator {
		t.Error(err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Check(ended); status.ConditionOf(err) != status.BudgetExceeded {
		t.Error(err)
	}
}
