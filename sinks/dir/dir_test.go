package dir_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"mxhook/inbound/status"
	"mxhook/sinks"
	"mxhook/sinks/dir"
	"mxhook/sinks/sinktest"
)

func newSink(t *testing.T, path string, log *slog.Logger) *dir.Sink {
	t.Helper()
	s, err := dir.New(dir.Config{Name: "disk", Path: path, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestContract(t *testing.T) {
	sinktest.Run(t, func(t *testing.T, mood sinktest.Mood, log *slog.Logger) sinktest.Destination {
		parent := filepath.Join(t.TempDir(), "path-canary")
		path := filepath.Join(parent, "mail")
		if err := os.Mkdir(parent, 0o700); err != nil {
			t.Fatal(err)
		}
		switch mood {
		case sinktest.Takes:
		case sinktest.Dead: // a file stands where the folder should be
			if err := os.WriteFile(path, nil, 0o600); err != nil {
				t.Fatal(err)
			}
		case sinktest.Operate: // a loop of links: nothing that time could mend
			if err := os.Symlink(path, path); err != nil {
				t.Fatal(err)
			}
		default:
			return sinktest.Destination{}
		}
		return sinktest.Destination{Sink: newSink(t, path, log), Secrets: []string{"path-canary"}, Stored: func() map[string]int {
			files, _ := filepath.Glob(filepath.Join(path, "*.json"))
			stored := map[string]int{}
			for _, f := range files {
				stored[strings.TrimSuffix(filepath.Base(f), ".json")]++
			}
			return stored
		}}
	})
}

func TestAnEventIsTwoFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "not", "yet", "there")
	s := newSink(t, path, nil)
	e := sinktest.NewEvent(1000)
	if o := s.Deliver(context.Background(), e); o.Err != nil || o.Attempts != 1 {
		t.Fatalf("%+v", o)
	}
	names := list(t, path)
	if want := []string{e.ID + ".eml", e.ID + ".json"}; !slices.Equal(names, want) {
		t.Errorf("files %v, want %v", names, want)
	}
	raw, err := os.ReadFile(filepath.Join(path, e.ID+".eml"))
	if err != nil {
		t.Fatal(err)
	}
	received := make([]byte, e.Data.Size())
	e.Data.ReadAt(received, 0)
	if !bytes.HasPrefix(raw, []byte("Return-Path: <bob@sender.example>\r\n")) || !bytes.HasSuffix(raw, received) {
		t.Errorf("the raw copy: %.200q", raw)
	}
	native, err := os.ReadFile(filepath.Join(path, e.ID+".json"))
	if err != nil {
		t.Fatal(err)
	}
	var p struct{ Schema, ID string }
	if err := json.Unmarshal(native, &p); err != nil || p.Schema != "mxhook.v1" || p.ID != e.ID {
		t.Errorf("%v: %+v", err, p)
	}
	for _, name := range names {
		if info, err := os.Stat(filepath.Join(path, name)); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
	}
}

func list(t *testing.T, path string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestNamesAreMadeOfTheIDAlone(t *testing.T) {
	root := t.TempDir()
	s := newSink(t, filepath.Join(root, "mail"), nil)
	for _, id := range []string{"", "../evil", "msg_../../../../../../etc/passwd", "msg_aaaaaaaaaaaaaaaaaaaaaaaaa/", "msg_AAAAAAAAAAAAAAAAAAAAAAAAAA", "msg_aaaaaaaaaaaaaaaaaaaaaaaaaa\n"} {
		e := sinktest.NewEvent(10)
		e.ID = id
		if o := s.Deliver(context.Background(), e); status.ConditionOf(o.Err) != status.LocalError {
			t.Errorf("id %q: %+v", id, o)
		}
	}
	if names := list(t, root); len(names) != 0 {
		t.Errorf("files %v", names)
	}
}

func TestAMessageThatCantBeReadIsNoFaultOfTheFolder(t *testing.T) {
	path := t.TempDir()
	s := newSink(t, path, nil)
	e := sinktest.NewEvent(10)
	e.Data.Release() // reading fails from now on
	if o := s.Deliver(context.Background(), e); status.ConditionOf(o.Err) != status.LocalError {
		t.Errorf("%+v", o)
	}
	if names := list(t, path); len(names) != 0 {
		t.Errorf("left over: %v", names)
	}
}

func TestErrorsOfTheFileSystem(t *testing.T) {
	for errno, want := range map[syscall.Errno]*status.Condition{
		syscall.ENOSPC: status.NoStorage, syscall.EDQUOT: status.NoStorage, syscall.EIO: status.NoStorage, syscall.EROFS: status.NoStorage,
		syscall.EACCES: status.SinkOperator, syscall.EPERM: status.SinkOperator, syscall.ENOENT: status.SinkOperator, syscall.ENOTDIR: status.SinkOperator,
		syscall.EMFILE: status.LocalError, syscall.EINTR: status.LocalError,
	} {
		err := &os.PathError{Op: "open", Path: "/path-canary", Err: errno}
		o := dir.Failed(newSink(t, "x", nil), errors.Join(err))
		if status.ConditionOf(o.Err) != want || strings.Contains(o.Err.Error(), "canary") {
			t.Errorf("%v: %v", errno, o.Err)
		}
	}
}

var _ sinks.Sink = (*dir.Sink)(nil)
