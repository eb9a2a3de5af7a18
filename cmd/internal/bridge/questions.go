package bridge

import (
	"container/list"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"sync"
	"time"

	"mxhook/inbound/status"
	"mxhook/sinks/webhook"
)

// What the questions to one URL may cost: how long one takes at most, how many are
// asked at once, and how many answers are remembered.
const (
	questionTime  = 5 * time.Second
	questionSlots = 32
	questionCache = 10_000
)

// questions asks one URL and remembers its yes and no. It is safe for concurrent use and
// starts no goroutine: who asks first asks for all who have the same question meanwhile.
//
// An answer holds for the whole question: an application may look at the reverse-path,
// the address and the name of the client, and a no for one sender must not become
// one for another.
type questions struct {
	ask   func(ctx context.Context, q webhook.Question) error // as webhook.Asker.Ask
	slots chan struct{}
	bound int // answers

	mu      sync.Mutex // guards what follows
	answers map[questionKey]*list.Element
	order   *list.List // of *remembered, the last used first
	running map[questionKey]*asking
}

type questionKey [sha256.Size]byte

type remembered struct {
	key questionKey
	err error // nil or a no
	at  time.Time
}

// asking is a question that is being asked. err may be read when done is closed.
type asking struct {
	done chan struct{}
	err  error
}

func newQuestions(ask func(context.Context, webhook.Question) error) *questions {
	return &questions{
		ask: ask, slots: make(chan struct{}, questionSlots), bound: questionCache,
		answers: map[questionKey]*list.Element{}, order: list.New(), running: map[questionKey]*asking{},
	}
}

// answer returns what Ask says, or has said within age; it takes questionTime at most.
// What was not answered is not remembered.
func (s *questions) answer(ctx context.Context, q webhook.Question, age time.Duration) error {
	key := keyOf(q)
	s.mu.Lock()
	if r, ok := s.find(key, age); ok {
		s.mu.Unlock()
		return r.err
	}
	a, asked := s.running[key]
	if !asked {
		a = &asking{done: make(chan struct{}), err: status.LookupUnavailable.Wrap("accept", errors.New("asking broke off"))}
		s.running[key] = a
	}
	s.mu.Unlock()
	if !asked {
		defer s.end(key, a, age)
		a.err = s.askNow(ctx, q)
		return a.err
	}
	select {
	case <-a.done:
		return a.err
	case <-ctx.Done():
		return status.LookupUnavailable.Wrap("accept", errors.New("given up"))
	}
}

// askNow waits for a slot and asks, within questionTime for both.
func (s *questions) askNow(ctx context.Context, q webhook.Question) error {
	ctx, cancel := context.WithTimeout(ctx, questionTime)
	defer cancel()
	select {
	case s.slots <- struct{}{}:
		defer func() { <-s.slots }()
	case <-ctx.Done():
	}
	if ctx.Err() != nil { // also where a slot became free at that moment
		return status.LookupUnavailable.Wrap("accept", errors.New("too many questions are waiting for an answer"))
	}
	return s.ask(ctx, q)
}

// end tells those who wait, also after a panic.
func (s *questions) end(key questionKey, a *asking, age time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.running, key)
	close(a.done)
	if age <= 0 || status.ClassOf(a.err) == status.Temporary {
		return
	}
	if e := s.answers[key]; e != nil {
		s.forget(e)
	}
	s.answers[key] = s.order.PushFront(&remembered{key, a.err, time.Now()})
	for s.order.Len() > s.bound {
		s.forget(s.order.Back())
	}
}

// find returns an answer that is not older than age. s.mu is held.
func (s *questions) find(key questionKey, age time.Duration) (*remembered, bool) {
	e := s.answers[key]
	if e == nil {
		return nil, false
	}
	r := e.Value.(*remembered)
	if time.Since(r.at) >= age {
		s.forget(e)
		return nil, false
	}
	s.order.MoveToFront(e)
	return r, true
}

func (s *questions) forget(e *list.Element) {
	delete(s.answers, s.order.Remove(e).(*remembered).key)
}

// keyOf returns a digest, so that long addresses take no more memory than short ones.
func keyOf(q webhook.Question) questionKey {
	text, err := json.Marshal(q)
	if err != nil { // no struct of strings has one
		panic(err)
	}
	return sha256.Sum256(text)
}
