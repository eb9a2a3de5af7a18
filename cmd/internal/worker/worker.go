package worker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"strconv"
	"sync"
	"time"
)

// Config says what is taken from where, and who delivers it. Source, Queue and Handle
// are needed.
type Config struct {
	Source  string // its name: log key and metric label
	Queue   Queue
	Handle  Handler
	Ready   func(lane string) int // how many messages may be taken now: Any, one, or none; nil: Any
	Left    func(lane string)     // the messages that Ready allowed were asked for; nil: nothing
	Workers int                   // messages at once; default 16
	Hidden  time.Duration         // 0: what the queue says
	Wait    time.Duration         // of a long poll
	Log     *slog.Logger          // nil: silent
	Metrics Observer              // nil: nobody
}

// Observer is told what a worker does. It is safe for concurrent use.
type Observer interface {
	// SourceMessage tells what became of a message: a Result.
	SourceMessage(source, outcome string)
	// SourceFailed tells that the queue could not be asked for messages.
	SourceFailed(source string)
	// SourceBusy tells how many messages more, or fewer, are being delivered.
	SourceBusy(source string, change int)
}

// The times of a worker.
const (
	// Any is how many messages a lane takes at once, and a queue gives at most.
	Any = 10
	// hiddenByDefault stands for a queue's visibility timeout that is too short to be
	// extended in time, or unknown.
	hiddenByDefault = 30 * time.Second
	leastHidden     = 10 * time.Second
	// lookAgain is how soon a lane asks again whether messages may be taken.
	lookAgain = time.Second
	// callTime bounds a short call to the queue.
	callTime = 10 * time.Second
)

// Worker takes messages from one queue, in lanes: each asks for up to ten at once, and
// for no more than it has room for.
type Worker struct {
	config Config
	log    *slog.Logger
	hidden time.Duration // set before the lanes run

	poll     context.Context // ends when nothing more is taken
	stopPoll context.CancelFunc
	work     context.Context // ends when what is under way is given up
	stopWork context.CancelFunc
	lanes    sync.WaitGroup
	running  sync.WaitGroup

	mu     sync.Mutex
	failed string // why the queue can't be asked, told once
	paused bool   // told once
}

// New returns a Worker that does nothing yet.
func New(c Config) *Worker {
	c.Workers = cmp.Or(c.Workers, 16)
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Ready == nil {
		c.Ready = func(string) int { return Any }
	}
	if c.Left == nil {
		c.Left = func(string) {}
	}
	if c.Metrics == nil {
		c.Metrics = nobody{}
	}
	w := &Worker{config: c, log: c.Log.With("source", c.Source)}
	w.poll, w.stopPoll = context.WithCancel(context.Background())
	w.work, w.stopWork = context.WithCancel(context.Background())
	return w
}

// Start begins to take messages.
func (w *Worker) Start() { w.lanes.Go(w.run) }

// run asks what the queue does by itself, and then lets the lanes run.
func (w *Worker) run() {
	w.ask()
	for i, left := 0, w.config.Workers; left > 0; i++ {
		n := min(left, Any)
		left -= n
		w.lanes.Go(func() { w.lane("source "+w.config.Source+" "+strconv.Itoa(i), n) })
	}
}

// ask finds out for how long messages are hidden, and warns of what the queue lacks.
func (w *Worker) ask() {
	ctx, cancel := context.WithTimeout(w.poll, callTime)
	defer cancel()
	p, err := w.config.Queue.Properties(ctx)
	w.hidden = cmp.Or(w.config.Hidden, p.Hidden)
	if w.hidden < leastHidden {
		w.hidden = hiddenByDefault
	}
	switch {
	case err != nil && w.poll.Err() == nil:
		w.log.Warn("the queue doesn't tell its attributes; allow sqs:GetQueueAttributes", "visibility_timeout", w.hidden, fault(err))
	case err == nil && p.Most == 0:
		w.log.Warn("the queue has no dead-letter queue, so that a message that can't be delivered stays in it until its retention ends; give it a redrive policy")
	case err == nil:
		w.log.Info("taking messages", "visibility_timeout", w.hidden, "max_receive_count", p.Most)
	}
}

// lane takes messages for n slots.
func (w *Worker) lane(name string, n int) {
	slots := make(chan struct{}, n)
	pause := time.Duration(0)
	for w.sleep(pause) {
		select {
		case slots <- struct{}{}:
		case <-w.poll.Done():
			return
		}
		ready := w.config.Ready(name)
		w.tell(ready)
		want := min(ready, n)
		if want == 0 {
			<-slots
			pause = lookAgain
			continue
		}
		taken := 1
		for taken < want && trySend(slots) {
			taken++
		}
		got, err := w.config.Queue.Receive(w.poll, taken, w.hidden, w.config.Wait)
		w.config.Left(name)
		got = got[:min(len(got), taken)]
		for range taken - len(got) {
			<-slots
		}
		pause = w.asked(err, pause)
		for _, group := range groups(got) {
			w.running.Go(func() {
				w.process(group, func() { <-slots })
			})
		}
	}
}

func trySend(slots chan<- struct{}) bool {
	select {
	case slots <- struct{}{}:
		return true
	default:
		return false
	}
}

// sleep waits for d, and tells whether there is still something to do.
func (w *Worker) sleep(d time.Duration) bool {
	if d > 0 {
		t := time.NewTimer(d)
		defer t.Stop()
		select {
		case <-t.C:
		case <-w.poll.Done():
		}
	}
	return w.poll.Err() == nil
}

// asked tells when to ask the queue again.
func (w *Worker) asked(err error, last time.Duration) time.Duration {
	if w.poll.Err() != nil {
		return 0
	}
	words := ""
	if err != nil {
		words = err.Error()
		w.config.Metrics.SourceFailed(w.config.Source)
	}
	w.mu.Lock()
	before := w.failed
	w.failed = words
	w.mu.Unlock()
	switch {
	case err == nil && before != "":
		w.log.Info("the queue answers again")
	case err != nil && before != words:
		w.log.Error("the queue can't be asked for messages", fault(err))
	}
	if err == nil {
		return 0
	}
	return min(max(2*last, time.Second), 30*time.Second)
}

// tell says, once, that messages are left in the queue, or taken again. One alone is
// taken to find out.
func (w *Worker) tell(ready int) {
	w.mu.Lock()
	before := w.paused
	if ready != 1 {
		w.paused = ready == 0
	}
	now := w.paused
	w.mu.Unlock()
	switch {
	case before && !now:
		w.log.Info("messages are taken again")
	case now && !before:
		w.log.Warn("messages are left in the queue: the circuit of a required sink is open")
	}
}

// groups splits what was received: messages of one group of a FIFO queue come one after
// the other, all others by themselves.
func groups(all []Message) (list [][]Message) {
	place := map[string]int{}
	for _, m := range all {
		i, known := place[m.Group]
		if m.Group != "" && known {
			list[i] = append(list[i], m)
			continue
		}
		place[m.Group] = len(list)
		list = append(list, []Message{m})
	}
	return list
}

// process delivers messages one after the other. When one is put back, those after it
// are, too, so that their order is kept. done is called for each.
func (w *Worker) process(all []Message, done func()) {
	var keepers []func()
	for _, m := range all {
		w.config.Metrics.SourceBusy(w.config.Source, 1)
		keepers = append(keepers, w.keep(m))
	}
	blocked := false
	for i, m := range all {
		o := Outcome{Result: Returned}
		began := time.Now()
		if !blocked {
			o = w.deliver(m)
		}
		keepers[i]()
		w.settle(m, o, time.Since(began))
		blocked = blocked || o.Result != Accepted && o.Result != Refused
		w.config.Metrics.SourceBusy(w.config.Source, -1)
		done()
	}
}

// deliver lets the handler deliver; a panic is a temporary outcome.
func (w *Worker) deliver(m Message) (o Outcome) {
	if w.work.Err() != nil {
		return Outcome{Result: Returned}
	}
	defer func() {
		if p := recover(); p != nil {
			// The value may hold anything, so only its type is told.
			w.log.Error("delivery from the queue failed inside", "message", m.ID, "panic", fmt.Sprintf("%T", p), "stack", string(debug.Stack()))
			o = failed("failed inside")
		}
	}()
	o = w.config.Handle(w.work, m)
	if o.Result == Temporary && w.work.Err() != nil {
		o.Result = Returned
	}
	return o
}

// keep extends the time for which a message is hidden until the returned function is
// called.
func (w *Worker) keep(m Message) (stop func()) {
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		t := time.NewTicker(w.hidden / 2)
		defer t.Stop()
		for {
			select {
			case <-end:
				return
			case <-t.C:
			}
			if err := w.call(func(ctx context.Context) error { return w.config.Queue.Hide(ctx, m, w.hidden) }); err != nil {
				w.log.Warn("the message could not be kept hidden, another worker may get it too", "message", m.ID, fault(err))
			}
		}
	}()
	return func() {
		close(end)
		<-ended
	}
}

// call makes a short call to the queue, also while we are stopping.
func (w *Worker) call(do func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), callTime)
	defer cancel()
	return do(ctx)
}

// Stop takes no more messages and waits until those that are under way have come to
// their end. When ctx ends first they are given up and put back, and its error is
// returned.
func (w *Worker) Stop(ctx context.Context) error {
	w.stopPoll()
	done := make(chan struct{})
	go func() {
		w.lanes.Wait()
		w.running.Wait()
		close(done)
	}()
	defer w.stopWork()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
	}
	w.stopWork()
	<-done
	return fmt.Errorf("messages of the source %s were put back: %w", w.config.Source, errors.Join(ctx.Err()))
}

type nobody struct{}

func (nobody) SourceMessage(string, string) {}
func (nobody) SourceFailed(string)          {}
func (nobody) SourceBusy(string, int)       {}
