package spool

import "sync"

// share makes the names in a folder durable: those who ask while an fsync runs share
// the next one.
type share struct {
	sync func() error

	turn sync.Mutex // held while the fsync runs
	mu   sync.Mutex // guards next
	next *round
}

type round struct {
	done chan struct{}
	err  error
}

// wait returns when an fsync that began after the call has ended.
func (s *share) wait() error {
	s.mu.Lock()
	r := s.next
	if r != nil {
		s.mu.Unlock()
		<-r.done
		return r.err
	}
	r = &round{done: make(chan struct{})}
	s.next = r
	s.mu.Unlock()
	s.turn.Lock()
	s.mu.Lock()
	s.next = nil // who comes now may have named its files after the fsync began
	s.mu.Unlock()
	r.err = s.sync()
	s.turn.Unlock()
	close(r.done)
	return r.err
}
