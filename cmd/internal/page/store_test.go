package page_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"mxhook/cmd/internal/control"
	"mxhook/cmd/internal/page"
	"mxhook/cmd/internal/recent"
	"mxhook/inbound/status"
	"mxhook/sinks"
	"mxhook/sinks/spool"
)

// still is a bridge that has nothing in its spool.
type still struct{ control.Operations }

func (still) List(context.Context, control.Filter, func(spool.Item) error) error { return nil }
func (still) Event(string) (*sinks.Event, error)                                 { return nil, control.NotFound("x") }
func (still) Status() page.Status                                                { return page.Status{Hostname: "mx.in.example"} }
func (still) Overview() page.Overview                                            { return page.Overview{} }

// fill puts messages into a store, numbered from first, as large as they usually are.
func fill(s *recent.Store, first, n int) {
	for i := first; i < first+n; i++ {
		e := s.Add(recent.Message{
			ID: fmt.Sprintf("t%08d", i), Received: true, Session: "abcdefghijklmnopqrstuvwxyz", Listener: ":25", RemoteIP: "192.0.2.1", HELO: "mail.sender.example",
			ReversePath: fmt.Sprintf("bounce+%d@sender.example", i), From: "Ann Example <ann@sender.example>", Subject: fmt.Sprintf("About the order %d of last week", i),
			MessageID: fmt.Sprintf("<%d.4711.abcdef@mail.sender.example>", i), Size: 12345, Class: "normal",
			Recipients: []recent.Recipient{{Address: fmt.Sprintf("support+%d@in.example", i), Routes: []recent.Taken{{Route: "tickets", Why: fmt.Sprintf("its pattern support+{ticket}@in.example matches, ticket=%d", i), Then: "delivered to app"}}}},
			Verdicts: &recent.Verdicts{FromVerified: true, By: "dkim", Reason: "DMARC passes for sender.example by DKIM",
				SPF: recent.Verdict{Result: "pass", Domain: "sender.example"}, DKIM: []recent.Verdict{{Result: "pass", Domain: "sender.example", Aligned: true}}, DMARC: recent.Verdict{Result: "pass", Domain: "sender.example", Policy: "reject"}},
		})
		ev := &sinks.Event{ID: fmt.Sprintf("msg_%026d", i), Route: "tickets", Recipients: make([]sinks.Recipient, 1)}
		for _, sink := range []string{"app", "archive"} {
			e.Began(ev, sink, false, false)
			s.Attempt(sinks.Attempt{Sink: sink, Event: ev.ID, Condition: status.Delivered, Detail: "HTTP 200", Took: time.Millisecond})
			e.Ended(ev, sink, sinks.Outcome{Attempts: 1, Detail: "HTTP 200"}, false, false)
		}
		e.Answered(nil, status.Delivered.Reply(), "", time.Millisecond, time.Time{})
	}
}

func TestThePagesWorkDoesNotGrowWithTheStore(t *testing.T) {
	var pages [2]*page.Page
	for i, messages := range []int{500, 5000} {
		s := recent.New(recent.Limits{})
		fill(s, 0, messages)
		pages[i] = page.New(page.Config{Recent: s, Bridge: still{}})
	}
	for _, path := range []string{"/", "/messages/t00000300", "/?q=support%2B300@in.example", "/?before=400", "/sinks"} {
		var allocations [2]float64
		for i, p := range pages {
			allocations[i] = testing.AllocsPerRun(2, func() {
				w := httptest.NewRecorder()
				p.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
				if w.Code != 200 {
					t.Fatal(w.Code)
				}
			})
		}
		if allocations[1] > allocations[0]*1.2+50 {
			t.Errorf("%s: %.0f allocations with 500 messages, %.0f with 5,000", path, allocations[0], allocations[1])
		}
	}
}

func TestMemoryIsFlatOverManyMessages(t *testing.T) {
	heap := func() uint64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	s := recent.New(recent.Limits{})
	before := heap()
	fill(s, 0, 10_000)
	full := heap()
	messages, _, octets := s.Len()
	t.Logf("%d messages take %.1f MiB of the heap and count as %.1f MiB", messages, float64(full-before)/(1<<20), float64(octets)/(1<<20))
	if messages < 8_000 || full-before > 48<<20 {
		t.Errorf("%d messages take %d octets", messages, full-before)
	}
	fill(s, 10_000, 10_000)
	if after := heap(); after > full+full/4 {
		t.Errorf("the heap grew from %d to %d octets", full, after)
	}
	runtime.KeepAlive(s)
}

// BenchmarkFirstByte is the time to the first octet of a page, of 10,000 messages: it
// comes when all is made.
func BenchmarkFirstByte(b *testing.B) {
	s := recent.New(recent.Limits{})
	fill(s, 0, 10_000)
	p := page.New(page.Config{Recent: s, Bridge: still{}})
	for name, path := range map[string]string{"list": "/", "message": "/messages/t00009000", "found": "/?q=support%2B9", "not-found": "/?q=nobody@nowhere.example"} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				w := httptest.NewRecorder()
				p.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
				if w.Code != 200 || !strings.HasPrefix(w.Body.String(), "<!doctype html>") {
					b.Fatal(w.Code)
				}
			}
		})
	}
}

// waiting is a bridge whose spool holds one event.
type waiting struct {
	still
	due time.Time
}

func (w waiting) List(_ context.Context, _ control.Filter, print func(spool.Item) error) error {
	return print(spool.Item{ID: "msg_abcdefghijklmnopqrstuvwxyz.app", State: spool.Waiting, NextAttempt: w.due})
}

// TestAnAttemptThatIsDueIsNotNextInThePast: an open circuit holds it, and a page that says
// "next 9 s ago" explains nothing.
func TestAnAttemptThatIsDueIsNotNextInThePast(t *testing.T) {
	now := time.Now()
	for due, want := range map[time.Time]string{now.Add(-9 * time.Second): ", due: it waits for a free worker or for the circuit", now.Add(time.Minute): ", next <time"} {
		p := page.New(page.Config{Recent: recent.New(recent.Limits{}), Bridge: waiting{due: due}, Now: func() time.Time { return now }})
		w := httptest.NewRecorder()
		p.ServeHTTP(w, httptest.NewRequest("GET", "/spool", nil))
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("no %q in %s", want, w.Body)
		}
	}
}
