package recent

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"mxhook/inbound/status"
	"mxhook/sinks"
)

// add puts the n-th message in, as one that was delivered.
func add(s *Store, n int) *Entry {
	e := s.Add(message(n))
	e.Answered(nil, status.Delivered.Reply(), "", time.Millisecond, time.Time{})
	return e
}

func message(n int) Message {
	return Message{ID: fmt.Sprintf("t%06d", n), Received: true, ReversePath: fmt.Sprintf("sender%d@sender.example", n), Subject: fmt.Sprintf("Subject %d", n),
		MessageID: fmt.Sprintf("<%d@sender.example>", n), Recipients: []Recipient{{Address: fmt.Sprintf("Box%d@in.example", n)}}, Verdicts: &Verdicts{}}
}

func ids(list []Row) (ids []string) {
	for _, r := range list {
		ids = append(ids, r.ID)
	}
	return ids
}

func event(id string) *sinks.Event { return &sinks.Event{ID: id, Route: "tickets"} }

func failed(c *status.Condition, detail string) sinks.Outcome {
	return sinks.Outcome{Err: c.Wrap("sink app", nil), Attempts: 1, Detail: detail}
}

func TestTheOldestGoesFirst(t *testing.T) {
	s := New(Limits{Messages: 100, Refusals: 10})
	for n := range 1000 {
		e := add(s, n)
		e.Began(event(fmt.Sprintf("msg_%d", n)), "app", false, false)
	}
	messages, _, _ := s.Len()
	list, more := s.List(Query{Limit: 100})
	if messages != 100 || len(list) != 100 || more || list[0].ID != "t000999" || list[99].ID != "t000900" {
		t.Fatalf("%d messages, %d listed, more %v", messages, len(list), more)
	}
	if len(s.byID) != 100 || len(s.byEvent) != 100 {
		t.Errorf("%d ids and %d events are left in the index", len(s.byID), len(s.byEvent))
	}
	if _, ok := s.Get("t000899"); ok {
		t.Error("a message that left can still be had")
	}
}

func TestRefusalsDoNotDriveMessagesOut(t *testing.T) {
	s := New(Limits{Messages: 10, Refusals: 5})
	for n := range 10 {
		add(s, n)
	}
	for n := range 10_000 {
		s.Add(Message{ID: fmt.Sprint("r", n)}).Answered(status.UnknownRecipient.Wrap("", nil), status.UnknownRecipient.Reply(), "", 0, time.Time{})
	}
	if messages, refusals, _ := s.Len(); messages != 10 || refusals != 5 {
		t.Errorf("%d messages, %d refusals", messages, refusals)
	}
	list, _ := s.List(Query{Limit: 100, Outcome: Refused})
	if len(list) != 5 || list[0].ID != "r9999" {
		t.Errorf("%v", ids(list))
	}
}

func TestOctetsAreBounded(t *testing.T) {
	const bound = 200 << 10
	s := New(Limits{Octets: bound})
	for n := range 2000 {
		m := message(n)
		m.Subject = strings.Repeat("x", 300)
		e := s.Add(m)
		for k := range 3 {
			ev := event(fmt.Sprintf("msg_%d_%d", n, k))
			e.Began(ev, "app", false, false)
			e.Ended(ev, "app", failed(status.SinkTimeout, strings.Repeat("y", 1000)), false, false)
		}
		if _, _, octets := s.Len(); octets > bound {
			t.Fatalf("%d octets after %d messages", octets, n)
		}
	}
	var sum int64
	for i := range s.messages.len() {
		sum += s.messages.at(i).octets
	}
	messages, _, octets := s.Len()
	if sum != octets || messages < 10 || messages > 300 {
		t.Errorf("%d messages of %d octets, counted as %d", messages, sum, octets)
	}
}

func TestSearchFindsAddressIdAndSubjectInAnyCase(t *testing.T) {
	s := New(Limits{})
	for n := range 1000 {
		add(s, n).Began(event(fmt.Sprintf("msg_abc%d", n)), "app", false, false)
	}
	for text, want := range map[string]string{
		"box77@IN.example": "t000077", "sender78@": "t000078", "<79@sender.example>": "t000079",
		"msg_abc80": "t000080", "T000081": "t000081", " subject 82 ": "t000082",
	} {
		list, _ := s.List(Query{Text: text, Limit: 50})
		if len(list) == 0 || list[len(list)-1].ID != want {
			t.Errorf("%q finds %v, want %s at the end", text, ids(list), want)
		}
	}
	if list, more := s.List(Query{Text: "nobody@", Limit: 50}); len(list) > 0 || more {
		t.Errorf("found %v", ids(list))
	}
}

func TestPagesMeetWhileMailComes(t *testing.T) {
	s := New(Limits{})
	for n := range 250 {
		add(s, n)
	}
	seen := map[string]int{}
	before, pages := uint64(0), 0
	for {
		list, more := s.List(Query{Before: before, Limit: 40})
		for _, r := range list {
			seen[r.ID]++
			before = r.Seq
		}
		pages++
		add(s, 1000+pages)
		if !more {
			break
		}
	}
	if len(seen) != 250 || pages != 7 {
		t.Errorf("%d messages on %d pages", len(seen), pages)
	}
}

func TestOutcomesFollowTheEvents(t *testing.T) {
	s := New(Limits{})
	e := s.Add(message(1))
	want := func(o Outcome) {
		t.Helper()
		if m, _ := s.Get("t000001"); m.Outcome != o {
			t.Fatalf("%s, want %s", m.Outcome, o)
		}
	}
	want(Running)
	ev := event("msg_1")
	e.Began(ev, "app", false, true)
	e.Ended(ev, "app", sinks.Outcome{}, true, false)
	e.Answered(nil, status.Delivered.Reply(), "", time.Second, time.Time{})
	want(Waiting)
	s.Attempt(sinks.Attempt{Sink: "app", Event: "msg_1", Condition: status.SinkBusy, Took: time.Second, Detail: "HTTP 503"})
	s.Spooled("msg_1", "app", EventWaiting, failed(status.SinkBusy, "HTTP 503"), time.Now().Add(time.Minute))
	want(Waiting)
	s.Spooled("msg_1", "app", EventDead, failed(status.SinkRefused, "HTTP 406"), time.Time{})
	want(Dead)
	s.Spooled("msg_1", "app", EventWaiting, sinks.Outcome{}, time.Now())
	want(Waiting)
	s.Attempt(sinks.Attempt{Sink: "app", Event: "msg_1", Condition: status.Delivered, Detail: "HTTP 200"})
	s.Spooled("msg_1", "app", EventDelivered, sinks.Outcome{Attempts: 3, Detail: "HTTP 200"}, time.Time{})
	want(Delivered)
	m, _ := s.Get("t000001")
	if x := m.Events[0]; len(x.Attempts) != 2 || x.Attempts[0].Detail != "HTTP 503" || x.Attempts[1].Class != status.Success || x.Tries != 3 || !x.Spooled {
		t.Errorf("%+v", x)
	}
}

func TestALateYesIsToldOfADeferredMessage(t *testing.T) {
	s := New(Limits{})
	e := s.Add(message(1))
	ev := event("msg_1")
	e.Began(ev, "app", false, false)
	e.Answered(status.BudgetExceeded.Wrap("", nil), status.BudgetExceeded.Reply(), "", time.Second, time.Time{})
	e.Ended(ev, "app", sinks.Outcome{Attempts: 1, Detail: "HTTP 200"}, false, true)
	m, _ := s.Get("t000001")
	if m.Outcome != Deferred || m.Events[0].State != EventDelivered || !m.Events[0].Late {
		t.Errorf("%s %+v", m.Outcome, m.Events[0])
	}
}

func TestOneMessageIsBounded(t *testing.T) {
	s := New(Limits{})
	m := message(1)
	for n := range 1000 {
		m.Recipients = append(m.Recipients, Recipient{Address: fmt.Sprint("r", n)})
	}
	e := s.Add(m)
	for n := range 1000 {
		e.Began(event(fmt.Sprint("msg_", n)), "app", false, false)
	}
	for range 1000 {
		s.Attempt(sinks.Attempt{Sink: "app", Event: "msg_5", Condition: status.SinkBusy})
	}
	got, _ := s.Get("t000001")
	if len(got.Recipients) != MaxRecipients || got.MoreRcpt != 901 || len(got.Events) != maxEvents || got.MoreEvents != 800 ||
		len(got.Events[5].Attempts) != maxAttempts || got.Events[5].Tries != 1000 {
		t.Errorf("%d+%d recipients, %d+%d events, %d attempts of %d", len(got.Recipients), got.MoreRcpt, len(got.Events), got.MoreEvents, len(got.Events[5].Attempts), got.Events[5].Tries)
	}
}

func TestNothingIsDoneWithoutAStore(t *testing.T) {
	var s *Store
	e := s.Add(message(1))
	e.Answered(nil, status.Delivered.Reply(), "", 0, time.Time{})
	e.Began(event("msg_1"), "app", false, false)
	e.Ended(event("msg_1"), "app", sinks.Outcome{}, false, false)
	e.Buried(event("msg_1"), "app")
	e.Known("app", 1)
	e.Routed(nil, 0)
	s.Attempt(sinks.Attempt{Condition: status.Delivered})
	s.Spooled("msg_1", "app", EventDead, sinks.Outcome{}, time.Time{})
	s.RouteTook("x", false)
	if list, more := s.List(Query{Limit: 1}); list != nil || more {
		t.Error("there is something")
	}
}

func TestReadersAndWritersMayBeMany(t *testing.T) {
	s := New(Limits{Messages: 50, Octets: 100 << 10})
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for n := range 200 {
				e := add(s, w*1000+n)
				ev := event(fmt.Sprintf("msg_%d_%d", w, n))
				e.Began(ev, "app", false, false)
				s.Attempt(sinks.Attempt{Sink: "app", Event: ev.ID, Condition: status.Delivered})
				e.Ended(ev, "app", sinks.Outcome{}, false, false)
			}
		})
		wg.Go(func() {
			for range 200 {
				list, _ := s.List(Query{Text: "sender", Limit: 20})
				for _, r := range list {
					s.Get(r.ID)
				}
				s.Counts()
			}
		})
	}
	wg.Wait()
	if sinks, _ := s.Counts(); sinks["app"].Accepted != 800 {
		t.Errorf("%d accepted", sinks["app"].Accepted)
	}
}

func TestCleanLeavesNothingThatDisturbs(t *testing.T) {
	for in, want := range map[string]string{
		"plain":                          "plain",
		"a\r\nb\tc\u00a0d":               "a  b c d",
		"\u202egpj.exe":                  "\ufffdgpj.exe",
		"x\u2066y\u2069z":                "x\ufffdy\ufffdz",
		"nul\x00esc\x1b[31m\u0085":       "nul\ufffdesc\ufffd[31m\ufffd",
		"bad\xff\xfe":                    "bad\ufffd\ufffd",
		"soft\u00adhy\ufeff":             "softhy",
		"\u05e9\u05dc\u05d5\u05dd\u200f": "\u05e9\u05dc\u05d5\u05dd",
		strings.Repeat("ä", 50):          strings.Repeat("ä", 40) + "…",
	} {
		if got := Clean(in, 40); got != want {
			t.Errorf("%q becomes %q, want %q", in, got, want)
		}
	}
}

func BenchmarkAMessage(b *testing.B) {
	s := New(Limits{})
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		e := s.Add(message(n))
		ev := event(fmt.Sprintf("msg_%026d", n))
		e.Began(ev, "app", false, false)
		s.Attempt(sinks.Attempt{Sink: "app", Event: ev.ID, Condition: status.Delivered, Detail: "HTTP 200"})
		e.Ended(ev, "app", sinks.Outcome{Attempts: 1, Detail: "HTTP 200"}, false, false)
		e.Answered(nil, status.Delivered.Reply(), "", time.Millisecond, time.Time{})
	}
}

func BenchmarkSearchThatFindsNothing(b *testing.B) {
	s := New(Limits{})
	for n := range 10_000 {
		add(s, n)
	}
	b.ReportAllocs()
	for b.Loop() {
		s.List(Query{Text: "nobody@nowhere.example", Limit: 50})
	}
}
