package spool_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	"mxhook/inbound/status"
	"mxhook/sinks"
	"mxhook/sinks/sinktest"
	"mxhook/sinks/spool"
)

// TestRefusedRecipientsNeverFillTheSpool: a stranger who sends mail to one recipient who
// takes it and one who doesn't gets rid of his own refused events only.
func TestRefusedRecipientsNeverFillTheSpool(t *testing.T) {
	state := filepath.Join(t.TempDir(), "state")
	limits := spool.Limits{MaxBytes: 400_000}
	messages := 0
	refuse := func(s *spool.Spool, sink string) string {
		e := sinktest.NewEvent(20_000, "strict@in.example")
		messages++
		e.ID = fmt.Sprintf("msg_%d", messages)
		o := sinks.Outcome{Err: status.ConditionsNotMet.Wrap("route", nil)}
		if err := s.Bury(e, sink, o); err != nil {
			t.Fatal(err)
		}
		return e.ID + "." + sink
	}
	s := open(t, state, spool.Options{Limits: limits})
	kept := refuse(s, "app") // by a sink: it stays
	var ids []string
	for range 30 {
		ids = append(ids, refuse(s, "~conditions_not_met"))
	}
	check := func(s *spool.Spool, last []string) {
		t.Helper()
		var left []string
		for _, i := range s.List() {
			left = append(left, i.ID)
		}
		slices.Sort(left)
		want := append(slices.Clone(last), kept)
		slices.Sort(want)
		if !slices.Equal(left, want) {
			t.Errorf("kept %v, want %v", left, want)
		}
		if _, _, octets := s.Stats(); octets > limits.MaxBytes/4+50_000 {
			t.Errorf("%d octets", octets)
		}
		if err := s.Usable(); err != nil {
			t.Error(err)
		}
	}
	check(s, ids[26:])

	if err := s.Drop([]string{ids[28]}); err != nil { // there is room for one again
		t.Fatal(err)
	}
	next := refuse(s, "~conditions_not_met")
	check(s, []string{ids[26], ids[27], ids[29], next})

	s.Close()
	s = open(t, state, spool.Options{Limits: limits})
	check(s, []string{ids[26], ids[27], ids[29], next})
	last := refuse(s, "~conditions_not_met")
	check(s, []string{ids[27], ids[29], next, last})
}
