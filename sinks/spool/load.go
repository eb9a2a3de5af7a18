package spool

import (
	"bytes"
	"cmp"
	"errors"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"mxhook/sinks/ledger"
)

// loaded is a batch as its files say.
type loaded struct {
	batch *batch
	head  head
	log   map[string]progress
	err   error
}

// load reads what is in the folders. s.mu is held, and nobody else uses s yet. Only an
// error of reading is one; what is damaged is told in the log, and set aside. It may be
// called again after an error.
func (s *Spool) load() error {
	began := time.Now()
	s.bytes = 0 // of a load that ended in the middle
	if err := s.loadDead(); err != nil {
		return err
	}
	files, err := s.files.List(waitingFolder)
	if err != nil {
		return err
	}
	batches := s.pair(files)
	s.readHeads(batches)
	slices.SortFunc(batches, func(a, b *loaded) int {
		return cmp.Or(a.head.SpooledAt.Compare(b.head.SpooledAt), cmp.Compare(a.batch.name, b.batch.name))
	})
	var waits []waiter
	for _, l := range batches {
		switch {
		case errors.Is(l.err, errRecord):
			s.setAside(l.batch)
		case l.err != nil:
			return l.err
		default:
			waits = append(waits, s.loadBatch(l)...)
		}
	}
	s.askLedger(waits)
	if len(s.waiting)+len(s.dead) > 0 {
		s.log.Info("spool opened", "waiting", len(s.waiting), "dead", len(s.dead), "octets", s.bytes, "took", time.Since(began))
	}
	return nil
}

// loadDead lists the dead events; their records are read when they are asked for.
func (s *Spool) loadDead() error {
	files, err := s.files.List(deadFolder)
	if err != nil {
		if errors.Is(err, errNotFolder) {
			s.log.Error("dead events can't be kept", "problem", "the folder dead is a file")
			return nil
		}
		return err
	}
	sizes := map[string]int64{}
	for _, f := range files {
		sizes[f.Name] = f.Size
	}
	for name, size := range sizes {
		base, suffix := cutSuffix(name)
		id, ok := deadID(name, suffix)
		octets, whole := sizes[base+map[string]string{".json": ".eml", ".eml": ".json"}[suffix]]
		switch {
		case isTemporary(name):
			s.files.Remove(deadFolder + "/" + name)
		case !ok:
			// A person's.
		case !whole:
			s.log.Warn("half a dead event removed, nobody was told that it is kept, or it was removed", "file", name)
			s.files.Remove(deadFolder + "/" + name)
		case suffix == ".json":
			s.dead[id] = size + octets
			s.bytes += s.dead[id]
		}
	}
	return nil
}

func isTemporary(name string) bool {
	return strings.HasPrefix(name, tempPrefix) && strings.HasSuffix(name, tempSuffix)
}

// pair finds the batches among files, and removes what a crash left of others.
func (s *Spool) pair(files []Listed) (batches []*loaded) {
	type trio struct {
		eml, meta, log bool
		bytes          int64
	}
	names := map[string]*trio{}
	for _, f := range files {
		base, suffix := cutSuffix(f.Name)
		switch {
		case isTemporary(f.Name):
			s.files.Remove(waitingFolder + "/" + f.Name)
			continue
		case suffix == "":
			if strings.HasSuffix(f.Name, damagedSuffix) {
				s.bytes += f.Size
			}
			continue
		}
		t := names[base]
		if t == nil {
			t = &trio{}
			names[base] = t
		}
		t.bytes += f.Size
		t.eml = t.eml || suffix == ".eml"
		t.meta = t.meta || suffix == ".json"
		t.log = t.log || suffix == ".log"
	}
	for base, t := range names {
		b := &batch{name: base, bytes: t.bytes}
		if t.eml && t.meta {
			l := &loaded{batch: b}
			if t.log {
				l.log = map[string]progress{}
			}
			batches = append(batches, l)
			continue
		}
		s.log.Warn("half a batch removed: it was not acknowledged, or is done", "batch", base)
		s.removeNamed(b.file(".json"), b.file(".eml"), b.file(".log"))
	}
	return batches
}

func cutSuffix(name string) (base, suffix string) {
	for _, suffix := range []string{".eml", ".json", ".log"} {
		if base, ok := strings.CutSuffix(name, suffix); ok && base != "" {
			return base, suffix
		}
	}
	return name, ""
}

// readHeads reads heads and logs, several at a time.
func (s *Spool) readHeads(batches []*loaded) {
	buffers := sync.Pool{New: func() any { return new([4096]byte) }}
	each(len(batches), func(i int) {
		l := batches[i]
		buffer := buffers.Get().(*[4096]byte)
		l.head, l.err = s.readHead(l.batch, buffer[:])
		buffers.Put(buffer)
		if l.err == nil && l.log != nil {
			l.log = s.readLog(l.batch)
		}
	})
}

// each calls do for 0 to n-1, in a few goroutines.
func each(n int, do func(i int)) {
	const crowd = 16
	var wg sync.WaitGroup
	for g := range min(crowd, n) {
		wg.Go(func() {
			for i := g; i < n; i += crowd {
				do(i)
			}
		})
	}
	wg.Wait()
}

// readHead reads the first line of a batch's record, with the help of buffer.
func (s *Spool) readHead(b *batch, buffer []byte) (h head, err error) {
	f, err := s.files.Open(b.file(".json"))
	if err != nil {
		return h, err
	}
	defer f.Close()
	n, err := f.ReadAt(buffer, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return h, err
	}
	line, _, whole := bytes.Cut(buffer[:n], []byte{'\n'})
	if !whole && err == nil { // there is more
		text, err := s.read(b.file(".json"))
		if err != nil {
			return h, err
		}
		line, _, _ = bytes.Cut(text, []byte{'\n'})
	}
	if !decode(line, &h) || h.Schema != WaitingSchema || len(h.Events) == 0 {
		return h, errRecord
	}
	return h, nil
}

const damagedSuffix = ".damaged"

// setAside keeps files that can't be read from being read again.
func (s *Spool) setAside(b *batch) {
	s.log.Error("spooled message set aside, its record is damaged: look at it and deliver it by hand", "batch", b.name)
	s.bytes += b.bytes
	for _, suffix := range []string{".json", ".eml", ".log"} {
		if err := s.files.Rename(b.file(suffix), b.file(suffix)+damagedSuffix); err != nil && !missing(err) {
			s.log.Error("file not set aside", "batch", b.name, "suffix", suffix)
		}
	}
}

// waiter is an event that may wait, with its units.
type waiter struct {
	event *event
	keys  []ledger.Key
}

// loadBatch puts a batch into the index, and returns its events that wait. Those whose
// dead event is newer, or that another batch has, are done.
func (s *Spool) loadBatch(l *loaded) (waits []waiter) {
	b := l.batch
	s.bytes += b.bytes
	now := time.Now()
	var ended []*event
	for i, e := range s.index(b, l.head) {
		p := l.log[e.id]
		over := p.State != "" && p.State != stateWaiting || s.waiting[e.id] != nil
		if _, both := s.dead[e.id]; both && !over {
			if s.burial(e.id).After(b.spooledAt) {
				over = true
			} else {
				s.removeDead(e.id)
			}
		}
		if over {
			ended = append(ended, e)
			continue
		}
		e.rounds, e.attempts, e.condition, e.detail, e.reply = p.Rounds, p.Attempts, conditionNamed(p.Condition), p.Detail, p.Reply
		due := p.Next
		if due.After(now.Add(maxBackoff)) { // the clock was set back
			due = now.Add(maxBackoff)
		}
		s.postpone(e, due)
		s.enqueue(e)
		waits = append(waits, waiter{e, keysOf(l.head.Events[i].Units)})
	}
	b.left -= len(ended)
	b.must = b.must || len(ended) > 0
	if b.left == 0 {
		s.litter = append(s.litter, b)
	}
	return waits
}

// removeDead removes a dead event that waits again. s.mu is held.
func (s *Spool) removeDead(id string) {
	if s.remove(deadFile(id, ".json")) == nil && s.files.Sync(deadFolder) == nil {
		s.remove(deadFile(id, ".eml"))
		s.bytes -= s.dead[id]
		delete(s.dead, id)
	}
}

// askLedger ends the events whose units the ledger knows as delivered, and tells it of
// those that it doesn't know: the crash came before it was told that they wait. s.mu is
// held.
func (s *Spool) askLedger(waits []waiter) {
	if s.ledger == nil {
		return
	}
	var unknown []waiter
	for _, w := range waits {
		delivered, known := len(w.keys) > 0, true
		for _, d := range s.ledger.Known(w.keys) {
			delivered = delivered && d.State == ledger.Delivered
			known = known && d.State.Suppresses()
		}
		switch {
		case delivered:
			s.forget(w.event)
			if w.event.batch.left--; w.event.batch.left == 0 {
				s.litter = append(s.litter, w.event.batch)
			}
		case !known:
			unknown = append(unknown, w)
		}
	}
	each(len(unknown), func(i int) {
		w := unknown[i]
		if err := s.ledger.Mark(w.event.event, ledger.Spooled, w.keys); err != nil {
			s.log.Warn("ledger doesn't know that an event waits; a resend may be delivered, too, under the same id", "event", w.event.event, "sink", w.event.sink)
		}
	})
}
