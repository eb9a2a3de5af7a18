package ledger_test

import (
	"bytes"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"mxhook/sinks/ledger"
	"mxhook/sinks/ledger/ledgertest"
)

// recorded returns the octets of a segment with the events 0 to n-1 of one to three
// units, and where each record ends.
func recorded(t testing.TB, n int) (data []byte, ends []int) {
	t.Helper()
	d := ledgertest.NewDisk()
	l, err := ledger.Open("", ledger.Options{Files: d})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for i := range n {
		mark(t, l, i, unitsOf(i)[1:]...)
		ends = append(ends, len(d.Data(firstSegment)))
	}
	return slices.Clone(d.Data(firstSegment)), ends
}

const firstSegment = "0000000000000000.ledger"

func unitsOf(n int) []ledger.Key {
	all := []ledger.Key{key(n), key(n + 1<<16), key(n + 2<<16)}
	return all[:1+n%3]
}

// knownEvents opens a segment and returns which of the events 0 to n-1 are known, and
// what was logged. An event is known as a whole or not at all.
func knownEvents(t testing.TB, d *ledgertest.Disk, n int) (known []bool, log string) {
	t.Helper()
	var b bytes.Buffer
	l, err := ledger.Open("", ledger.Options{Files: d, Log: slog.New(slog.NewTextHandler(&b, nil))})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for i := range n {
		done := l.Known(unitsOf(i))
		for _, u := range done {
			if u != done[0] || u.State != 0 && u.Event != event(i) {
				t.Errorf("event %d: %+v", i, done)
			}
		}
		known = append(known, done[0].State != 0)
	}
	known = append(known, l.Known([]ledger.Key{key(n)})[0].State != 0)
	// It goes on from there.
	mark(t, l, n)
	return known, b.String()
}

func TestATornTailAtEachOctet(t *testing.T) {
	const events = 6
	data, ends := recorded(t, events)
	for cut := range len(data) + 1 {
		for _, tail := range []string{"", "\x00\x00\x00\x00\x00\x00\x00\x00", "\xffmx\x01\x00\x00\x00\x30garbage"} {
			d := ledgertest.NewDisk()
			d.Put(firstSegment, append(slices.Clone(data[:cut]), tail...))
			want := 0
			for want < events && ends[want] <= cut {
				want++
			}
			for round := range 2 { // what was appended after the cut is there after the next start
				known, _ := knownEvents(t, d, events)
				for i, k := range known {
					if expected := i < want || i == events && round == 1; k != expected {
						t.Fatalf("cut at %d, tail %q, start %d: event %d known is %v", cut, tail, round, i, k)
					}
				}
			}
		}
	}
}

func TestDamageInTheMiddleCostsWhatItTouches(t *testing.T) {
	const events = 8
	data, ends := recorded(t, events)
	for at := range data {
		d := ledgertest.NewDisk()
		bad := slices.Clone(data)
		bad[at] ^= 0x10
		d.Put(firstSegment, bad)
		known, log := knownEvents(t, d, events)
		header := at < ends[0] && at < 40
		for i := range events {
			start := 40
			if i > 0 {
				start = ends[i-1]
			}
			touched := header || at >= start && at < ends[i]
			if known[i] == touched {
				t.Fatalf("octet %d: event %d known is %v", at, i, known[i])
			}
		}
		loud := strings.Contains(log, "level=ERROR") || at >= ends[events-2] && strings.Contains(log, "level=WARN")
		if !loud {
			t.Fatalf("octet %d: the log says %q", at, log)
		}
		if again, _ := knownEvents(t, d, events); !again[events] {
			t.Fatalf("octet %d: what was marked after the damage is lost", at)
		}
	}
}

// FuzzSegment: whatever happens to a segment, nothing is known that was not marked,
// an event is known as a whole, and the ledger opens and goes on.
func FuzzSegment(f *testing.F) {
	f.Add(uint64(1), uint16(3), []byte{})
	f.Add(uint64(7), uint16(40), []byte("\xffmx\x01"))
	f.Add(uint64(9), uint16(0), bytes.Repeat([]byte("\xffmx\x01\x00\x00\x00\x12"), 20))
	const events = 12
	data, _ := recorded(f, events)
	f.Fuzz(func(t *testing.T, seed uint64, changes uint16, insert []byte) {
		r := rand.New(rand.NewPCG(seed, 1))
		bad := slices.Clone(data)
		for range changes % 64 {
			bad[r.IntN(len(bad))] = byte(r.Uint32())
		}
		at := r.IntN(len(bad))
		bad = slices.Insert(bad, at, insert...)
		if seed%3 == 0 { // pieces change places
			a, b := r.IntN(len(bad)), r.IntN(len(bad))
			bad = slices.Concat(bad[max(a, b):], bad[:min(a, b)])
		}
		d := ledgertest.NewDisk()
		d.Put(firstSegment, bad)
		known, _ := knownEvents(t, d, events)
		if known[events] {
			t.Error("a unit is known that was never marked")
		}
		if changes%64 == 0 && len(insert) == 0 && seed%3 != 0 && slices.Contains(known[:events], false) {
			t.Errorf("nothing was changed: %v", known)
		}
	})
}
