package dir_test

import (
	"context"
	"slices"
	"strings"
	"syscall"
	"testing"

	"mxhook/inbound/status"
	"mxhook/sinks/sinktest"
)

// small mounts a file system of 64 KiB, which needs a right that CI has.
func small(t *testing.T) string {
	t.Helper()
	path := t.TempDir()
	if err := syscall.Mount("tmpfs", path, "tmpfs", 0, "size=64k"); err != nil {
		t.Skipf("no right to mount a tmpfs: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(path, 0); err != nil {
			t.Error(err)
		}
	})
	return path
}

func readOnly(t *testing.T, path string) {
	t.Helper()
	if err := syscall.Mount("", path, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
}

func TestAFullStore(t *testing.T) {
	path := small(t)
	s := newSink(t, path, nil)
	e := sinktest.NewEvent(10)
	_, err := s.Store(t.Context(), e, contentOf("1", strings.Repeat("x", 200<<10)))
	if status.ConditionOf(err) != status.NoStorage || !strings.HasPrefix(status.ReplyOf(err).String(), "452 4.3.1") {
		t.Errorf("%v", err)
	}
	if names := list(t, path); len(tree(t, path)) != 0 || slices.Contains(names, e.ID) {
		t.Errorf("left over: %v, %v", names, tree(t, path))
	}
	mustStore(t, s, e, contentOf("1", "what fits"))
	readOnly(t, path)
	if _, err := s.Store(t.Context(), e, contentOf("2", "x")); status.ConditionOf(err) != status.NoStorage {
		t.Errorf("read-only: %v", err)
	}
	mustStore(t, s, e, contentOf("1", "what fits")) // it is there
}

func TestAFullDisk(t *testing.T) {
	path := small(t)
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
	readOnly(t, path)
	if o := s.Deliver(context.Background(), sinktest.NewEvent(100)); status.ConditionOf(o.Err) != status.NoStorage {
		t.Errorf("read-only: %+v", o)
	}
}

func TestAFullMaildir(t *testing.T) {
	path := small(t)
	s := newMaildir(t, path, nil)
	o := s.Deliver(t.Context(), sinktest.NewEvent(200<<10))
	if status.ConditionOf(o.Err) != status.NoStorage {
		t.Errorf("%+v", o)
	}
	if files := tree(t, path); len(files) != 0 {
		t.Errorf("left over: %v", files)
	}
	deliver(t, s, sinktest.NewEvent(100), "written")
	readOnly(t, path)
	if o := s.Deliver(t.Context(), sinktest.NewEvent(200)); status.ConditionOf(o.Err) != status.NoStorage {
		t.Errorf("read-only: %+v", o)
	}
}
