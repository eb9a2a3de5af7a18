package ledger_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"mxhook/inbound/status"
	"mxhook/sinks/ledger"
	"mxhook/sinks/ledger/ledgertest"
)

func key(n int) ledger.Key {
	return ledger.KeyOf([32]byte{byte(n), byte(n >> 8), byte(n >> 16)}, "r", "app", "ann@in.example")
}

func event(n int) string { return fmt.Sprintf("msg_%026d", n) }

// open opens a ledger that is closed with the test.
func open(t testing.TB, dir string, o ledger.Options) *ledger.Ledger {
	t.Helper()
	l, err := ledger.Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func mark(t testing.TB, l *ledger.Ledger, n int, more ...ledger.Key) {
	t.Helper()
	if err := l.Mark(event(n), ledger.Delivered, append(more, key(n))); err != nil {
		t.Fatal(err)
	}
}

func knows(l *ledger.Ledger, n int) bool { return l.Known([]ledger.Key{key(n)})[0].State != 0 }

func TestWhatIsMarkedIsKnownOverARestart(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state", "ledger")
	l := open(t, dir, ledger.Options{})
	if knows(l, 1) {
		t.Error("an empty ledger knows a unit")
	}
	mark(t, l, 1, key(11), key(12))
	if err := l.Mark(event(2), ledger.Refused, []ledger.Key{key(2)}); err != nil {
		t.Fatal(err)
	}
	check := func() {
		t.Helper()
		want := []ledger.Done{{State: ledger.Delivered, Event: event(1)}, {State: ledger.Delivered, Event: event(1)},
			{}, {State: ledger.Delivered, Event: event(1)}, {State: ledger.Refused, Event: event(2)}}
		for i, got := range l.Known([]ledger.Key{key(11), key(12), key(13), key(1), key(2)}) {
			if got.Age = 0; got != want[i] {
				t.Errorf("unit %d: %+v, want %+v", i, got, want[i])
			}
		}
	}
	check()
	for range 3 {
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		l = open(t, dir, ledger.Options{})
		check()
		mark(t, l, 3)
	}
	if names, _ := filepath.Glob(filepath.Join(dir, "*.ledger")); len(names) != 1 {
		t.Errorf("restarts made segments: %v", names)
	}
}

func TestKeysOfUnits(t *testing.T) {
	id := [32]byte{1}
	base := ledger.KeyOf(id, "r", "app", "Ann@in.example")
	if base != ledger.KeyOf(id, "r", "app", "aNN@IN.example") {
		t.Error("the recipient's case matters")
	}
	for name, k := range map[string]ledger.Key{
		"identity": ledger.KeyOf([32]byte{2}, "r", "app", "ann@in.example"), "route": ledger.KeyOf(id, "R", "app", "ann@in.example"),
		"sink": ledger.KeyOf(id, "r", "App", "ann@in.example"), "recipient": ledger.KeyOf(id, "r", "app", "bob@in.example"),
		"bounds": ledger.KeyOf(id, "ra", "pp", "ann@in.example"),
	} {
		if k == base {
			t.Errorf("the %s does not matter", name)
		}
	}
}

func TestAnotherProcessIsRefused(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, ledger.Options{})
	if _, err := ledger.Open(dir, ledger.Options{}); err == nil || !strings.Contains(err.Error(), dir) || !strings.Contains(err.Error(), "in use by another process") {
		t.Errorf("%v", err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	open(t, dir, ledger.Options{})
	if err := l.Mark(event(1), ledger.Delivered, []ledger.Key{key(1)}); status.ConditionOf(err) != status.NoStorage {
		t.Errorf("a closed ledger marks: %v", err)
	}
}

func TestTheOldestAreForgottenFirst(t *testing.T) {
	d := ledgertest.NewDisk()
	o := ledger.Options{Files: d, MaxUnits: 160}
	l := open(t, "", o)
	for n := range 1000 {
		mark(t, l, n)
		if units := l.Units(); units > 160 {
			t.Fatalf("%d units", units)
		}
	}
	if !knows(l, 999) || !knows(l, 860) || knows(l, 800) {
		t.Errorf("999 %v, 860 %v, 800 %v", knows(l, 999), knows(l, 860), knows(l, 800))
	}
	l.Close()
	l = open(t, "", o)
	if !knows(l, 999) || !knows(l, 860) || knows(l, 800) {
		t.Error("otherwise after a restart")
	}
}

func TestAgesAndClocks(t *testing.T) {
	d := ledgertest.NewDisk()
	now := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	var mu sync.Mutex
	clock := func() time.Time { mu.Lock(); defer mu.Unlock(); return now }
	wait := func(by time.Duration) { mu.Lock(); defer mu.Unlock(); now = now.Add(by) }
	o := ledger.Options{Files: d, MaxAge: 100 * time.Hour, Now: clock}
	l := open(t, "", o)
	restart := func() {
		t.Helper()
		l.Close()
		l = open(t, "", o)
	}
	expect := func(what string, n int, want bool) {
		t.Helper()
		if knows(l, n) != want {
			t.Errorf("%s: known is %v", what, !want)
		}
	}
	mark(t, l, 1)
	wait(99 * time.Hour)
	expect("younger than its age", 1, true)
	wait(2 * time.Hour)
	expect("older than its age", 1, false)
	restart()
	mark(t, l, 2)
	wait(40 * time.Hour)
	restart()
	expect("after 40 h without the process", 2, true)
	wait(-1000 * time.Hour)
	restart()
	expect("the clock was set back", 2, true)
	mark(t, l, 3)
	wait(101 * time.Hour)
	expect("the clock was set back, and the age passed", 2, false)
	expect("the clock was set back, and the age passed", 3, false)
	mark(t, l, 4)
	wait(9000 * time.Hour)
	restart()
	expect("the clock is a year ahead after a start", 4, true)
	mark(t, l, 5)
	wait(101 * time.Hour)
	mark(t, l, 6)
	expect("a year ahead, and the age passed", 4, false)
	if n := l.Units(); n != 1 {
		t.Errorf("%d units are held, want the one that is young", n)
	}
	if names, _ := d.List(); len(names) != 1 {
		t.Errorf("old segments are left: %v", names)
	}
}

func TestFlights(t *testing.T) {
	l := open(t, "", ledger.Options{Files: ledgertest.NewDisk()})
	first, busy := l.Begin([][]ledger.Key{{key(1), key(2)}, {key(3)}})
	if busy != nil || len(first) != 2 {
		t.Fatal("nothing is under way")
	}
	second, busy := l.Begin([][]ledger.Key{{key(4)}, {key(2)}})
	if busy == nil || second != nil {
		t.Fatal("unit 2 was taken twice")
	}
	if got := l.InFlight([]ledger.Key{key(1), key(4)}); !got[0] || got[1] {
		t.Errorf("in flight: %v, the failed taking must leave nothing", got)
	}
	select {
	case <-busy:
		t.Error("it is still under way")
	default:
	}
	first[0].End()
	first[0].End()
	<-busy
	if third, busy := l.Begin([][]ledger.Key{{key(2)}}); busy != nil {
		t.Error("unit 2 was given back")
	} else {
		third[0].End()
	}
	(*ledger.Flight)(nil).End()
}

func TestWhatIsNoRecord(t *testing.T) {
	l := open(t, "", ledger.Options{Files: ledgertest.NewDisk()})
	for _, err := range []error{
		l.Mark(strings.Repeat("x", 65), ledger.Delivered, []ledger.Key{{}}),
		l.Mark("msg", 0, []ledger.Key{{}}),
		l.Mark("msg", ledger.Delivered, make([]ledger.Key, 1<<17+1)),
	} {
		if status.ConditionOf(err) != status.LocalError {
			t.Errorf("%v", err)
		}
	}
	if err := l.Mark("msg", ledger.Delivered, nil); err != nil {
		t.Error(err)
	}
	if errors.Is(l.Usable(), status.NoStorage.Wrap("", nil)) {
		t.Error("a refused record is no failure of the storage")
	}
}
