package bridge

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"mxhook/inbound/status"
	"mxhook/sinks/webhook"
)

var (
	errNo   = status.UnknownRecipient.Wrap("test", nil)
	errOpen = status.LookupUnavailable.Wrap("test", nil)
)

// asked counts questions and gives the same answer to each.
type asked struct {
	n      atomic.Int64
	open   atomic.Int64 // at this moment
	most   atomic.Int64 // at any
	answer error
	took   time.Duration
}

func (a *asked) ask(ctx context.Context, _ webhook.Question) error {
	a.n.Add(1)
	defer a.open.Add(-1)
	for open := a.open.Add(1); ; {
		most := a.most.Load()
		if open <= most || a.most.CompareAndSwap(most, open) {
			break
		}
	}
	select {
	case <-time.After(a.took):
		return a.answer
	case <-ctx.Done():
		return errOpen
	}
}

func TestYesAndNoAreRememberedAndNothingElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, c := range []struct {
			name   string
			answer error
			cache  time.Duration
			want   int64 // questions for three
		}{
			{"yes", nil, time.Minute, 1}, {"no", errNo, time.Minute, 1}, {"no answer", errOpen, time.Minute, 3},
			{"an error without a condition", errors.New("x"), time.Minute, 3},
			{"yes, without a cache", nil, 0, 3}, {"no, without a cache", errNo, 0, 3},
		} {
			a := &asked{answer: c.answer}
			s := newQuestions(a.ask)
			for range 3 {
				if err := s.answer(t.Context(), webhook.Question{Recipient: "a@in.example"}, c.cache); err != c.answer {
					t.Errorf("%s: %v", c.name, err)
				}
				time.Sleep(19 * time.Second)
			}
			if a.n.Load() != c.want {
				t.Errorf("%s: asked %d times, want %d", c.name, a.n.Load(), c.want)
			}
		}
	})
}

func TestAnAnswerHoldsForItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &asked{}
		s := newQuestions(a.ask)
		for _, step := range []struct {
			after time.Duration
			want  int64
		}{{0, 1}, {59 * time.Second, 1}, {time.Second, 2}, {59 * time.Second, 2}, {time.Hour, 3}} {
			time.Sleep(step.after)
			s.answer(t.Context(), webhook.Question{}, time.Minute)
			if a.n.Load() != step.want {
				t.Errorf("asked %d times, want %d", a.n.Load(), step.want)
			}
		}
		if s.answer(t.Context(), webhook.Question{}, time.Second); a.n.Load() != 3 {
			t.Error("a fresh answer is too old for a shorter cache")
		}
		time.Sleep(time.Second)
		if s.answer(t.Context(), webhook.Question{}, time.Second); a.n.Load() != 4 {
			t.Error("a reload that shortens the cache doesn't hold for old answers")
		}
	})
}

func TestAnAnswerHoldsForTheWholeQuestion(t *testing.T) {
	a := &asked{}
	s := newQuestions(a.ask)
	list := []webhook.Question{
		{}, {Recipient: "a@in.example"}, {ReversePath: "a@in.example"}, {RemoteIP: "192.0.2.1"}, {HELO: "192.0.2.1"},
		{Route: "1"}, {Recipient: "A@in.example"}, {Recipient: `a","reverse_path":"b`}, {Recipient: "a", ReversePath: "b"},
	}
	for range 2 {
		for _, q := range list {
			s.answer(t.Context(), q, time.Hour)
		}
	}
	if int(a.n.Load()) != len(list) {
		t.Errorf("asked %d times for %d questions", a.n.Load(), len(list))
	}
}

func TestTheAnswersAreBounded(t *testing.T) {
	a := &asked{}
	s := newQuestions(a.ask)
	s.bound = 3
	ask := func(i int) { s.answer(t.Context(), webhook.Question{Recipient: fmt.Sprint(i)}, time.Hour) }
	for i := range 100 {
		ask(0) // which is used all the time
		ask(i + 1)
		if len(s.answers) > 3 || s.order.Len() != len(s.answers) || len(s.running) != 0 {
			t.Fatalf("%d answers, %d in order, %d running", len(s.answers), s.order.Len(), len(s.running))
		}
	}
	if a.n.Load() != 101 {
		t.Errorf("asked %d times: the answer that is used is not kept", a.n.Load())
	}
}

func TestTheSameQuestionIsAskedOnceAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, answer := range []error{nil, errNo, errOpen} {
			a := &asked{answer: answer, took: time.Second}
			s := newQuestions(a.ask)
			var wait sync.WaitGroup
			for range 100 {
				wait.Go(func() {
					if err := s.answer(t.Context(), webhook.Question{}, 0); err != answer {
						t.Error(err)
					}
				})
			}
			wait.Wait()
			if a.n.Load() != 1 || len(s.running) != 0 {
				t.Errorf("asked %d times, %d running", a.n.Load(), len(s.running))
			}
		}
	})
}

func TestNobodyWaitsLongerThanAQuestionMayTake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &asked{took: time.Hour}
		s := newQuestions(a.ask)
		began := time.Now()
		var wait sync.WaitGroup
		for i := range 200 {
			wait.Go(func() {
				err := s.answer(t.Context(), webhook.Question{Recipient: fmt.Sprint(i % 150)}, time.Minute)
				if status.ConditionOf(err) != status.LookupUnavailable || time.Since(began) != questionTime {
					t.Errorf("%v after %s", err, time.Since(began))
				}
			})
		}
		wait.Wait()
		if a.most.Load() != questionSlots || len(s.slots) != 0 {
			t.Errorf("%d questions were asked at once, %d slots are taken", a.most.Load(), len(s.slots))
		}
		a.took = 0
		if err := s.answer(t.Context(), webhook.Question{Recipient: "0"}, time.Minute); err != nil {
			t.Errorf("when it answers again: %v", err)
		}
	})
}

func TestWhoGivesUpLeavesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &asked{took: 2 * time.Second}
		s := newQuestions(a.ask)
		var wait sync.WaitGroup
		first, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		for _, ctx := range []context.Context{first, t.Context(), first} {
			wait.Go(func() { s.answer(ctx, webhook.Question{}, time.Minute) })
			synctest.Wait()
		}
		wait.Wait()
		if len(s.slots) != 0 || len(s.running) != 0 || len(s.answers) != 0 {
			t.Errorf("%d slots, %d running, %d answers", len(s.slots), len(s.running), len(s.answers))
		}
	})
}

func TestAPanicFreesWhoWaitsForTheSameAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newQuestions(func(context.Context, webhook.Question) error {
			time.Sleep(time.Second)
			panic("ask")
		})
		var wait sync.WaitGroup
		wait.Go(func() {
			defer func() { recover() }()
			s.answer(t.Context(), webhook.Question{}, time.Minute)
		})
		synctest.Wait()
		wait.Go(func() {
			if err := s.answer(t.Context(), webhook.Question{}, time.Minute); status.ConditionOf(err) != status.LookupUnavailable {
				t.Error(err)
			}
		})
		wait.Wait()
		if len(s.slots) != 0 || len(s.running) != 0 {
			t.Errorf("%d slots, %d running", len(s.slots), len(s.running))
		}
	})
}
