package spool

import (
	"cmp"
	"errors"
	"slices"
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
		s.uncount(id)
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
