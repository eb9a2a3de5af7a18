package spool

import (
	"container/heap"
	"runtime"
	"sync"
	"time"

	"mxhook/inbound/status"
	recording "mxhook/sinks/record"
)

// batch is the waiting events of one message.
type batch struct {
	name        string // of its files: NAME.eml, NAME.json, NAME.log
	spooledAt   time.Time
	reversePath string
	messageID   string
	size        int64 // octets of the message
	digest      string

	// Guarded by Spool.mu.
	bytes int64 // octets of its files
	left  int   // events that are not done
	must  bool  // that they are done is known from its files alone

	files sync.Mutex // held while the log is written, or files are removed
	gone  bool       // the files were removed; guarded by files
}

func (b *batch) file(suffix string) string { return waitingFolder + "/" + b.name + suffix }

// event is one that waits. All but what Spool.mu guards stays as it is.
type event struct {
	id         string // item id: the event's id, a dot, the sink
	event      string // the event's id
	batch      *batch
	sink       string
	route      string
	recipients []string
	remembered bool // its units are in the ledger

	// Guarded by Spool.mu.
	due       time.Time
	rounds    int // deliveries that failed, for the backoff
	attempts  int
	condition *status.Condition // of the last one, nil before
	detail    string
	reply     string
	running   bool
	probe     bool // it asks whether its sink is well again
	dropped   bool
	done      bool
	place     int // in the lane's heap
}

// lane is the queue of one sink. Guarded by Spool.mu.
type lane struct {
	sink    string
	due     queue
	running int
	paused  time.Time // nothing is tried before
	probing bool      // one event is tried at a time, whatever its due time
	probe   bool      // it is under way
	absent  time.Time // there is no such sink; it is looked for again then
}

// queue is a heap of events, the one that is due first at the top.
type queue []*event

func (q queue) Len() int           { return len(q) }
func (q queue) Less(i, j int) bool { return q[i].due.Before(q[j].due) }
func (q queue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].place, q[j].place = i, j
}
func (q *queue) Push(x any) {
	e := x.(*event)
	e.place = len(*q)
	*q = append(*q, e)
}
func (q *queue) Pop() any {
	last := len(*q) - 1
	e := (*q)[last]
	(*q)[last] = nil
	*q = (*q)[:last]
	return e
}

// lane returns the queue of a sink. s.mu is held.
func (s *Spool) lane(sink string) *lane {
	q := s.lanes[sink]
	if q == nil {
		q = &lane{sink: sink}
		s.lanes[sink] = q
	}
	return q
}

// enqueue lets an event wait. s.mu is held.
func (s *Spool) enqueue(e *event) {
	s.waiting[e.id] = e
	heap.Push(&s.lane(e.sink).due, e)
}

// forget takes an event out of the index. s.mu is held.
func (s *Spool) forget(e *event) {
	if s.waiting[e.id] == e {
		delete(s.waiting, e.id)
	}
	if q := s.lane(e.sink); !e.running && e.place < len(q.due) && q.due[e.place] == e {
		heap.Remove(&q.due, e.place)
	}
}

// postpone sets when an event is due; no later than its age allows a last attempt.
// s.mu is held.
func (s *Spool) postpone(e *event, due time.Time) {
	if end := e.batch.spooledAt.Add(s.limits.MaxAge); due.After(end) {
		due = end
	}
	e.due = due
}

// parsers is how many workers make events from files at once: it is work for the
// processor, which the sessions need, too.
func parsers() int { return max(1, runtime.GOMAXPROCS(0)/2) }

func itemID(event, sink string) string { return event + "." + sink }

func addressOf(r recording.Recipient) string { return r.Address.String() }

// fix puts an event whose due time was changed to its place. Spool.mu is held.
func (q *lane) fix(e *event) {
	if e.place < len(q.due) && q.due[e.place] == e {
		heap.Fix(&q.due, e.place)
	}
}
