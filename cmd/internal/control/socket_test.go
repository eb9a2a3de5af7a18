package control_test

import (
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mxhook/cmd/internal/control"
)

func mode(t *testing.T, path string) os.FileMode {
	t.Helper()
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Mode()
}

func TestTheSocketIsItsUsersAlone(t *testing.T) {
	state := t.TempDir()
	os.Chmod(state, 0o777)
	start(t, state, &fake{})
	if got := mode(t, control.Path(state)); got != os.ModeSocket|0o600 {
		t.Errorf("mode %v", got)
	}
	if entries, _ := os.ReadDir(state); len(entries) != 1 {
		t.Errorf("%v", entries)
	}
}

func TestAStaleSocketIsReplaced(t *testing.T) {
	state := t.TempDir()
	ln, err := net.ListenUnix("unix", &net.UnixAddr{Name: control.Path(state), Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	ln.SetUnlinkOnClose(false)
	ln.Close() // as SIGKILL does
	if _, err := control.Dial(state); !errors.Is(err, control.ErrNobody) {
		t.Errorf("%v", err)
	}
	if err := os.MkdirAll(filepath.Join(state, ".control-1", "x"), 0o700); err != nil { // killed a moment earlier
		t.Fatal(err)
	}
	_, c := start(t, state, &fake{})
	if _, err := c.Show(t.Context(), id+".app"); err != nil {
		t.Error(err)
	}
	if entries, _ := os.ReadDir(state); len(entries) != 1 {
		t.Errorf("%v", entries)
	}
}

func TestASocketThatIsAnsweredIsLeftAlone(t *testing.T) {
	state := t.TempDir()
	_, c := start(t, state, &fake{})
	second := control.NewServer(state, &fake{}, slog.New(slog.DiscardHandler))
	if err := second.Start(); err == nil || !strings.Contains(err.Error(), "another process answers") {
		t.Errorf("%v", err)
	}
	second.Stop(t.Context())
	if _, err := c.Show(t.Context(), id+".app"); err != nil {
		t.Error(err)
	}
}

func TestSomebodyElsesSocketIsNotRemoved(t *testing.T) {
	state := t.TempDir()
	s, _ := start(t, state, &fake{})
	if err := os.Remove(control.Path(state)); err != nil {
		t.Fatal(err)
	}
	start(t, state, &fake{})
	if err := s.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := control.Dial(state); err != nil {
		t.Error(err)
	}
}

func TestALongStatePath(t *testing.T) {
	if _, err := os.Stat("/proc/self/fd"); err != nil {
		t.Skip(err)
	}
	for _, length := range []int{90, 100, 103, 104, 106, 107, 108, 109, 130, 1000} {
		state := t.TempDir()
		for len(control.Path(state)) < length {
			state = filepath.Join(state, strings.Repeat("x", min(200, max(1, length-len(control.Path(state))-1))))
		}
		if err := os.MkdirAll(state, 0o700); err != nil {
			t.Fatal(err)
		}
		s, c := start(t, state, &fake{})
		if _, err := c.Show(t.Context(), id+".app"); err != nil {
			t.Errorf("%d octets: %v", len(control.Path(state)), err)
		}
		if err := s.Stop(t.Context()); err != nil {
			t.Error(err)
		}
		if left, _ := os.ReadDir(state); len(left) > 0 {
			t.Errorf("%d octets: %v", length, left)
		}
	}
}

func TestWhatIsNoSocketIsNobody(t *testing.T) {
	state := t.TempDir()
	if err := os.WriteFile(control.Path(state), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{state, filepath.Join(state, "missing"), control.Path(state)} {
		if _, err := control.Dial(s); !errors.Is(err, control.ErrNobody) {
			t.Errorf("%s: %v", s, err)
		}
	}
	start(t, state, &fake{}) // the file gives way
}
