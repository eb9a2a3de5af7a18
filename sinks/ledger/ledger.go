// Package ledger remembers which units were delivered, so that what the sender sends
// again is not delivered again, over reconnects and restarts; since when a unit is
// deferred; and which are on their way now, so that two sessions never deliver the
// same unit at once.
//
// A unit is (identity of the message, route, sink, recipient); its Key is a digest of
// these. All units of an event become done by one record, in one write: after a crash
// all of them are known, or none. Mark returns when the record is on stable storage;
// those who call it at the same time share one fsync.
//
// The store is a folder of segments, files that are only ever appended to, and an
// index in memory. It is bounded in age and in number: the oldest segment is removed
// as a whole. What a crash left half written is dropped, what a fault of the disk
// damaged is left out and told in the log: a doubt costs a duplicate, never a loss.
// A record is believed only if its digest, which is keyed by its segment, is right.
//
// A failed Mark means that nothing is remembered; the ledger stays usable and
// recovers when the storage does. Errors wrap status.NoStorage, except those of Open.
// A Ledger is safe for concurrent use.
package ledger

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"mxhook/inbound/status"
	"mxhook/sinks/durable"
)

// The defaults of Options.
const (
	DefaultMaxAge   = 192 * time.Hour // longer than any known sender tries
	DefaultMaxUnits = 1 << 20
)

// generations is into how many segments the ledger's age and size are cut: a unit is
// kept for up to 1/16 longer, or dropped that much earlier when the size is the bound.
const generations = 16

// Options bound a Ledger.
type Options struct {
	MaxAge   time.Duration // how long a unit is known; 0 is DefaultMaxAge
	MaxUnits int           // how many are known; the oldest are dropped first; 0 is DefaultMaxUnits
	Log      *slog.Logger  // nil: silent
	// Retry is how soon a storage that failed is tried again; 0 is a second.
	Retry time.Duration
	// Now is the clock, nil for the system's. Age is counted by its monotonic part
	// where it has one.
	Now func() time.Time
	// Files is where the segments are kept, nil for the folder.
	Files Files
}

// Ledger is an open ledger.
type Ledger struct {
	log      *slog.Logger
	files    Files
	lock     io.Closer
	maxUnits int

	mu       sync.RWMutex // guards all below
	segments []*segment   // oldest first
	age      clock
	maxAge   time.Duration

	flightsMu sync.Mutex
	flights   map[Key]*Flight

	writer writer
}

// Open opens the ledger in dir, which is made if it is missing, and takes the folder
// for this process alone. The error names dir.
func Open(dir string, o Options) (*Ledger, error) {
	l := &Ledger{log: o.Log, files: o.Files, maxUnits: cmp.Or(o.MaxUnits, DefaultMaxUnits), maxAge: cmp.Or(o.MaxAge, DefaultMaxAge),
		flights: map[Key]*Flight{}}
	if l.log == nil {
		l.log = slog.New(slog.DiscardHandler)
	}
	if l.files == nil {
		if err := durable.MkdirAll(dir); err != nil {
			return nil, fmt.Errorf("ledger: %w", err)
		}
		l.files = folder(dir)
	}
	var err error
	if l.lock, err = l.files.Lock(); errors.Is(err, ErrLocked) {
		return nil, fmt.Errorf("ledger: the folder %s is %w; stop that one, or give each its own state", dir, ErrLocked)
	} else if err != nil {
		return nil, fmt.Errorf("ledger: %s: %w", dir, err)
	}
	if err := l.load(o.Now); err != nil {
		l.lock.Close()
		return nil, fmt.Errorf("ledger: %s: %w", dir, err)
	}
	l.writer.start(l, cmp.Or(o.Retry, time.Second))
	return l, nil
}

// Known returns what is known of each unit, in the order of the keys.
func (l *Ledger) Known(keys []Key) []Done {
	done := make([]Done, len(keys))
	l.mu.RLock()
	defer l.mu.RUnlock()
	now := l.age.now()
	for i, k := range keys {
		done[i] = l.find(k, now)
	}
	return done
}

// find looks from the newest segment to the oldest, until a state that no other
// overrides. l.mu is held.
func (l *Ledger) find(k Key, now time.Duration) (d Done) {
	for i := len(l.segments) - 1; i >= 0 && d.State.rank() < lastRank; i-- {
		n, ok := l.segments[i].index[k]
		if !ok {
			continue
		}
		e := l.segments[i].events[n]
		if now-e.age > l.maxAge {
			return d
		}
		if !e.state.yields(d.State) {
			d = Done{State: e.state, Event: e.id, Age: now - e.age}
			if e.at != 0 {
				d.At = time.Unix(0, e.at).UTC()
			}
		}
	}
	return d
}

// Mark remembers the units of one event. What is known of a unit already is not
// overridden by a state that says less; that it was deferred before, by nothing but
// what became of it. It returns nil when they are on stable storage. An error wraps status.NoStorage, and none of them is known then. It blocks
// as long as the storage does.
func (l *Ledger) Mark(event string, s State, keys []Key) error {
	return l.MarkSince(event, s, keys, time.Time{})
}

// MarkSince is Mark with a time that the caller wants to know again exactly, as Done.At;
// zero is none. Age doesn't depend on it.
func (l *Ledger) MarkSince(event string, s State, keys []Key, at time.Time) error {
	if len(keys) == 0 {
		return nil
	}
	if len(keys) > maxKeys || len(event) > maxID || s.rank() == 0 {
		return status.LocalError.Wrap("ledger", errors.New("not a record"))
	}
	e := &entry{id: event, state: s, keys: keys}
	if !at.IsZero() {
		e.at = at.UnixNano()
	}
	return l.writer.append(e)
}

// SetMaxAge changes how long a unit is known.
func (l *Ledger) SetMaxAge(d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.maxAge = cmp.Or(d, DefaultMaxAge)
}

// Usable returns nil when the last write succeeded, else its error, which wraps
// status.NoStorage. It costs nothing: a storage that failed is tried again every Options.Retry.
func (l *Ledger) Usable() error { return l.writer.usable() }

// Units returns how many units are held in memory; one that was marked twice may
// count twice.
func (l *Ledger) Units() int {
	l.mu.RLock()
	defer l.mu.RUnlock()
	n := 0
	for _, s := range l.segments {
		n += len(s.index)
	}
	return n
}

// Close ends the ledger: Marks that have begun end first, later ones fail.
func (l *Ledger) Close() error {
	l.writer.stop()
	return l.lock.Close()
}
