package dir_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"mxhook/inbound/status"
	"mxhook/sinks"
	"mxhook/sinks/dir"
	"mxhook/sinks/payload"
	"mxhook/sinks/sinktest"
)

var _ payload.Store = (*dir.Sink)(nil)

func contentOf(name, text string) payload.Content {
	return payload.Content{
		Name: name, Size: int64(len(text)), SHA256: sha256.Sum256([]byte(text)),
		Open: func() io.Reader { return strings.NewReader(text) },
	}
}

func mustStore(t *testing.T, s *dir.Sink, e *sinks.Event, c payload.Content) string {
	t.Helper()
	url, err := s.Store(t.Context(), e, c)
	if err != nil {
		t.Fatal(err)
	}
	return url
}

// tree are the files below path, those of the temporary folder too.
func tree(t *testing.T, path string) (names []string) {
	t.Helper()
	err := filepath.WalkDir(path, func(p string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			name, _ := filepath.Rel(path, p)
			names = append(names, filepath.ToSlash(name))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func TestAStoredContentIsAFileUnderTheEventID(t *testing.T) {
	path := filepath.Join(t.TempDir(), "not yet", "there")
	e := sinktest.NewEvent(100)
	s := newSink(t, path, nil)
	got := mustStore(t, s, e, contentOf("1", "a file"))
	if want := "file://" + strings.ReplaceAll(filepath.ToSlash(path), " ", "%20") + "/" + e.Edition() + "/1"; got != want {
		t.Errorf("url %s, want %s", got, want)
	}
	mustStore(t, s, e, contentOf("raw", ""))
	if want := []string{e.Edition() + "/1", e.Edition() + "/raw"}; !slices.Equal(tree(t, path), want) {
		t.Errorf("%v, want %v", tree(t, path), want)
	}
	p, err := os.ReadFile(filepath.Join(path, e.Edition(), "1"))
	if err != nil || string(p) != "a file" {
		t.Errorf("%q, %v", p, err)
	}
	for name, want := range map[string]fs.FileMode{e.Edition(): 0o700, e.Edition() + "/1": 0o600, "": 0o700} {
		if info, err := os.Stat(filepath.Join(path, name)); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
	}
	served, err := dir.New(dir.Config{Name: "disk", Path: path, URL: "https://files.example/mail"})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := mustStore(t, served, e, contentOf("1", "a file")), "https://files.example/mail/"+e.Edition()+"/1"; got != want {
		t.Errorf("url %s, want %s", got, want)
	}
}

func TestARepeatWritesWhatIsNotThereAlone(t *testing.T) {
	path := t.TempDir()
	e := sinktest.NewEvent(100)
	file := filepath.Join(path, e.Edition(), "1")
	opened := 0
	c := contentOf("1", "what was sent")
	open := c.Open
	c.Open = func() io.Reader { opened++; return open() }
	for _, step := range []struct {
		name  string
		do    func() error
		write bool
	}{
		{"the first time", func() error { return nil }, true},
		{"after a crash between the store and the request", func() error { return nil }, false},
		{"deleted between two attempts", func() error { return os.Remove(file) }, true},
		{"the whole folder deleted", func() error { return os.RemoveAll(filepath.Dir(file)) }, true},
		{"cut short", func() error { return os.Truncate(file, 3) }, true},
		{"other octets of the same size", func() error { return os.WriteFile(file, []byte("what was SENT"), 0o600) }, true},
		{"a link to the right octets elsewhere", func() error {
			if err := os.Rename(file, filepath.Join(path, "elsewhere")); err != nil {
				return err
			}
			return os.Symlink(filepath.Join(path, "elsewhere"), file)
		}, true},
	} {
		if err := step.do(); err != nil {
			t.Fatal(err)
		}
		before := opened
		mustStore(t, newSink(t, path, nil), e, c) // as a new process would
		if (opened > before) != step.write {
			t.Errorf("%s: read %d times", step.name, opened-before)
		}
		if info, err := os.Lstat(file); err != nil || !info.Mode().IsRegular() {
			t.Errorf("%s: %v", step.name, err)
		}
		if p, err := os.ReadFile(file); err != nil || string(p) != "what was sent" {
			t.Errorf("%s: %q, %v", step.name, p, err)
		}
		if names := tree(t, filepath.Dir(file)); !slices.Equal(names, []string{"1"}) {
			t.Errorf("%s: %v", step.name, names)
		}
	}
}

func TestNothingOfAMessageIsPartOfAPath(t *testing.T) {
	root := t.TempDir()
	s := newSink(t, filepath.Join(root, "mail"), nil)
	for _, id := range []string{"", "..", "../evil", "msg_../../../../../../etc/passwd", "msg_AAAAAAAAAAAAAAAAAAAAAAAAAA", "msg_aaaaaaaaaaaaaaaaaaaaaaaaaa/..", "msg_aaaaaaaaaaaaaaaaaaaaaaaaaa\n"} {
		e := sinktest.NewEvent(10)
		e.ID = id
		if _, err := s.Store(t.Context(), e, contentOf("1", "x")); status.ConditionOf(err) != status.LocalError {
			t.Errorf("id %q: %v", id, err)
		}
	}
	for _, name := range []string{"", "0", "01", "-1", "..", "../1", "1/../../x", "a.pdf", "raw\n", ".mxhook-tmp", "1234567890"} {
		if _, err := s.Store(t.Context(), sinktest.NewEvent(10), contentOf(name, "x")); status.ConditionOf(err) != status.LocalError {
			t.Errorf("name %q: %v", name, err)
		}
	}
	if names := list(t, root); len(names) != 0 {
		t.Errorf("files %v", names)
	}
	e, c := sinktest.NewEvent(10), contentOf("1", "x")
	c.Filename, c.ContentType = "../../evil", "../../evil"
	if url := mustStore(t, s, e, c); strings.Contains(url, "evil") || !slices.Equal(tree(t, root), []string{"mail/" + e.Edition() + "/1"}) {
		t.Errorf("%s, %v", url, tree(t, root))
	}
}

// endless yields octets and ends the budget at the second read.
type endless struct {
	reads int
	end   context.CancelFunc
}

func (r *endless) Read(p []byte) (int, error) {
	if r.reads++; r.reads == 2 {
		r.end()
	}
	return len(p), nil
}

func TestTheBudgetEndsAStore(t *testing.T) {
	path := t.TempDir()
	s := newSink(t, path, nil)
	ctx, cancel := context.WithCancel(t.Context())
	c := payload.Content{Name: "1", Size: 1 << 40, Open: func() io.Reader { return &endless{end: cancel} }}
	if _, err := s.Store(ctx, sinktest.NewEvent(10), c); status.ConditionOf(err) != status.BudgetExceeded {
		t.Errorf("%v", err)
	}
	if names := tree(t, path); len(names) != 0 {
		t.Errorf("left over: %v", names)
	}
}

func TestAContentOfAnotherSizeIsNotStored(t *testing.T) {
	path := t.TempDir()
	s := newSink(t, path, nil)
	for _, size := range []int64{0, 3, 5} {
		c := contentOf("1", "four")
		c.Size = size
		if _, err := s.Store(t.Context(), sinktest.NewEvent(10), c); status.ConditionOf(err) != status.LocalError {
			t.Errorf("%d octets: %v", size, err)
		}
	}
	if names := tree(t, path); len(names) != 0 {
		t.Errorf("left over: %v", names)
	}
}

func TestWhoStoreTheSameAtOnceWriteItOnce(t *testing.T) {
	path := t.TempDir()
	s := newSink(t, path, nil)
	e := sinktest.NewEvent(10)
	c := contentOf("1", strings.Repeat("x", 1<<20))
	open := c.Open
	var opened atomic.Int32
	c.Open = func() io.Reader { opened.Add(1); return open() }
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(func() {
			if _, err := s.Store(t.Context(), e, c); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if opened.Load() != 1 || !slices.Equal(tree(t, path), []string{e.Edition() + "/1"}) {
		t.Errorf("written %d times: %v", opened.Load(), tree(t, path))
	}
}

func TestWhoWaitsForTheSameFileWaitsWithinTheBudget(t *testing.T) {
	s := newSink(t, t.TempDir(), nil)
	e := sinktest.NewEvent(10)
	ctx, cancel := context.WithCancel(t.Context())
	c := contentOf("1", "x")
	var second error
	c.Open = func() io.Reader { // while the first writes
		cancel()
		_, second = s.Store(ctx, e, contentOf("1", "x"))
		return strings.NewReader("x")
	}
	mustStore(t, s, e, c)
	if status.ConditionOf(second) != status.BudgetExceeded {
		t.Errorf("%v", second)
	}
}

func TestWhatACrashLeftIsSwept(t *testing.T) {
	path := t.TempDir()
	temp := filepath.Join(path, ".mxhook-tmp")
	if err := os.Mkdir(temp, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, age := range map[string]time.Duration{"old": 2 * time.Hour, "being-written": 10 * time.Minute} {
		file, at := filepath.Join(temp, ".mxhook-"+name+".tmp"), time.Now().Add(-age)
		if err := os.WriteFile(file, []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(file, at, at); err != nil {
			t.Fatal(err)
		}
	}
	mustStore(t, newSink(t, path, nil), sinktest.NewEvent(10), contentOf("1", "x"))
	if names := list(t, temp); !slices.Equal(names, []string{".mxhook-being-written.tmp"}) {
		t.Errorf("%v", names)
	}
}

func TestTheGroupOfASetgidFolderMayReadWhatIsStored(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("no setgid folders")
	}
	for mode, want := range map[fs.FileMode][2]fs.FileMode{
		fs.ModeSetgid | 0o750: {0o750, 0o640}, fs.ModeSetgid | 0o700: {0o700, 0o600}, 0o755: {0o700, 0o600}, fs.ModeSetgid | 0o777: {0o750, 0o640},
	} {
		path := t.TempDir()
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		e := sinktest.NewEvent(10)
		mustStore(t, newSink(t, path, nil), e, contentOf("1", "x"))
		for i, name := range []string{e.Edition(), e.Edition() + "/1"} {
			if info, err := os.Stat(filepath.Join(path, name)); err != nil || info.Mode().Perm() != want[i] {
				t.Errorf("%v: %s: %v, %v, want %v", mode, name, info.Mode(), err, want[i])
			}
		}
	}
}

func TestAFolderThatCantBeOneIsTheOperators(t *testing.T) {
	e := sinktest.NewEvent(10)
	for name, prepare := range map[string]func(path string) error{
		"the sink's folder is a file": func(path string) error { return os.WriteFile(path, nil, 0o600) },
		"the sink's folder is a loop": func(path string) error { return os.Symlink(path, path) },
		"the event's folder is a file": func(path string) error {
			os.Mkdir(path, 0o700)
			return os.WriteFile(filepath.Join(path, e.Edition()), nil, 0o600)
		},
		"the file is a folder": func(path string) error { return os.MkdirAll(filepath.Join(path, e.Edition(), "1", "x"), 0o700) },
	} {
		path := filepath.Join(t.TempDir(), "path-canary")
		if err := prepare(path); err != nil {
			t.Fatal(err)
		}
		_, err := newSink(t, path, nil).Store(t.Context(), e, contentOf("1", "x"))
		if status.ConditionOf(err) != status.SinkOperator || status.ClassOf(err) != status.Temporary || strings.Contains(fmt.Sprint(err), "canary") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestALargeContentIsNotHeld(t *testing.T) {
	s := newSink(t, t.TempDir(), nil)
	e := sinktest.NewEvent(10)
	block := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	h := sha256.New()
	for range 25 {
		h.Write(block)
	}
	c := payload.Content{Name: "1", Size: 25 << 20, SHA256: [32]byte(h.Sum(nil)), Open: func() io.Reader {
		var all []io.Reader
		for range 25 {
			all = append(all, bytes.NewReader(block))
		}
		return io.MultiReader(all...)
	}}
	for _, what := range []string{"written", "found"} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		mustStore(t, s, e, c)
		runtime.ReadMemStats(&after)
		if n := after.TotalAlloc - before.TotalAlloc; n > 2<<20 {
			t.Errorf("%s: %d octets allocated for 25 MiB", what, n)
		}
	}
}
