// Package workertest has a queue for tests: it keeps messages in memory, hides, counts and
// deletes them as SQS does, and fails when it is told to.
package workertest

import (
	"context"
	"fmt"
	"sync"
	"time"

	"mxhook/cmd/internal/worker"
)

// Queue is a worker.Queue. It is safe for concurrent use. The zero value has no dead-letter
// queue and hides messages for 30 seconds.
type Queue struct {
	Most   int           // receipts of a message before it is dead; 0: never
	Hidden time.Duration // 0: 30 s
	// Fail is asked before each operation: "properties", "receive", "hide", "delete"; nil
	// lets all succeed.
	Fail func(op string) error

	mu       sync.Mutex
	changed  chan struct{}
	all      []*entry
	Dead     []worker.Message // that came too often; read them through Locked
	Deleted  []string         // IDs
	Hides    []Hide
	receives int
	n        int
}

// Hide is one call to Hide.
type Hide struct {
	ID string
	D  time.Duration
}

type entry struct {
	worker.Message
	at time.Time // when it is visible
}

// Send puts messages into the queue.
func (q *Queue) Send(list ...worker.Message) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, m := range list {
		q.n++
		m.ID = fmt.Sprint("m", q.n)
		q.all = append(q.all, &entry{Message: m})
	}
	q.wake()
}

// wake lets those who wait look again. q.mu is held.
func (q *Queue) wake() {
	if q.changed != nil {
		close(q.changed)
		q.changed = nil
	}
}

// Locked calls f while nobody else uses the queue.
func (q *Queue) Locked(f func()) {
	q.mu.Lock()
	defer q.mu.Unlock()
	f()
}

// Len returns how many messages are in the queue, hidden ones too, and Receives how often
// it was asked.
func (q *Queue) Len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.all)
}

// Receives returns how many messages were handed out.
func (q *Queue) Receives() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.receives
}

func (q *Queue) fail(op string) error {
	if q.Fail == nil {
		return nil
	}
	return q.Fail(op)
}

// Properties implements worker.Queue.
func (q *Queue) Properties(context.Context) (worker.Properties, error) {
	hidden := q.Hidden
	if hidden == 0 {
		hidden = 30 * time.Second
	}
	return worker.Properties{Hidden: hidden, Most: q.Most}, q.fail("properties")
}

// Receive implements worker.Queue.
func (q *Queue) Receive(ctx context.Context, n int, hidden, wait time.Duration) ([]worker.Message, error) {
	if err := q.fail("receive"); err != nil {
		return nil, err
	}
	end := time.Now().Add(wait)
	for {
		q.mu.Lock()
		got, next := q.take(min(n, worker.Any), hidden)
		if q.changed == nil {
			q.changed = make(chan struct{})
		}
		changed := q.changed
		q.mu.Unlock()
		if len(got) > 0 || !time.Now().Before(end) {
			return got, nil
		}
		if next.IsZero() || next.After(end) {
			next = end
		}
		t := time.NewTimer(time.Until(next))
		select {
		case <-ctx.Done():
			t.Stop()
			return nil, ctx.Err()
		case <-changed:
		case <-t.C:
		}
		t.Stop()
	}
}

// take returns what is visible, and else when something is. q.mu is held.
func (q *Queue) take(n int, hidden time.Duration) (got []worker.Message, next time.Time) {
	now := time.Now()
	busy := map[string]bool{} // groups of which a message is hidden
	for i := 0; i < len(q.all) && len(got) < n; i++ {
		e := q.all[i]
		if e.Group != "" && busy[e.Group] {
			continue
		}
		if e.at.After(now) {
			busy[e.Group] = e.Group != ""
			if next.IsZero() || e.at.Before(next) {
				next = e.at
			}
			continue
		}
		if q.Most > 0 && e.Message.Receives >= q.Most {
			q.Dead = append(q.Dead, e.Message)
			q.all = append(q.all[:i], q.all[i+1:]...)
			i--
			continue
		}
		e.Message.Receives++
		q.receives++
		e.Handle = fmt.Sprint(e.ID, "/", e.Message.Receives)
		e.at = now.Add(hidden)
		got = append(got, e.Message)
	}
	return got, next
}

// find returns the message of a handle. q.mu is held.
func (q *Queue) find(m worker.Message) (int, error) {
	for i, e := range q.all {
		if e.ID == m.ID {
			return i, nil
		}
	}
	return 0, fmt.Errorf("the queue has no message %s", m.ID)
}

// Hide implements worker.Queue.
func (q *Queue) Hide(_ context.Context, m worker.Message, d time.Duration) error {
	if err := q.fail("hide"); err != nil {
		return err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	i, err := q.find(m)
	if err != nil {
		return err
	}
	q.Hides = append(q.Hides, Hide{m.ID, d})
	if q.all[i].Handle == m.Handle {
		q.all[i].at = time.Now().Add(d)
	}
	q.wake()
	return nil
}

// Delete implements worker.Queue.
func (q *Queue) Delete(_ context.Context, m worker.Message) error {
	if err := q.fail("delete"); err != nil {
		return err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	i, err := q.find(m)
	if err != nil {
		return nil
	}
	q.Deleted = append(q.Deleted, m.ID)
	q.all = append(q.all[:i], q.all[i+1:]...)
	q.wake() // its group goes on
	return nil
}
