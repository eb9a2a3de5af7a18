package dns

import (
	"container/list"
	"context"
	"strings"
	"sync"
	"time"
)

// gate lets a bounded number of questions out at once, fairly: no domain has more than
// its share, waiting domains take turns, and while somebody waits for a slot nobody
// keeps one for longer than patience. Hence a domain whose servers are slow on purpose
// delays nobody else, and a hundred of them delay others by patience at most for each
// turn, instead of taking all slots for as long as a message may wait.
type gate struct {
	slots, share int
	patience     time.Duration

	mu      sync.Mutex
	out     int                // how many slots are taken
	running *list.List         // of *ticket that were not asked to give way, oldest first
	leaving int                // how many were
	domains map[string]*domain // those with tickets
	turns   *list.List         // of *domain that have one waiting and may go
	alarm   *time.Timer        // for the oldest one's patience
}

// domain is a group of questions that one party answers for.
type domain struct {
	name    string
	out     int
	waiting *list.List    // of *ticket
	turn    *list.Element // in gate.turns
}

// ticket is one question at the gate.
type ticket struct {
	domain  *domain
	giveWay func()
	since   time.Time
	goes    chan struct{}
	running *list.Element // in gate.running, nil once it was asked to give way
	waiting *list.Element
}

func newGate(slots int, patience time.Duration) *gate {
	return &gate{
		slots: slots, share: min(slots, max(4, slots/8)), patience: patience,
		running: list.New(), domains: map[string]*domain{}, turns: list.New(),
	}
}

// enter waits for a slot; nil if the context ends before. Its result is for leave.
// giveWay is called once the question has to end for others; it must not wait.
func (g *gate) enter(ctx context.Context, name string, giveWay func()) *ticket {
	g.mu.Lock()
	d := g.domains[name]
	if d == nil {
		d = &domain{name: name, waiting: list.New()}
		g.domains[name] = d
	}
	t := &ticket{domain: d, giveWay: giveWay, goes: make(chan struct{})}
	t.waiting = d.waiting.PushBack(t)
	g.line(d)
	g.admit()
	g.mu.Unlock()
	select {
	case <-t.goes:
		return t
	case <-ctx.Done():
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if t.waiting == nil {
		g.free(t)
	} else {
		d.waiting.Remove(t.waiting)
		if d.turn != nil && d.waiting.Len() == 0 {
			g.turns.Remove(d.turn)
			d.turn = nil
		}
		g.forget(d)
	}
	return nil
}

func (g *gate) leave(t *ticket) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.free(t)
}

// free gives a slot back.
func (g *gate) free(t *ticket) {
	if t.running != nil {
		g.running.Remove(t.running)
	} else {
		g.leaving--
	}
	g.out--
	t.domain.out--
	g.line(t.domain)
	g.forget(t.domain)
	g.admit()
}

// line puts a domain in the turns if one of its questions could go.
func (g *gate) line(d *domain) {
	if d.turn == nil && d.waiting.Len() > 0 && d.out < g.share {
		d.turn = g.turns.PushBack(d)
	}
}

// forget drops a domain that nobody asks for.
func (g *gate) forget(d *domain) {
	if d.out == 0 && d.waiting.Len() == 0 && d.turn == nil {
		delete(g.domains, d.name)
	}
}

// admit lets out who may go, and hurries the oldest if somebody must wait.
func (g *gate) admit() {
	for g.turns.Len() > 0 && g.out < g.slots {
		d := g.turns.Remove(g.turns.Front()).(*domain)
		d.turn = nil
		t := d.waiting.Remove(d.waiting.Front()).(*ticket)
		t.waiting = nil
		t.since = time.Now()
		t.running = g.running.PushBack(t)
		g.out++
		d.out++
		close(t.goes)
		g.line(d)
	}
	g.hurry()
}

// hurry asks as many of the oldest questions to give way as domains wait.
func (g *gate) hurry() {
	for g.leaving < g.turns.Len() && g.running.Len() > 0 {
		t := g.running.Front().Value.(*ticket)
		if left := g.patience - time.Since(t.since); left > 0 {
			g.wake(left)
			return
		}
		g.running.Remove(t.running)
		t.running = nil
		g.leaving++
		t.giveWay()
	}
}

// wake looks again when the oldest question's patience is over.
func (g *gate) wake(after time.Duration) {
	if g.alarm == nil {
		g.alarm = time.AfterFunc(after, func() {
			g.mu.Lock()
			defer g.mu.Unlock()
			g.hurry()
		})
		return
	}
	g.alarm.Reset(after)
}

// party gives the part of a name that one party answers for, as far as can be told
// without a list of public suffixes: two labels, three where the second is short as
// in co.uk, and the network for reverse names.
func party(name string) string {
	labels := 2
	switch {
	case strings.HasSuffix(name, ".in-addr.arpa"):
		labels = 4 // a /16
	case strings.HasSuffix(name, ".ip6.arpa"):
		labels = 10 // a /32
	}
	at := len(name)
	for n := 1; ; n++ {
		end := at
		if at = strings.LastIndexByte(name[:at], '.'); at < 0 {
			return name
		}
		if n == 2 && labels == 2 && end-at-1 <= 3 {
			labels = 3
		}
		if n == labels {
			return name[at+1:]
		}
	}
}
