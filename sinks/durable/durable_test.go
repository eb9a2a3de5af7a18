package durable_test

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"

	"mxhook/sinks/durable"
)

func text(s string) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := io.WriteString(w, s)
		return err
	}
}

func content(t *testing.T, dir string) map[string]string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, e := range entries {
		p, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		files[e.Name()] = string(p)
	}
	return files
}

func TestAFileIsThereWholeOrNotAtAll(t *testing.T) {
	dir := t.TempDir()
	broken := errors.New("broken")
	for _, c := range []struct {
		name  string
		file  string
		write func(io.Writer) error
		err   error
		want  string
	}{
		{"new", "a", text("one"), nil, "map[a:one]"},
		{"replaced", "a", text("two"), nil, "map[a:two]"},
		{"a failing writer leaves the old file and nothing else", "a", func(w io.Writer) error { io.WriteString(w, "half"); return broken }, broken, "map[a:two]"},
		{"a failing writer leaves no new file", "b", func(w io.Writer) error { io.WriteString(w, "half"); return broken }, broken, "map[a:two]"},
		{"a name that is no name", "../b", text("x"), fs.ErrInvalid, "map[a:two]"},
		{"no name", "", text("x"), fs.ErrInvalid, "map[a:two]"},
		{"the parent", "..", text("x"), fs.ErrInvalid, "map[a:two]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := durable.WriteFile(dir, c.file, c.write); !errors.Is(err, c.err) {
				t.Errorf("%v, want %v", err, c.err)
			}
			if got := fmt.Sprint(content(t, dir)); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
		})
	}
	t.Run("a panicking writer leaves the old file alone", func(t *testing.T) {
		func() {
			defer func() { recover() }()
			durable.WriteFile(dir, "a", func(io.Writer) error { panic("x") })
		}()
		if fmt.Sprint(content(t, dir)) != "map[a:two]" {
			t.Error(content(t, dir))
		}
	})
}

func TestErrorsAreTheFileSystems(t *testing.T) {
	dir := t.TempDir()
	if err := durable.WriteFile(filepath.Join(dir, "none"), "a", text("")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no folder: %v", err)
	}
	if err := os.Mkdir(filepath.Join(dir, "sub"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := durable.WriteFile(dir, "sub", text("")); err == nil {
		t.Error("a folder was replaced by a file")
	}
	if got := len(mustGlob(t, dir)); got != 0 {
		t.Errorf("%d temporary files are left", got)
	}
	if _, err := os.Stat("/dev/full"); err == nil { // what a full disk says, from the device made for that
		err := durable.WriteFile(dir, "full", func(io.Writer) error { return os.WriteFile("/dev/full", []byte("x"), 0) })
		if !durable.IsStorage(err) || durable.Reason(err) != "no space left on device" {
			t.Errorf("%v", err)
		}
	}
}

func mustGlob(t *testing.T, dir string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, ".mxhook-*"))
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestAtOnce(t *testing.T) {
	dir := t.TempDir()
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			if err := durable.WriteFile(dir, "a", text(fmt.Sprint("text ", i%2))); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if got := fmt.Sprint(content(t, dir)); got != "map[a:text 0]" && got != "map[a:text 1]" {
		t.Error(got)
	}
}

func TestFoldersAreMade(t *testing.T) {
	dir := t.TempDir()
	deep := filepath.Join(dir, "a", "b", "c")
	for range 2 {
		if err := durable.MkdirAll(deep); err != nil {
			t.Error(err)
		}
	}
	if info, err := os.Stat(deep); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", info, err)
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{file, filepath.Join(file, "x")} {
		if err := durable.MkdirAll(path); !errors.Is(err, syscall.ENOTDIR) {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestReasonsNameNoPath(t *testing.T) {
	for want, err := range map[string]error{
		"permission denied": &fs.PathError{Op: "open", Path: "/canary", Err: syscall.EACCES},
		"invalid name":      &fs.PathError{Op: "create", Path: "/canary", Err: fs.ErrInvalid},
		"short write":       io.ErrShortWrite,
		"write failed":      errors.New("/canary"),
	} {
		if got := durable.Reason(err); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
