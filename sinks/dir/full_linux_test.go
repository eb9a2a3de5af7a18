package dir_test

import (
	"context"
	"strings"
	"syscall"
	"testing"

	"mxhook/inbound/status"
	"mxhook/sinks/sinktest"
)

// TestAFullDisk needs the right to mount a small file system, which CI has.
func TestAFullDisk(t *testing.T) {
	path := t.TempDir()
	if err := syscall.Mount("tmpfs", path, "tmpfs", 0, "size=64k"); err != nil {
		t.Skipf("no right to mount a tmpfs: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(path, 0); err != nil {
			t.Error(err)
		}
	})
	s := newSink(t, path, nil)
	o := s.Deliver(context.Background(), sinktest.NewEvent(200<<10))
	if status.ConditionOf(o.Err) != status.NoStorage || !strings.HasPrefix(status.ReplyOf(o.Err).String(), "452 4.3.1") || o.Detail != "no space left on device" {
		t.Errorf("%+v", o)
	}
	if names := list(t, path); len(names) != 0 {
		t.Errorf("a half event is left: %v", names)
	}
	if o := s.Deliver(context.Background(), sinktest.NewEvent(100)); o.Err != nil {
		t.Errorf("what fits is refused afterwards: %v", o.Err)
	}
	if err := syscall.Mount("", path, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	if o := s.Deliver(context.Background(), sinktest.NewEvent(100)); status.ConditionOf(o.Err) != status.NoStorage {
		t.Errorf("read-only: %+v", o)
	}
}
