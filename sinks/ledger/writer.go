package ledger

import (
	"crypto/rand"
	"errors"
	"sync"
	"time"

	"mxhook/inbound/status"
	"mxhook/sinks/durable"
)

// writer appends to the newest segment. One goroutine writes: what comes while it
// waits for an fsync shares the next one.
type writer struct {
	ledger *Ledger
	retry  time.Duration
	wake   chan struct{} // has room for one
	ended  chan struct{}

	mu     sync.Mutex
	queue  []*entry
	closed bool
	failed error // of the last write

	// Of the goroutine alone.
	active  *segment // nil when a new one has to be begun
	next    uint64   // number of the next segment
	adopted bool     // whether the newest segment of before was looked at
	buffer  []byte
}

func (w *writer) start(l *Ledger, retry time.Duration) {
	w.ledger, w.retry = l, retry
	w.wake, w.ended = make(chan struct{}, 1), make(chan struct{})
	go w.run()
}

// stop lets what was queued be written and ends the goroutine.
func (w *writer) stop() {
	w.mu.Lock()
	w.closed = true
	w.mu.Unlock()
	w.ring()
	<-w.ended
}

func (w *writer) ring() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

var errClosed = errors.New("the ledger is closed")

// append hands e to the goroutine and waits for its outcome.
func (w *writer) append(e *entry) error {
	e.done = make(chan error, 1)
	w.mu.Lock()
	if w.closed {
		w.mu.Unlock()
		return status.NoStorage.Wrap("ledger", errClosed)
	}
	w.queue = append(w.queue, e)
	w.mu.Unlock()
	w.ring()
	return <-e.done
}

func (w *writer) usable() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.failed
}

func (w *writer) run() {
	defer close(w.ended)
	for batch := w.take(); batch != nil; batch = w.take() {
		err := w.commit(batch)
		w.mu.Lock()
		changed := (err == nil) != (w.failed == nil)
		w.failed = err
		w.mu.Unlock()
		if changed {
			w.tell(err)
		}
		for _, e := range batch {
			e.done <- err
		}
	}
	if w.active != nil {
		w.active.file.Close()
	}
}

// take waits for a batch; nil when the ledger is closed. While the storage fails it
// is tried again with an empty entry.
func (w *writer) take() []*entry {
	for {
		w.mu.Lock()
		batch, closed, failed := w.queue, w.closed, w.failed != nil
		w.queue = nil
		w.mu.Unlock()
		switch {
		case len(batch) > 0:
			return batch
		case closed:
			return nil
		case !failed:
			<-w.wake
			continue
		}
		retry := time.NewTimer(w.retry)
		select {
		case <-w.wake:
			retry.Stop()
		case <-retry.C:
			return []*entry{{done: make(chan error, 1)}}
		}
	}
}

// tell logs that the storage failed, or recovered.
func (w *writer) tell(err error) {
	if err != nil {
		w.ledger.log.Error("ledger can't be written, mail is deferred", "error", err)
		return
	}
	w.ledger.log.Info("ledger can be written again")
}

// commit writes a batch and puts it into the index when it is on stable storage.
func (w *writer) commit(batch []*entry) error {
	l := w.ledger
	l.mu.RLock()
	now, maxAge := l.age.now(), l.maxAge
	l.mu.RUnlock()
	wall := l.age.read().UnixNano()
	for _, e := range batch {
		e.age, e.wall = now, wall
	}
	if err := w.write(batch, now, maxAge); err != nil {
		return status.NoStorage.Wrap("ledger", errors.New(durable.Reason(err)))
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range batch {
		w.active.add(e)
	}
	l.expire()
	return nil
}

func (w *writer) write(batch []*entry, now, maxAge time.Duration) error {
	if !w.adopted {
		w.adopted = true
		w.adopt(now, maxAge)
	}
	if s := w.active; s != nil && s.full(now, maxAge, w.ledger.maxUnits) {
		w.leave()
	}
	if w.active == nil {
		return w.begin(batch)
	}
	s := w.active
	w.buffer = w.buffer[:0]
	for _, e := range batch {
		w.buffer = appendRecord(w.buffer, s.seed, e)
	}
	if _, err := s.file.Write(w.buffer); err != nil {
		w.undo(s)
		return err
	}
	if err := s.file.Sync(); err != nil {
		// What an fsync that failed has left is not known, and asking again may say
		// yes for nothing: the file is never written to again.
		s.file.Truncate(s.size)
		w.leave()
		return err
	}
	s.size += int64(len(w.buffer))
	return nil
}

// undo takes back what a failed write may have left, so that the segment can be
// appended to again. Where that fails too, the next batch begins a new one.
func (w *writer) undo(s *segment) {
	if s.file.Truncate(s.size) != nil || s.file.Sync() != nil {
		w.leave()
	}
}

// leave ends appending to the active segment.
func (w *writer) leave() {
	s := w.active
	w.active = nil
	w.ledger.mu.Lock()
	defer w.ledger.mu.Unlock()
	s.file.Close()
	s.file, s.size = nil, 0
}

// adopt opens the newest segment for appending at the first write, if it is whole and
// has room; what a crash left at its end is cut off. Where that can't be done, a new
// segment is begun.
func (w *writer) adopt(now, maxAge time.Duration) {
	l := w.ledger
	if len(l.segments) == 0 {
		return
	}
	s := l.segments[len(l.segments)-1]
	if s.size == 0 || s.number+1 != w.next || s.full(now, maxAge, l.maxUnits) {
		return
	}
	f, err := l.files.Append(s.name, s.size)
	if err != nil {
		l.log.Warn("ledger segment can't be appended to, a new one is begun", "segment", s.name, "problem", durable.Reason(err))
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	s.file, w.active = f, s
}

// begin makes a new segment whose first records are the batch. After an error it is
// not there.
func (w *writer) begin(batch []*entry) error {
	l := w.ledger
	s := newSegment(w.next)
	w.next++
	rand.Read(s.seed[:])
	w.buffer = appendHeader(w.buffer[:0], s.seed)
	for _, e := range batch {
		w.buffer = appendRecord(w.buffer, s.seed, e)
	}
	f, err := l.files.Create(s.name)
	if err != nil {
		return err
	}
	_, err = f.Write(w.buffer)
	if err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = l.files.SyncDir()
	}
	if err != nil {
		f.Close()
		l.files.Remove(s.name)
		return err
	}
	s.file, s.size = f, int64(len(w.buffer))
	l.mu.Lock()
	defer l.mu.Unlock()
	l.segments = append(l.segments, s)
	w.active = s
	return nil
}
