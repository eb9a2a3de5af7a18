package spool_test

import (
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"mxhook/inbound/status"
	"mxhook/sinks"
	"mxhook/sinks/sinktest"
	"mxhook/sinks/spool"
)

func TestAnEventIsMadeAgainFromItsFiles(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "state"), spool.Options{})
	e := sinktest.NewEvent(500, "ann+7@in.example")
	if err := s.Put([]spool.Entry{{Event: e, Sink: "app"}}); err != nil {
		t.Fatal(err)
	}
	if err := s.Bury(e, "other", sinks.Outcome{Err: status.SinkRefused.Wrap("", nil)}); err != nil {
		t.Fatal(err)
	}
	for _, sink := range []string{"app", "other"} {
		got, err := s.Event(e.ID + "." + sink)
		if err != nil {
			t.Fatal(err)
		}
		if got.ID != e.ID || got.Message.Subject != e.Message.Subject || got.Data.SHA256() != e.Data.SHA256() {
			t.Errorf("%s: %+v", sink, got)
		}
		got.Data.Release()
	}
	if _, err := s.Event(e.ID + ".nobody"); err == nil {
		t.Error("an event that is not there")
	}
}

func TestChangesAreTold(t *testing.T) {
	var mu sync.Mutex
	var told []spool.State
	s := open(t, filepath.Join(t.TempDir(), "state"), spool.Options{Changed: func(c spool.Change) {
		mu.Lock()
		defer mu.Unlock()
		told = append(told, c.State)
	}})
	e := sinktest.NewEvent(500, "ann+7@in.example")
	id := e.ID + ".app"
	if err := s.Bury(e, "app", sinks.Outcome{Err: status.SinkRefused.Wrap("", nil)}); err != nil {
		t.Fatal(err)
	}
	for _, do := range []func([]string) error{s.Replay, s.Drop} {
		if err := do([]string{id}); err != nil {
			t.Fatal(err)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	if want := []spool.State{spool.Waiting, spool.Dropped}; !slices.Equal(told, want) {
		t.Errorf("%v, want %v", told, want)
	}
}
