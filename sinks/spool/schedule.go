package spool

import (
	"container/heap"
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"
)

// The times between deliveries.
const (
	firstBackoff = 2 * time.Second
	maxBackoff   = time.Hour
	// lookAgain is how soon a sink that isn't there is looked for again.
	lookAgain = time.Minute
	// tidyEvery is how often is looked for events that are too old, at the least.
	tidyEvery = time.Minute
	tidyOften = 100 * time.Millisecond
)

// tidyTime is how often is looked for events that are too old, so that one is not much
// older than the bound. s.mu is held.
func (s *Spool) tidyTime() time.Duration {
	return max(tidyOften, min(tidyEvery, s.limits.MaxAge/20))
}

// backoff returns how long an event waits after the nth failed delivery, n from 1:
// between the half and the whole of 2 s, 4 s, 8 s … 1 h.
func backoff(n int) time.Duration {
	d := maxBackoff
	if n < 12 {
		d = min(d, firstBackoff<<(n-1))
	}
	return d/2 + rand.N(d/2)
}

// runner starts deliveries when they are due.
type runner struct {
	wake    chan struct{} // has room for one
	stop    chan struct{}
	ended   chan struct{}
	running sync.WaitGroup
	started bool // guarded by Spool.mu
}

func (s *Spool) ring() {
	select {
	case s.runner.wake <- struct{}{}:
	default:
	}
}

// Start begins to deliver.
func (s *Spool) Start() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.started {
		return
	}
	s.started = true
	s.stop, s.ended = make(chan struct{}), make(chan struct{})
	go s.run()
}

// Stop begins no delivery any more and waits for those that run. Put and Bury can
// still be called. The error is ctx's, when it ends first.
func (s *Spool) Stop(ctx context.Context) error {
	s.mu.Lock()
	started := s.started
	s.started = false
	s.mu.Unlock()
	if !started {
		return nil
	}
	close(s.stop)
	<-s.ended
	done := make(chan struct{})
	go func() {
		s.running.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("spool: deliveries are still running: %w", ctx.Err())
	}
}

// run starts what is due, and sleeps until something is.
func (s *Spool) run() {
	defer close(s.ended)
	timer := time.NewTimer(0)
	defer timer.Stop()
	tidied := time.Now()
	s.running.Go(s.sweep)
	for {
		select {
		case <-s.stop:
			return
		case <-s.runner.wake:
		case <-timer.C:
		}
		if s.storage.bad() {
			s.Usable() // tries again
		}
		s.mu.Lock()
		now := time.Now()
		next := now.Add(s.tidyTime())
		if now.Sub(tidied) >= s.tidyTime() {
			tidied = now
			s.tidy(now)
		}
		for _, q := range s.lanes {
			if at := s.dispatch(q, now); at.Before(next) {
				next = at
			}
		}
		s.mu.Unlock()
		if s.storage.bad() {
			next = now.Add(min(next.Sub(now), probeEvery))
		}
		timer.Reset(time.Until(next))
	}
}

// dispatch starts what is due of a lane and has room, and returns when to look again.
// s.mu is held.
func (s *Spool) dispatch(q *lane, now time.Time) time.Time {
	later := now.Add(tidyEvery)
	for len(q.due) > 0 && q.running < s.workers {
		switch {
		case q.absent.After(now):
			return q.absent
		case q.paused.After(now):
			return q.paused
		case q.probing && q.probe:
			return later // its end wakes us
		case !q.probing && q.due[0].due.After(now):
			return q.due[0].due
		}
		s.launch(q, heap.Pop(&q.due).(*event), s.deliver)
	}
	return later
}

// launch runs a step with an event that was taken from its lane. s.mu is held.
func (s *Spool) launch(q *lane, e *event, step func(*event)) {
	e.running = true
	q.running++
	probe := q.probing
	q.probe, e.probe = q.probe || probe, probe
	s.running.Go(func() {
		defer s.ring()
		defer func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			q.running--
			if probe {
				q.probe = false
			}
		}()
		step(e)
	})
}

// tidy buries the events that are too old and that nothing else would: their sink is
// not there, or its lane is paused. s.mu is held.
func (s *Spool) tidy(now time.Time) {
	s.running.Go(s.sweep)
	for _, q := range s.lanes {
		if !q.absent.After(now) && !q.paused.After(now) && !q.probing {
			continue
		}
		var old []*event
		for _, e := range q.due {
			if s.over(e, now) {
				old = append(old, e)
			}
		}
		for _, e := range old[:min(len(old), 1000)] {
			heap.Remove(&q.due, e.place)
			e.running = true
		}
		old = old[:min(len(old), 1000)]
		if len(old) > 0 {
			s.running.Go(func() {
				for _, e := range old {
					s.expire(e)
				}
			})
		}
	}
}

// Wake makes all events of a sink due now: it is well again.
func (s *Spool) Wake(sink string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if q := s.lanes[sink]; q != nil {
		q.well()
	}
	s.ring()
}

// well ends a pause and makes all due. Spool.mu is held.
func (q *lane) well() {
	q.paused, q.probing, q.absent = time.Time{}, false, time.Time{}
	now := time.Now()
	for _, e := range q.due {
		if e.due.After(now) {
			e.due = now
		}
	}
	heap.Init(&q.due)
}

// pause holds the lane back for d. Spool.mu is held.
func (q *lane) pause(d time.Duration) {
	q.probing = true
	q.paused = time.Now().Add(min(d, maxBackoff))
}
