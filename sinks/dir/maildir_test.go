package dir_test

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"mxhook/inbound"
	"mxhook/inbound/status"
	"mxhook/sinks"
	"mxhook/sinks/dir"
	"mxhook/sinks/payload"
	"mxhook/sinks/sinktest"
)

func newMaildir(t *testing.T, path string, log *slog.Logger) *dir.Sink {
	t.Helper()
	s, err := dir.New(dir.Config{Name: "box", Path: path, Maildir: true, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func deliver(t *testing.T, s *dir.Sink, e *sinks.Event, detail string) {
	t.Helper()
	if o := s.Deliver(t.Context(), e); o.Err != nil || o.Attempts != 1 || o.Detail != detail {
		t.Fatalf("%+v, want %q", o, detail)
	}
}

func TestMaildirContract(t *testing.T) {
	sinktest.Run(t, func(t *testing.T, mood sinktest.Mood, log *slog.Logger) sinktest.Destination {
		path := filepath.Join(t.TempDir(), "path-canary")
		switch mood {
		case sinktest.Takes:
		case sinktest.Dead: // a file stands where a folder should be
			if err := os.Mkdir(path, 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(path, "new"), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		case sinktest.Operate:
			if err := os.Symlink(path, path); err != nil {
				t.Fatal(err)
			}
		default:
			return sinktest.Destination{}
		}
		return sinktest.Destination{Sink: newMaildir(t, path, log), Secrets: []string{"path-canary"}, Stored: func() map[string]int {
			files, _ := filepath.Glob(filepath.Join(path, "new", "*"))
			stored := map[string]int{}
			for _, f := range files {
				stored[filepath.Base(f)]++
			}
			return stored
		}}
	})
}

func TestAnEventIsOneFileOfAMaildir(t *testing.T) {
	path := filepath.Join(t.TempDir(), "not", "there", "Maildir")
	s := newMaildir(t, path, nil)
	e := sinktest.NewEvent(1000)
	deliver(t, s, e, "written")
	if got, want := list(t, path), []string{"cur", "new", "tmp"}; !slices.Equal(got, want) {
		t.Errorf("folders %v, want %v", got, want)
	}
	for folder, want := range map[string][]string{"new": {e.ID}, "cur": nil, "tmp": nil} {
		if got := list(t, filepath.Join(path, folder)); !slices.Equal(got, want) {
			t.Errorf("%s has %v, want %v", folder, got, want)
		}
	}
	file := filepath.Join(path, "new", e.ID)
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := payload.Raw(e)
	if err != nil {
		t.Fatal(err)
	}
	want, err := io.ReadAll(raw.Open())
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%v, the file is not the raw copy: %.300q", err, got)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}

// TestARepeatWritesNothingTwice moves the message as readers do.
func TestARepeatWritesNothingTwice(t *testing.T) {
	for _, moved := range []string{"", "cur/ID", "cur/ID:2,", "cur/ID:2,FRS", "cur/ID,S=1234:2,Sab", "cur/ID;2,S", "cur/ID!2,S"} {
		path := t.TempDir()
		s := newMaildir(t, path, nil)
		e := sinktest.NewEvent(100)
		deliver(t, s, e, "written")
		if moved != "" {
			if err := os.Rename(filepath.Join(path, "new", e.ID), filepath.Join(path, strings.Replace(moved, "ID", e.ID, 1))); err != nil {
				t.Fatal(err)
			}
		}
		deliver(t, newMaildir(t, path, nil), e, "there already") // another process
		if n := len(list(t, path+"/new")) + len(list(t, path+"/cur")); n != 1 {
			t.Errorf("moved to %q: %d files", moved, n)
		}
	}
}

func TestWhatWasDeletedOrIsAnothersIsWritten(t *testing.T) {
	path := t.TempDir()
	s := newMaildir(t, path, nil)
	e := sinktest.NewEvent(100)
	deliver(t, s, e, "written")
	if err := os.Rename(filepath.Join(path, "new", e.ID), filepath.Join(path, "cur", e.ID+"x:2,S")); err != nil {
		t.Fatal(err)
	}
	deliver(t, s, e, "written")
}

func TestAMaildirAtOnce(t *testing.T) {
	path := t.TempDir()
	s := newMaildir(t, path, nil)
	e := sinktest.NewEvent(100)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if o := s.Deliver(t.Context(), e); o.Err != nil {
				t.Error(o.Err)
			}
		})
	}
	wg.Wait()
	if n := list(t, path+"/new"); len(n) != 1 || len(list(t, path+"/tmp")) != 0 {
		t.Errorf("new has %v", n)
	}
}

func TestAMaildirStoresNothingAndTakesNoOtherNames(t *testing.T) {
	path := t.TempDir()
	s := newMaildir(t, path, nil)
	e := sinktest.NewEvent(10)
	if _, err := s.Store(t.Context(), e, contentOf("1", "x")); status.ConditionOf(err) != status.SinkOperator {
		t.Errorf("%v", err)
	}
	e.ID = "msg_../../../../etc/passwd"
	if o := s.Deliver(t.Context(), e); status.ConditionOf(o.Err) != status.LocalError {
		t.Errorf("%+v", o)
	}
	if names := list(t, path); len(names) != 0 {
		t.Errorf("left: %v", names)
	}
	if err := s.Check(t.Context()); err != nil || len(list(t, path)) != 0 {
		t.Errorf("%v, left: %v", err, list(t, path))
	}
	if err := os.WriteFile(filepath.Join(path, "new"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.Check(t.Context()); status.ConditionOf(err) != status.SinkOperator {
		t.Errorf("new is a file: %v", err)
	}
}

// TestOthersFilesInTmpStay: other programs may write into the same Maildir.
func TestOthersFilesInTmpStay(t *testing.T) {
	path := t.TempDir()
	tmp := filepath.Join(path, "tmp")
	if err := os.Mkdir(tmp, 0o700); err != nil {
		t.Fatal(err)
	}
	old := time.Now().Add(-2 * time.Hour)
	for _, name := range []string{"1700000000.M1P2.host", ".mxhook-1.tmp"} {
		if err := os.WriteFile(filepath.Join(tmp, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(filepath.Join(tmp, name), old, old); err != nil {
			t.Fatal(err)
		}
	}
	deliver(t, newMaildir(t, path, nil), sinktest.NewEvent(10), "written")
	if got := list(t, tmp); !slices.Equal(got, []string{"1700000000.M1P2.host"}) {
		t.Errorf("tmp has %v", got)
	}
}

// readMaildir prints what Python's mailbox finds, and moves one message to cur as it
// marks it as read.
const readMaildir = `
import json, mailbox, sys
box = mailbox.Maildir(sys.argv[1], create=False)
found = []
for key in box.keys():
    m = box[key]
    found.append({"key": key, "new": m.get_subdir() == "new", "subject": m["Subject"], "to": m.get_all("X-Original-To"), "from": m["Return-Path"]})
    m.set_subdir("cur"); m.add_flag("S"); box[key] = m
print(json.dumps(found))
`

func TestPythonReadsTheMaildir(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		if os.Getenv("MXHOOK_INTEROP") == "require" {
			t.Fatal(err)
		}
		t.Skip("no python3")
	}
	path := t.TempDir()
	s := newMaildir(t, path, nil)
	e := sinktest.NewEvent(100)
	second, err := inbound.ParsePath("second@in.example", false)
	if err != nil {
		t.Fatal(err)
	}
	e.Recipients = append(e.Recipients, sinks.Recipient{Path: second})
	deliver(t, s, e, "written")
	read := func() string {
		c := exec.Command(python, "-c", readMaildir, path)
		c.Stderr = os.Stderr
		out, err := c.Output()
		if err != nil {
			t.Fatal(err)
		}
		return string(out)
	}
	var got []struct {
		Key, Subject, From string
		New                bool
		To                 []string
	}
	if err := json.Unmarshal([]byte(read()), &got); err != nil || len(got) != 1 {
		t.Fatalf("%v: %+v", err, got)
	}
	m := got[0]
	if m.Key != e.ID || !m.New || m.From != "<bob@sender.example>" || len(m.To) != 2 || m.To[1] != "second@in.example" || m.Subject == "" {
		t.Errorf("%+v", m)
	}
	if cur := list(t, path+"/cur"); !slices.Equal(cur, []string{e.ID + ":2,S"}) {
		t.Errorf("cur has %v", cur)
	}
	deliver(t, s, e, "there already")
}
