// Package spool keeps events on disk: waiting ones, which its workers bring to their
// sinks, and dead ones, which a sink refused for good or that waited too long.
//
// Put makes the events of one message durable, all or none, before the sender is told
// 250. Each sink has a queue and workers of its own, so that none waits for another;
// order is not promised. A waiting event ends as delivered or as a dead event; a dead
// one waits for a person, who puts it back (Replay) or removes it (Drop).
//
// The state is in the files alone: what README.md says of them holds after a crash at
// any moment. No message is held in memory while it waits; each attempt makes the event
// again from its files, with the same bytes. Errors of Put, Bury and Usable wrap
// status.NoStorage and name no path. A Spool is safe for concurrent use.
package spool

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"mxhook/inbound/status"
	"mxhook/sinks"
	"mxhook/sinks/durable"
	"mxhook/sinks/ledger"
)

// Limits may change while the spool runs.
type Limits struct {
	MaxBytes int64         // of all files, waiting and dead; 0 is 10 GiB
	MaxAge   time.Duration // how long an event waits before it is dead; 0 is 72 h
	Budget   time.Duration // of one delivery, as its context's deadline; 0 is 30 s
}

// Options are what a Spool works with.
type Options struct {
	Limits
	Log *slog.Logger // nil: silent
	// Sink returns the sink of a name, and what to call when it is not used any more;
	// nil when there is none now. It is called for each delivery. Without it nothing is
	// delivered.
	Sink func(name string) (s sinks.Sink, done func())
	// Ledger is told what became of units; nil: nobody is.
	Ledger *ledger.Ledger
	// Observer is told each outcome, as a late one.
	Observer sinks.Observer
	// Changed is told what became of an event: a yes, another wait, a burial, or an
	// operator's decision. It is safe for concurrent use and quick. Nil: nobody is told.
	Changed func(Change)
	// Workers is how many deliveries of one sink run at once; 0 is 8.
	Workers int
	// Files is where the files are, nil for the folder.
	Files Files
}

// Spool is an open spool.
type Spool struct {
	log      *slog.Logger
	files    Files
	sink     func(name string) (sinks.Sink, func())
	observer sinks.Observer
	changed  func(Change)
	workers  int
	parsing  chan struct{} // has room for those who make events from files at once
	waitings share         // of the folder of waiting events
	deads    share         // of that of dead ones
	storage  storage

	mu      sync.Mutex // guards all below
	limits  Limits
	ledger  *ledger.Ledger
	lock    io.Closer // nil while the folder is not open
	closed  bool
	bytes   int64
	waiting map[string]*event        // by item id
	putting map[string]chan struct{} // item ids that a Put has under way
	dead    map[string]int64         // item id to octets
	refused refused                  // the dead events that no sink refused
	lanes   map[string]*lane         // by sink
	litter  []*batch                 // all done, but their files could not be removed

	runner
}

// Open takes STATE/spool and STATE/dead for this process, and loads what is there.
// Nothing is delivered before Start. The error says when another process has them.
// Where nothing can be written now (a full disk), the Spool is not Usable and opens
// the folder later.
func Open(state string, o Options) (*Spool, error) {
	s := &Spool{
		log: o.Log, files: o.Files, sink: o.Sink, observer: o.Observer, changed: o.Changed, ledger: o.Ledger, workers: cmp.Or(o.Workers, 8),
		parsing: make(chan struct{}, parsers()),
		waiting: map[string]*event{}, putting: map[string]chan struct{}{}, dead: map[string]int64{}, lanes: map[string]*lane{},
	}
	s.runner.wake = make(chan struct{}, 1)
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.files == nil {
		s.files = folder(state)
	}
	if s.sink == nil {
		s.sink = func(string) (sinks.Sink, func()) { return nil, nil }
	}
	s.waitings.sync = func() error { return s.files.Sync(waitingFolder) }
	s.deads.sync = func() error { return s.files.Sync(deadFolder) }
	s.limits = withDefaults(o.Limits)
	switch err := s.open(); {
	case errors.Is(err, durable.ErrLocked):
		return nil, fmt.Errorf("spool: the folder %s is %w; stop that one, or give each its own state", state, durable.ErrLocked)
	case err != nil && !durable.IsStorage(err):
		return nil, fmt.Errorf("spool: %s: %w", state, err)
	case err != nil:
		s.storage.failed(s.log, err)
	}
	return s, nil
}

// open takes the folder and loads it.
func (s *Spool) open() error {
	if err := s.files.Mkdir(waitingFolder); err != nil {
		return err
	}
	lock, err := s.files.Lock()
	if errors.Is(err, errors.ErrUnsupported) {
		s.log.Warn("this system has no flock: see to it that no other process uses the state folder")
		lock, err = io.NopCloser(nil), nil
	}
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lock != nil || s.closed {
		lock.Close()
		return nil
	}
	if err := s.load(); err != nil {
		lock.Close()
		return err
	}
	s.lock = lock
	return nil
}

func withDefaults(l Limits) Limits {
	return Limits{MaxBytes: cmp.Or(l.MaxBytes, 10<<30), MaxAge: cmp.Or(l.MaxAge, 72*time.Hour), Budget: cmp.Or(l.Budget, 30*time.Second)}
}

// Configure changes the limits, and the ledger if that isn't nil, and looks again for
// the sinks that were not there.
func (s *Spool) Configure(l Limits, book *ledger.Ledger) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.limits = withDefaults(l)
	if book != nil {
		s.ledger = book
	}
	for _, q := range s.lanes {
		q.absent = time.Time{}
	}
	s.ring()
}

// Close gives the folder back. Put, Bury and the rest fail from now on. Stop comes
// before it.
func (s *Spool) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	if s.lock == nil {
		return nil
	}
	return s.lock.Close()
}

// Stats returns how many events wait, how many are dead, and the octets of all files.
func (s *Spool) Stats() (waiting, dead int, bytes int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.waiting), len(s.dead), s.bytes
}

const op = "spool"

var (
	errFull   = errors.New("the spool is full")
	errClosed = errors.New("the spool is closed")
	errShut   = errors.New("the spool's folder can't be opened")
)

// Usable returns nil when an event can be taken, else an error that wraps
// status.NoStorage: the spool is full, or its last write failed. A storage that failed
// is tried again at most once a second, by one of those who ask.
func (s *Spool) Usable() error {
	s.mu.Lock()
	closed, full := s.closed, s.bytes >= s.limits.MaxBytes
	s.mu.Unlock()
	switch {
	case closed:
		return status.NoStorage.Wrap(op, errClosed)
	case full:
		return status.NoStorage.Wrap(op, errFull)
	}
	if err := s.storage.usable(s.log, s.probe); err != nil {
		return status.NoStorage.Wrap(op, errors.New(durable.Reason(err)))
	}
	return nil
}

// reserve takes n octets of the bound; free gives them back.
func (s *Spool) reserve(n int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return errClosed
	case s.lock == nil:
		return errShut
	case s.bytes+n > s.limits.MaxBytes:
		return errFull
	}
	s.bytes += n
	return nil
}

func (s *Spool) count(n int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bytes += n
}

// storageError makes the error that a caller gets.
func storageError(err error) error {
	if ours(err) {
		return status.NoStorage.Wrap(op, err)
	}
	return status.NoStorage.Wrap(op, errors.New(durable.Reason(err)))
}

// ours tells whether err is one of this package's, which says nothing of the storage.
func ours(err error) bool {
	return errors.Is(err, errFull) || errors.Is(err, errClosed) || errors.Is(err, errShut) || errors.Is(err, errNotBatch) || errors.Is(err, errNoSink)
}
