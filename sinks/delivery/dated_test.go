package delivery_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"mxhook/inbound/status"
	"mxhook/sinks"
	"mxhook/sinks/delivery"
)

// dated is a sink that puts the date into where an event goes.
type dated struct{ *fake }

func (dated) Dated() bool { return true }

func TestADatedSinkKnowsWhenTheFirstTryWas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openShelf(t, true)
		var began []time.Time
		fails := true
		sink := dated{&fake{name: "archive", deliver: func(_ context.Context, e *sinks.Event) sinks.Outcome {
			began = append(began, e.Began())
			if fails {
				return sinks.Outcome{Err: status.SinkBusy.Wrap("sink archive", nil), Detail: "busy", Attempts: 1}
			}
			return sinks.Outcome{Attempts: 1}
		}}}
		try := func(s *shelf) {
			m, to := mail("ann@in.example")
			defer m.Data.Release()
			m.Provable, m.ReceivedAt = true, time.Now().UTC()
			s.Deliver(context.Background(), m, []delivery.Order{{Route: "now", Recipients: to, Required: []sinks.Sink{sink}, Deduplicate: true}})
		}
		for range 3 {
			try(s)
			time.Sleep(20 * time.Hour) // over midnight, at least once
		}
		s.close(t)
		again := openShelfOn(t, s.disk)
		fails = false
		try(again)
		again.close(t)
		for _, b := range began {
			if len(began) != 4 || !b.Equal(began[0]) {
				t.Errorf("%v", began)
			}
		}
	})
}

func TestRecipientsOfOneDomainGoIntoOneEvent(t *testing.T) {
	m, to := mail("ann@b.example", "bob@a.example", "eve@B.example", "ann@a.example")
	defer m.Data.Release()
	var r recorder
	d := delivery.New(delivery.Config{Budget: budget})
	d.Deliver(context.Background(), m, []delivery.Order{{Route: "now", Recipients: to, Required: []sinks.Sink{r.sink("archive", sinks.FanOutDomain)}}})
	want := []string{"now/ann@b.example,eve@B.example", "now/bob@a.example,ann@a.example"}
	if got := r.units("archive"); !slices.Equal(got, want) {
		t.Errorf("%v", got)
	}
}
