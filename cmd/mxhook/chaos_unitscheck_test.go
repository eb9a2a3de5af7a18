package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// firstReply is what CONTRACT 4 and 5 say for the first try.
func (c *combination) firstReply() string {
	words := map[mood]string{busy: "451 4.4.5 ", hangs: "451 4.4.1 "}
	var temporary []string
	accepted := false
	for _, m := range c.moods {
		if reply := words[m]; reply != "" {
			temporary = append(temporary, reply)
		}
		accepted = accepted || m == takes
	}
	switch {
	case len(temporary) == 3 && len(slices.Compact(temporary)) == 1:
		return temporary[0]
	case len(temporary) > 0:
		return "451 4.3.0 "
	case accepted:
		return "250 2.0.0 OK msg_"
	}
	return "550 5.7.1 "
}

// checkFirst wants the replies of CONTRACT 4 and 5 to the first try.
func (c *combination) checkFirst(t *testing.T, a attempt) {
	t.Helper()
	if !c.lmtp {
		if want := c.firstReply(); !strings.HasPrefix(a.reply, want) {
			t.Errorf("reply %q, want %q", a.reply, want)
		}
		return
	}
	for i, m := range c.moods {
		want := map[mood]string{takes: "250 2.0.0 OK msg_", busy: "451 4.4.5 ", hangs: "451 4.4.1 ", fends: "550 5.7.1 "}[m]
		if !strings.HasPrefix(a.each[i], want) {
			t.Errorf("%s: reply %q, want %q", c.rcpts[i], a.each[i], want)
		}
	}
}

// resendEach sends again to those whom the first try left without an answer for good.
func (c *combination) resendEach(t *testing.T, b *running, l *letter, first attempt) {
	t.Helper()
	l.pending = nil
	for i, rcpt := range c.rcpts {
		if first.each == nil || strings.HasPrefix(first.each[i], "4") {
			l.pending = append(l.pending, rcpt)
		}
	}
	if l.pending == nil {
		return
	}
	a, err := l.try(t.Context(), b.smtp, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, rcpt := range a.asked {
		want := "250 "
		if c.moods[slices.Index(c.rcpts[:], rcpt)] == fends {
			want = "550 5.7.1 "
		}
		if !strings.HasPrefix(a.each[i], want) {
			t.Errorf("%s: the resend: %q, want %q", rcpt, a.each[i], want)
		}
	}
}

// check counts what the sinks kept, and the dead events, which are those whose refusal
// the sender was not told.
func (c *combination) check(t *testing.T, state string, taken bool) {
	t.Helper()
	dead := 0
	for i, m := range c.moods {
		got, want := c.keepers[i].of("units", c.rcpts[i]), 1
		switch {
		case m == fends && taken:
			dead++
			want = 0
		case m == fends:
			want = 0
		case m == kills:
			want = 2
		}
		if len(got) != want {
			t.Errorf("unit %d (%s) was kept %d times, want %d", i, m, len(got), want)
		}
		if len(got) == 2 && got[0].id != got[1].id {
			t.Errorf("unit %d was repeated with another id", i)
		}
	}
	if files, _ := filepath.Glob(filepath.Join(state, "dead", "*.eml")); len(files) != dead {
		t.Errorf("%d dead events, want %d: %q", len(files), dead, files)
	}
}

// copyState returns a copy of a state folder as it is now. A file that goes meanwhile
// is gone.
func copyState(t *testing.T, state string) (after string) {
	t.Helper()
	after = t.TempDir()
	err := filepath.WalkDir(state, func(path string, d fs.DirEntry, err error) error {
		target := filepath.Join(after, strings.TrimPrefix(path, state))
		switch {
		case err == nil && d.IsDir():
			return os.MkdirAll(target, 0o700)
		case err == nil && d.Type().IsRegular(): // a socket is not
			var text []byte
			if text, err = os.ReadFile(path); err == nil {
				err = os.WriteFile(target, text, 0o600)
			}
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return after
}
