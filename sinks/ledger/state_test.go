package ledger_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"mxhook/sinks/ledger"
	"mxhook/sinks/ledger/ledgertest"
)

// holds is which state is known after several were marked.
func holds(marks []ledger.State) (last ledger.State) {
	order := map[ledger.State]int{ledger.Deferred: 1, ledger.Spooled: 2, ledger.Delivered: 3, ledger.Refused: 3}
	for _, s := range marks {
		if order[s] >= order[last] {
			last = s
		}
	}
	return last
}

// TestTheLaterStepHolds marks a unit with every three states in every order, in one
// segment and over three, and looks before and after a restart.
func TestTheLaterStepHolds(t *testing.T) {
	all := []ledger.State{ledger.Delivered, ledger.Refused, ledger.Spooled, ledger.Deferred}
	for _, a := range all {
		for _, b := range all {
			for _, c := range all {
				for _, apart := range []bool{false, true} {
					marks := []ledger.State{a, b, c}
					t.Run(fmt.Sprint(marks, apart), func(t *testing.T) { tryMarks(t, marks, apart) })
				}
			}
		}
	}
}

func tryMarks(t *testing.T, marks []ledger.State, apart bool) {
	d := ledgertest.NewDisk()
	now := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	o := ledger.Options{Files: d, MaxAge: 160 * time.Hour, Now: func() time.Time { return now }}
	l := open(t, "", o)
	for i, s := range marks {
		if err := l.Mark(event(i), s, []ledger.Key{key(1)}); err != nil {
			t.Fatal(err)
		}
		mark(t, l, 100+i)
		if apart { // a segment spans ten hours
			now = now.Add(11 * time.Hour)
		}
	}
	want := holds(marks)
	for start := range 2 {
		got := l.Known([]ledger.Key{key(1)})[0]
		if got.State != want {
			t.Errorf("start %d: %v, want %v", start, got.State, want)
		}
		if first := slices.Index(marks, ledger.Deferred); want == ledger.Deferred && got.Event != event(first) {
			t.Errorf("start %d: %+v is not the first deferral", start, got)
		}
		if got.State.Suppresses() != (want != ledger.Deferred) {
			t.Errorf("start %d: %v suppresses: %v", start, got.State, got.State.Suppresses())
		}
		l.Close()
		l = open(t, "", o)
	}
}

func TestSinceWhenAUnitIsDeferred(t *testing.T) {
	d := ledgertest.NewDisk()
	now := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	o := ledger.Options{Files: d, MaxAge: 100 * time.Hour, Now: func() time.Time { return now }}
	l := open(t, "", o)
	age := func(want time.Duration) {
		t.Helper()
		if got := l.Known([]ledger.Key{key(1)})[0]; got.State != ledger.Deferred || got.Age != want {
			t.Errorf("%+v, want %v", got, want)
		}
	}
	again := func() {
		t.Helper()
		if err := l.Mark(event(1), ledger.Deferred, []ledger.Key{key(1)}); err != nil {
			t.Fatal(err)
		}
	}
	again()
	age(0)
	for hour := range 9 {
		now = now.Add(10 * time.Hour)
		again()
		age(time.Duration(hour+1) * 10 * time.Hour)
		if hour%3 == 0 {
			l.Close()
			l = open(t, "", o)
			age(time.Duration(hour+1) * 10 * time.Hour)
		}
	}
	now = now.Add(11 * time.Hour) // what is older than the ledger's age is forgotten
	if got := l.Known([]ledger.Key{key(1)})[0]; got.Age > 100*time.Hour {
		t.Errorf("%+v", got)
	}
}

func TestATornRecordOfAnyStateIsUnknown(t *testing.T) {
	for _, s := range []ledger.State{ledger.Spooled, ledger.Deferred, ledger.Refused} {
		d := ledgertest.NewDisk()
		l := open(t, "", ledger.Options{Files: d})
		mark(t, l, 1)
		whole := len(d.Data(firstSegment))
		if err := l.Mark(event(2), s, []ledger.Key{key(2), key(3)}); err != nil {
			t.Fatal(err)
		}
		l.Close()
		data := slices.Clone(d.Data(firstSegment))
		for cut := whole; cut <= len(data); cut++ {
			torn := ledgertest.NewDisk()
			torn.Put(firstSegment, slices.Clone(data[:cut]))
			l := open(t, "", ledger.Options{Files: torn})
			for _, got := range l.Known([]ledger.Key{key(2), key(3)}) {
				if (got.State == s) != (cut == len(data)) || got.State != s && got.State != 0 {
					t.Fatalf("%v cut at %d: %+v", s, cut, got)
				}
			}
			if !knows(l, 1) {
				t.Fatalf("%v cut at %d: what stands before is lost", s, cut)
			}
			l.Close()
		}
	}
}
