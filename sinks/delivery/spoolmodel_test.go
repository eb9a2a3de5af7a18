package delivery_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mxhook/sinks"
	"mxhook/sinks/delivery"
	"mxhook/sinks/ledger"
	"mxhook/sinks/ledger/ledgertest"
	"mxhook/sinks/spool/spooltest"
)

// This model has a direct route and one with a spool, each with a sink, and the real
// spool beside the real delivery and the real ledger. After each of the sender's tries
// the spool's workers have their turn, for as long as they have something to do.

const (
	putFails        fault = "the spool can't be written"
	crashBeforePut  fault = "crash before the spool has it"
	crashInPut      fault = "crash while the spool's folder is synced"
	crashAfterPut   fault = "crash after the spool has it"
	sinkRefuses     fault = "the sink refuses it for good"
	progressFails   fault = "the spool can't write what became of it"
	crashAtProgress fault = "crash before the spool writes what became of it"
	crashAfterReply fault = "crash after the sender heard the reply"
)

// The places of faults: the direct event, the way into the spool and out of it, the
// reply.
const (
	directly = "now"
	putting  = "put"
	marking  = "spooled"
	working  = "later"
	replying = ""
)

func spoolSlots(try int) (all []slot) {
	for _, place := range []struct {
		name   string
		faults []fault
	}{
		{directly, []fault{sinkFails, answerLost, crashAfterSink, markFails, crashBeforeSync, crashAfterSync}},
		{putting, []fault{putFails, crashBeforePut, crashInPut, crashAfterPut}},
		{marking, []fault{markFails, crashBeforeSync, crashAfterSync}},
		{replying, []fault{replyLost, crashAfterReply}},
		{working, []fault{sinkFails, sinkRefuses, answerLost, crashAfterSink, markFails, crashBeforeSync, progressFails, crashAtProgress}},
	} {
		for _, f := range place.faults {
			all = append(all, slot{try, place.name, f})
		}
	}
	return all
}

// work gives the workers their turn, long enough for all attempts, and tells whether
// the process crashed in it.
func (h *spoolHistory) work() (crashed bool) {
	h.enter(working)
	h.open()
	time.Sleep(30 * time.Second)
	synctest.Wait()
	h.mu.Lock()
	crashed = h.dead
	h.mu.Unlock()
	if crashed {
		h.restart() // shuts too, before the workers start: a second gate would leave them at the first
		return true
	}
	h.shut()
	return false
}

// run plays the history and returns how many times the sender tried.
func (h *spoolHistory) run() (tries int) {
	h.ledgerDisk, h.disk, h.got = ledgertest.NewDisk(), spooltest.NewDisk(), map[string][]string{}
	h.ledgerDisk.Fail(h.disturbLedger)
	h.disk.Fail(h.disturbSpool)
	m, to := mail("ann@in.example", "bob@in.example")
	m.Provable, h.digest = true, m.Data.SHA256()
	h.shut()
	h.start()
	heard := map[string]bool{}
	for tries < senderTries && len(heard) < 2 {
		tries++
		h.begin(tries)
		var named []sinks.Recipient
		for _, r := range to {
			if strings.Contains(h.names[tries-1], r.Path.LocalPart) && !heard[r.Path.LocalPart] {
				named = append(named, r)
			}
		}
		if len(named) > 0 && h.send(m, named) {
			for _, r := range named {
				heard[r.Path.LocalPart] = true
			}
		}
		h.work()
	}
	if len(heard) < 2 {
		h.t.Errorf("%v: the sender heard 250 for %v alone", h.faults, heard)
	}
	for h.work() { // what is left after a crash
	}
	h.check(heard)
	h.stop()
	return tries
}

// send is one try; it tells whether the sender heard a 250.
func (h *spoolHistory) send(m delivery.Mail, named []sinks.Recipient) bool {
	h.enter("")
	a := h.deliverer.Deliver(context.Background(), m, []delivery.Order{
		{Route: "now", Recipients: named, Deduplicate: true, Required: []sinks.Sink{h.sink("app", directly)}},
		{Route: "later", Recipients: named, Deduplicate: true, Required: []sinks.Sink{h.sink("queue", working)}, Spool: true},
	})
	h.deliverer.Stop(context.Background())
	h.mu.Lock()
	h.dead = h.dead || h.hits(marking, crashAfterSync)
	lost := h.dead || h.hits(replying, replyLost)
	h.dead = h.dead || a.Err == nil && h.hits(replying, crashAfterReply)
	dead := h.dead
	h.mu.Unlock()
	if a.Err == nil && !dead {
		h.remembers(m, named)
	}
	if dead {
		h.restart()
	}
	return a.Err == nil && !lost
}

// remembers tells that the ledger knows what was answered with 250.
func (h *spoolHistory) remembers(m delivery.Mail, named []sinks.Recipient) {
	for _, r := range named {
		for route, sink := range map[string]string{"now": "app", "later": "queue"} {
			unit := ledger.KeyOf(m.Identity, route, sink, r.Key())
			if d := h.ledger.Known([]ledger.Key{unit})[0]; !d.State.Suppresses() {
				h.t.Errorf("%v: 250, but the ledger says %v of %s at %s", h.faults, d.State, r.Path.LocalPart, sink)
			}
		}
	}
}

// check tells what holds at the end: who heard 250 has each unit at its sink, or among
// the dead events.
func (h *spoolHistory) check(heard map[string]bool) {
	_, buried, _ := h.spool.Stats()
	same := h.names[0] == "ann bob"
	for recipient := range heard {
		for _, sink := range []string{"app", "queue"} {
			ids := h.got[sink+" "+recipient]
			if len(ids) == 0 && (sink == "app" || buried == 0) {
				h.t.Errorf("%v: 250, but %s lacks %s, and %d are dead", h.faults, sink, recipient, buried)
			}
			if len(ids) > 1+h.windows(sink) {
				h.t.Errorf("%v: %d copies of %s at %s", h.faults, len(ids), recipient, sink)
			}
			if same && len(slices.Compact(slices.Clone(ids))) > 1 {
				h.t.Errorf("%v: %s has %s under several ids: %v", h.faults, sink, recipient, ids)
			}
		}
	}
}

// windows counts the faults between a sink's having a unit and the moment when that is
// remembered: each may cost a copy. No other does: a worker's yes that can't be marked
// is remembered by the ledger's "spooled" and the removal of the files, so that it
// repeats only when one of these failed, too.
func (h *spoolHistory) windows(sink string) (n int) {
	at := map[string]string{"app": directly, "queue": working}[sink]
	for _, s := range h.faults {
		switch {
		case s.event != at:
		case s.fault == answerLost, s.fault == crashAfterSink, s.fault == crashBeforeSync, s.fault == markFails && (sink == "app" || h.forgetful()):
			n++
		}
	}
	return n
}

// forgetful tells whether a fault hit the marking as spooled, or the files' removal.
func (h *spoolHistory) forgetful() bool {
	return slices.ContainsFunc(h.faults, func(s slot) bool {
		return s.event == marking || s.fault == crashAfterPut || s.fault == crashAtProgress
	})
}

func TestNoHistoryLosesASpooledUnit(t *testing.T) {
	both := [senderTries]string{"ann bob", "ann bob", "ann bob", "ann bob", "ann bob"}
	for _, c := range []struct {
		names [senderTries]string
		early bool
		most  int
	}{
		{both, false, modelFaults},
		{both, true, 2},
		{[senderTries]string{"ann", "ann bob", "ann bob", "ann bob", "ann bob"}, false, 2},
	} {
		t.Run(fmt.Sprint(c.names[0], c.early), func(t *testing.T) {
			t.Parallel()
			runs := explore(t, nil, c.most, spoolSlots, func(faults []slot) (tries int) {
				synctest.Test(t, func(t *testing.T) {
					h := &spoolHistory{t: t, faults: faults, names: c.names, early: c.early}
					tries = h.run()
				})
				return tries
			})
			t.Logf("%d histories", runs)
		})
	}
}
