package spool

import (
	"bytes"
	"time"

	"mxhook/inbound/status"
)

// progress is a line of a batch's log: what was tried of an event, or that it is done.
type progress struct {
	At        time.Time `json:"at"`
	ID        string    `json:"id"` // item id
	State     string    `json:"state"`
	Rounds    int       `json:"rounds,omitempty"`
	Attempts  int       `json:"attempts,omitempty"`
	Next      time.Time `json:"next,omitzero"`
	Condition string    `json:"condition,omitempty"`
	Reply     string    `json:"reply,omitempty"`
	Detail    string    `json:"detail,omitempty"`
}

// The states of a progress.
const (
	stateWaiting   = "waiting"
	stateDelivered = "delivered"
	stateDead      = "dead"
	stateDropped   = "dropped"
)

// note appends a line to a batch's log, unless its files were removed.
func (s *Spool) note(b *batch, p progress, durable bool) error {
	p.At = time.Now().UTC()
	line, err := encode(p)
	if err != nil {
		return err
	}
	b.files.Lock()
	defer b.files.Unlock()
	if b.gone {
		return nil
	}
	f, err := s.files.Append(b.file(".log"))
	if err != nil {
		return err
	}
	// A crash may have left half a line: a new one begins after a line end.
	n, err := f.Write(append([]byte{'\n'}, line...))
	if err == nil && durable {
		if err = f.Sync(); err == nil {
			err = s.waitings.wait() // the log may be new
		}
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	b.bytes += int64(n)
	s.bytes += int64(n)
	return err
}

// finish ends the waiting of an event: delivered, dead or dropped, which is known
// elsewhere (the ledger, the dead event) when sure is true. What the files say of it
// is on stable storage when it returns nil, unless sure is true.
func (s *Spool) finish(e *event, state string, sure bool) error {
	b := e.batch
	s.mu.Lock()
	if e.done { // dropped, while it was under way
		s.mu.Unlock()
		return nil
	}
	e.done = true
	s.forget(e)
	b.left--
	b.must = b.must || !sure
	left := b.left
	s.mu.Unlock()
	if left > 0 {
		return s.note(b, progress{ID: e.id, State: state}, true)
	}
	return s.clear(b)
}

// clear removes the files of a batch whose events are all done. What can't be removed
// is tried again later.
func (s *Spool) clear(b *batch) error {
	s.mu.Lock()
	must := b.must
	s.mu.Unlock()
	b.files.Lock()
	defer b.files.Unlock()
	err := s.remove(b.file(".json"), b.file(".eml"))
	if err == nil && must {
		err = s.waitings.wait() // before the log goes, which knows what is done
	}
	if err == nil {
		err = s.remove(b.file(".log"))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		s.litter = append(s.litter, b)
		return err
	}
	b.gone = true
	s.bytes -= b.bytes
	b.bytes = 0
	return nil
}

// sweep removes what could not be removed before.
func (s *Spool) sweep() {
	s.mu.Lock()
	litter := s.litter
	s.litter = nil
	s.mu.Unlock()
	for _, b := range litter {
		s.clear(b)
	}
}

// readLog returns the last progress of each event of a batch. Lines that are not whole
// are passed over.
func (s *Spool) readLog(b *batch) map[string]progress {
	text, err := s.read(b.file(".log"))
	if err != nil {
		return nil
	}
	last := map[string]progress{}
	for line := range bytes.SplitSeq(text, []byte{'\n'}) {
		var p progress
		if len(line) == 0 || !decode(line, &p) {
			continue
		}
		if last[p.ID].State == "" || last[p.ID].State == stateWaiting {
			last[p.ID] = p
		}
	}
	return last
}

// conditionNamed returns the condition of a name, nil for a name of another version.
func conditionNamed(name string) *status.Condition {
	for _, c := range status.All() {
		if c.Name() == name {
			return c
		}
	}
	return nil
}
