package bridge

import (
	"testing"

	"mxhook/cmd/internal/control"
	"mxhook/inbound/status"
	"mxhook/sinks"
	"mxhook/sinks/sinktest"
)

func TestAnEventThatTheSpoolTookIsDone(t *testing.T) {
	for _, c := range []struct {
		name    string
		err     error
		spooled bool
		want    control.Outcome
	}{
		{"taken", nil, true, control.Spooled},
		{"full", status.NoStorage.Wrap("spool", nil), true, control.Deferred},
		{"delivered", nil, false, control.Delivered},
		{"refused", status.SinkRefused.Wrap("sink app", nil), false, control.Refused},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := &stored{}
			e, other := sinktest.NewEvent(10, "a@in.example"), sinktest.NewEvent(10, "b@in.example")
			s.Began(e, "app", false, c.spooled)
			s.Began(e, "more", true, false)
			s.Began(other, "app", false, false)
			s.Ended(e, "app", sinks.Outcome{Err: c.err, Attempts: 2, Detail: "said"}, c.spooled, false)
			for _, got := range s.outcomes() {
				if got.ID != e.ID || got.Sink != "app" {
					if got.Outcome != control.Running || got.Optional != (got.Sink == "more") {
						t.Errorf("another event: %+v", got)
					}
					continue
				}
				if got.Outcome != c.want || got.Outcome.Done() != (c.err == nil) || len(got.Recipients) != 1 || got.Reply != status.ReplyOf(c.err).String() || got.Attempts != 2 {
					t.Errorf("%+v", got)
				}
			}
		})
	}
}
