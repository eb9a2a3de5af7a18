package sinktest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http/httptrace"
	"slices"
	"strings"
	"sync"
	"testing"

	"mxhook/inbound/status"
	"mxhook/sinks"
)

// Mood is how a destination behaves.
type Mood string

// The moods.
const (
	Takes   Mood = "takes"    // says yes
	Later   Mood = "later"    // fails in a way that mends itself
	Never   Mood = "never"    // refuses for good
	TooBig  Mood = "too big"  // refuses because of the size
	Hangs   Mood = "hangs"    // takes the event and says nothing until Release
	Dead    Mood = "dead"     // is not there, or can't be used
	Garbage Mood = "garbage"  // says something that means nothing
	Operate Mood = "operator" // wants its configuration put right
)

var moods = []Mood{Takes, Later, Never, TooBig, Hangs, Dead, Garbage, Operate}

// Destination is a sink with the place to which it delivers.
type Destination struct {
	Sink sinks.Sink
	// Stored returns the ids of the events that the destination durably has, with
	// their copies.
	Stored func() map[string]int
	// Release lets a hanging destination say yes. Only for Hangs, and only for sinks
	// that send by net/http, which tells when a request is written.
	Release func()
	// Secrets must never be seen in an error, a detail or a log: passwords, keys,
	// parts of URLs, paths.
	Secrets []string
}

// Maker makes a fresh destination of a mood whose sink logs to log. It returns a
// Destination without a Sink when the sink can't meet such a mood.
type Maker func(t *testing.T, mood Mood, log *slog.Logger) Destination

// trial is one destination under test.
type trial struct {
	Destination
	log *lockedBuffer
}

// Run checks the contract of sinks.Sink.
func Run(t *testing.T, maker Maker) {
	for _, mood := range moods {
		t.Run(string(mood), func(t *testing.T) { tell(t, begin(t, maker, mood), mood) })
	}
	t.Run("cancelled before it begins", func(t *testing.T) { cancelled(t, begin(t, maker, Takes)) })
	t.Run("a large event", func(t *testing.T) { large(t, begin(t, maker, Takes)) })
	t.Run("the same event twice", func(t *testing.T) { twice(t, begin(t, maker, Takes)) })
	t.Run("many at once", func(t *testing.T) { many(t, begin(t, maker, Takes)) })
	t.Run("the event is left as it was", func(t *testing.T) { unchanged(t, begin(t, maker, Takes)) })
}

func begin(t *testing.T, maker Maker, mood Mood) *trial {
	log := &lockedBuffer{}
	d := maker(t, mood, slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	if d.Sink == nil {
		t.Skipf("this sink has no destination that %s", mood)
	}
	if d.Sink.Name() == "" || !slices.Contains([]sinks.FanOut{sinks.FanOutMessage, sinks.FanOutRecipient, sinks.FanOutDomain}, d.Sink.FanOut()) {
		t.Fatalf("name %q, fan-out %q", d.Sink.Name(), d.Sink.FanOut())
	}
	return &trial{d, log}
}

// deliver delivers and checks what holds for every outcome.
func (d *trial) deliver(t *testing.T, ctx context.Context, e *sinks.Event) sinks.Outcome {
	t.Helper()
	o := d.Sink.Deliver(ctx, e)
	seen := fmt.Sprint(o.Err, "\n", o.Detail, "\n", status.ReplyOf(o.Err), "\n", d.log)
	for _, secret := range append([]string{Canary}, d.Secrets...) {
		if strings.Contains(seen, secret) {
			t.Errorf("%q is told:\n%s", secret, seen)
		}
	}
	var s *status.Error
	if o.Err != nil && !errors.As(o.Err, &s) {
		t.Errorf("%v wraps no condition", o.Err)
	}
	if o.Err != nil && o.Detail == "" {
		t.Errorf("%v has no detail", o.Err)
	}
	if o.Err == nil && (o.Attempts < 1 || d.Stored()[e.ID] == 0) {
		t.Errorf("a yes after %d attempts, but the destination has %v", o.Attempts, d.Stored())
	}
	return o
}

func tell(t *testing.T, d *trial, mood Mood) {
	e := NewEvent(100)
	if mood == Hangs {
		late(t, d, e)
		return
	}
	o := d.deliver(t, context.Background(), e)
	want := map[Mood]status.Class{Takes: status.Success, Never: status.Permanent, TooBig: status.Permanent}[mood]
	if want == 0 {
		want = status.Temporary
	}
	c := status.ConditionOf(o.Err)
	switch {
	case o.Class() != want:
		t.Errorf("%s: %v", o.Class(), o.Err)
	case mood == TooBig && c != status.SinkTooBig, mood == Operate && c != status.SinkOperator:
		t.Errorf("%v", o.Err)
	}
}

// late: an attempt that is under way goes on after the budget, and its yes counts.
func late(t *testing.T, d *trial, e *sinks.Event) {
	ctx, cancel := context.WithCancel(context.Background())
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{WroteRequest: func(httptrace.WroteRequestInfo) {
		cancel()
		d.Release()
	}})
	if o := d.deliver(t, ctx, e); o.Err != nil || o.Attempts != 1 || ctx.Err() == nil {
		t.Errorf("a late yes is lost: %+v", o)
	}
}

func cancelled(t *testing.T, d *trial) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	o := d.deliver(t, ctx, NewEvent(100))
	if o.Class() != status.Temporary || o.Attempts != 0 || len(d.Stored()) != 0 {
		t.Errorf("%+v, stored %v", o, d.Stored())
	}
}

func large(t *testing.T, d *trial) {
	if o := d.deliver(t, context.Background(), NewEvent(3<<20)); o.Err != nil {
		t.Error(o.Err)
	}
}

func twice(t *testing.T, d *trial) {
	e := NewEvent(100)
	for range 2 {
		if o := d.deliver(t, context.Background(), e); o.Err != nil {
			t.Error(o.Err)
		}
	}
	if n := len(d.Stored()); n != 1 {
		t.Errorf("one event became %v", d.Stored())
	}
}

func many(t *testing.T, d *trial) {
	var wg sync.WaitGroup
	const events, copies = 8, 3
	for i := range events * copies {
		wg.Go(func() {
			if o := d.deliver(t, context.Background(), NewEvent(10<<10, fmt.Sprintf("user%d@in.example", i%events))); o.Err != nil {
				t.Error(o.Err)
			}
		})
	}
	wg.Wait()
	if n := len(d.Stored()); n != events {
		t.Errorf("%d events became %d", events, n)
	}
}

func unchanged(t *testing.T, d *trial) {
	e := NewEvent(100)
	id, sum := e.ID, e.Data.SHA256()
	if o := d.deliver(t, context.Background(), e); o.Err != nil {
		t.Error(o.Err)
	}
	e.Data.Release() // the sink must have given back whatever it took
	if e.ID != id || e.Data.SHA256() != sum || len(e.Recipients) != 1 {
		t.Error("the event was changed")
	}
	if _, err := e.Data.ReadAt(make([]byte, 1), 0); err == nil {
		t.Error("the sink kept a reference on the bytes")
	}
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}
