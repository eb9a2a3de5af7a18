package dir_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"mxhook/inbound/status"
	"mxhook/sinks"
	"mxhook/sinks/dir"
)

var _ sinks.Checker = (*dir.Sink)(nil)

func TestCheckWritesAndLeavesNothing(t *testing.T) {
	parent := t.TempDir()
	file := filepath.Join(parent, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]*status.Condition{parent: nil, filepath.Join(parent, "new"): nil, file: status.SinkOperator} {
		s, err := dir.New(dir.Config{Name: "disk", Path: path})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Check(t.Context()); (err == nil) != (want == nil) || err != nil && status.ConditionOf(err) != want {
			t.Errorf("%s: %v", path, err)
		}
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		if err := s.Check(ended); status.ConditionOf(err) != status.BudgetExceeded {
			t.Errorf("after the end: %v", err)
		}
	}
	if left, err := os.ReadDir(parent); err != nil || len(left) != 1 {
		t.Errorf("left: %v, %v", left, err)
	}
}
