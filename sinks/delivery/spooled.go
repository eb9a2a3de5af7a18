package delivery

import (
	"cmp"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"mxhook/inbound/status"
	"mxhook/sinks"
	"mxhook/sinks/ledger"
	"mxhook/sinks/spool"
)

// spill gives the event to the spool when one of its units, the first of which is the
// i-th of the group, was deferred long enough; or notes which were never deferred.
func (g *group) spill(t *task, i int) {
	if g.known == nil || g.spillAfter == 0 && !sinks.WantsDate(g.sink) {
		return
	}
	for k, known := range g.known[i : i+len(t.keys)] {
		switch {
		case known.State != ledger.Deferred:
			t.fresh = append(t.fresh, t.keys[k])
		case g.spillAfter > 0 && known.Age >= g.spillAfter:
			t.spooled = true
		}
	}
}

// spool gives the events that are to be spooled to the spool, all in one go, and then
// remembers each. tasks are the required ones.
func (r *round) spool(tasks []task) {
	var index []int
	var batch []spool.Entry
	for i, t := range tasks {
		if t.spooled {
			index = append(index, i)
			batch = append(batch, spool.Entry{Event: t.event, Sink: t.sink.Name(), Keys: t.keys})
			r.watch.Began(t.event, t.sink.Name(), false, true)
		}
	}
	if len(batch) == 0 {
		return
	}
	r.enter()
	data := batch[0].Event.Data.Retain()
	go func() {
		defer r.exit()
		defer data.Release()
		begin := time.Now()
		err := r.deliverer.put(batch)
		var marking sync.WaitGroup // together, so that they share an fsync
		for _, i := range index {
			marking.Go(func() { r.finish(tasks[i], i, sinks.Outcome{Err: err}, time.Since(begin)) })
		}
		marking.Wait()
	}()
}

// put gives events to the spool. The error wraps status.NoStorage.
func (d *Deliverer) put(batch []spool.Entry) (err error) {
	defer func() {
		if p := recover(); p != nil {
			d.log.Error("spool panicked", "event", batch[0].Event.ID, "panic", fmt.Sprintf("%T", p), "stack", string(debug.Stack()))
			err = status.NoStorage.Wrap(op, errors.New("the spool panicked"))
		}
	}()
	if d.config.Spool == nil {
		return status.NoStorage.Wrap(op, errors.New("there is no spool"))
	}
	err = d.config.Spool(batch)
	if err != nil && status.ConditionOf(err) != status.NoStorage {
		err = status.NoStorage.Wrap(op, err)
	}
	return err
}

// remember notes since when units are deferred, of routes and sinks that want to know:
// since when by the time of reception. Where it can't be written, the next deferral is the
// first.
func (d *Deliverer) remember(results []result) {
	var first *sinks.Event
	var keys []ledger.Key
	for _, r := range results {
		if r.outcome.Class() == status.Temporary && len(r.task.fresh) > 0 {
			first = cmp.Or(first, r.task.event)
			keys = append(keys, r.task.fresh...)
		}
	}
	if len(keys) == 0 {
		return
	}
	if err := d.config.Ledger.MarkSince(first.ID, ledger.Deferred, keys, first.ReceivedAt); err != nil {
		d.log.Warn("deferral not remembered, it is spooled later", "event", first.ID, "error", err)
	}
}
