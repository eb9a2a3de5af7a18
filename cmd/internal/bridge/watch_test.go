package bridge

import (
	"errors"
	"testing"

	"mxhook/cmd/internal/control"
	"mxhook/inbound/status"
	"mxhook/sinks/sinktest"
	"mxhook/sinks/spool"
)

func TestAnEventThatTheSpoolTookIsDone(t *testing.T) {
	for _, c := range []struct {
		name string
		next func([]spool.Entry) error
		want control.Outcome
		told int
	}{
		{"taken", func([]spool.Entry) error { return nil }, control.Spooled, 2},
		{"full", func([]spool.Entry) error { return status.NoStorage.Wrap("spool", errors.New("full")) }, control.Deferred, 2},
		{"no spool", nil, "", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := &stored{}
			err := s.spooled(c.next)([]spool.Entry{{Event: sinktest.NewEvent(10, "a@in.example"), Sink: "app"}, {Event: sinktest.NewEvent(10, "b@in.example"), Sink: "more"}})
			if (err == nil) != (c.want == control.Spooled) || err != nil && status.ConditionOf(err) != status.NoStorage {
				t.Errorf("%v", err)
			}
			got := s.outcomes()
			if len(got) != c.told {
				t.Fatalf("%+v", got)
			}
			for _, e := range got {
				if e.Outcome != c.want || e.Outcome.Done() != (err == nil) || len(e.Recipients) != 1 || e.Reply != status.ReplyOf(err).String() {
					t.Errorf("%+v", e)
				}
			}
		})
	}
}
