package bridge

import (
	"strings"
	"testing"

	"mxhook/cmd/internal/recent"
	"mxhook/cmd/internal/worker/workertest"
	"mxhook/inbound/status"
)

func TestThePageHasWhatASourceTakesItsEnvelopeVerdictsAndAttempts(t *testing.T) {
	f := newFar(t, pageConfig)
	defer f.stop()
	e := queuedEvent(7)
	m := workertest.MessageOf(t, e)
	m.ID, m.Receives = "queue-1", 2
	f.handle(m)
	got := f.last()
	if got.Outcome != recent.Delivered || got.Source != "jobs" || got.Queued != "queue-1" || got.Receives != 2 || !got.Received || got.Session != e.Session.ID ||
		got.Subject != e.Message.Subject || got.Size != e.Data.Size() || got.Verdicts == nil || got.Reply != "" || got.ID == "" {
		t.Errorf("%+v", got)
	}
	if len(got.Recipients) != 1 || got.Recipients[0].Address != "support+7@in.example" || got.Recipients[0].Routes[0].Route != "tickets" ||
		got.Recipients[0].Routes[0].Then != "delivered to app, optionally to disk" {
		t.Errorf("%+v", got.Recipients)
	}
	settled(t, func() bool { return len(f.last().Events) == 2 })
	for _, x := range f.last().Events {
		if x.Sink == "app" && (x.ID != e.ID || x.State != recent.EventDelivered || len(x.Attempts) != 1 || x.Attempts[0].Class != status.Success) {
			t.Errorf("%+v", x)
		}
	}
	f.handle(m)
	if again := f.last(); again.Seq == got.Seq || again.Outcome != recent.Delivered || len(again.Known) == 0 {
		t.Errorf("given again: %+v", again)
	}
}

func TestThePageSaysWhatBecameOfAQueuedMessage(t *testing.T) {
	f := newFar(t, pageConfig)
	defer f.stop()
	f.answer(503)
	f.handle(workertest.MessageOf(t, queuedEvent(1)))
	if m := f.last(); m.Outcome != recent.Waiting || m.Reason != "HTTP 503" || len(m.Events) == 0 {
		t.Errorf("deferred: %+v", m)
	}
	f.answer(406)
	f.handle(workertest.MessageOf(t, queuedEvent(2)))
	if m := f.last(); m.Outcome != recent.Dead {
		t.Errorf("refused: %+v", m)
	}
	bad := workertest.MessageOf(t, queuedEvent(3))
	bad.Body = "{}"
	f.handle(bad)
	if m := f.last(); m.Outcome != recent.Poison || !strings.Contains(m.Reason, "raw.content is null; give the sqs sink") || m.Class != "" || len(m.Recipients) != 1 {
		t.Errorf("without its bytes: %+v", m)
	}
	bad.Attributes, bad.ID = nil, "a\u202eb"
	f.handle(bad)
	if m := f.last(); m.Outcome != recent.Poison || m.Session != "" || len(m.Recipients) != 0 || m.Queued != "a\ufffdb" || !strings.HasPrefix(m.Reason, "attribute mxhook-event is missing; let sqs sinks") {
		t.Errorf("a stranger's: %+v", m)
	}
	list, _ := f.recent.List(recent.Query{Outcome: recent.Poison, Limit: 10})
	if len(list) != 2 {
		t.Errorf("%d are poison", len(list))
	}
	if o := f.Overview(); len(o.Sources) != 1 || o.Sources[0] != "jobs, sqs jobs" || len(o.Listeners) != 0 {
		t.Errorf("%+v", o)
	}
}
