package delivery_test

import (
	"context"
	"slices"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"mxhook/inbound/status"
	"mxhook/sinks"
	"mxhook/sinks/delivery"
	"mxhook/sinks/ledger"
	"mxhook/sinks/ledger/ledgertest"
	"mxhook/sinks/spool"
	"mxhook/sinks/spool/spooltest"
)

// spoolHistory is one run of this model, inside a bubble of synctest.
type spoolHistory struct {
	t      *testing.T
	faults []slot
	names  [senderTries]string
	early  bool // the workers are done before the ledger is told that it is spooled

	ledgerDisk *ledgertest.Disk
	disk       *spooltest.Disk
	ledger     *ledger.Ledger
	spool      *spool.Spool
	deliverer  *delivery.Deliverer

	mu     sync.Mutex
	try    int
	place  string
	spent  []slot // faults of a worker's turn hit once
	dead   bool
	gate   chan struct{}       // closed when the workers may go on
	got    map[string][]string // ids that a sink has durably, by "sink recipient"
	digest [32]byte            // of the message
}

func (h *spoolHistory) hits(place string, f fault) bool {
	s := slot{h.try, place, f}
	if place != h.place && place != replying || !slices.Contains(h.faults, s) || slices.Contains(h.spent, s) {
		return false
	}
	if place == working {
		h.spent = append(h.spent, s)
	}
	return true
}

// sink takes events as the faults say; at is where it is asked.
func (h *spoolHistory) sink(name, at string) *fake {
	return &fake{name: name, deliver: func(ctx context.Context, e *sinks.Event) sinks.Outcome {
		if at == working {
			h.mu.Lock()
			gate := h.gate
			h.mu.Unlock()
			<-gate
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		h.place = at
		switch {
		case h.dead || h.hits(at, sinkFails):
			return sinks.Outcome{Err: status.SinkUnavailable.Wrap("model", nil), Attempts: 1}
		case h.hits(at, sinkRefuses):
			return sinks.Outcome{Err: status.SinkRefused.Wrap("model", nil), Attempts: 1}
		case e.Data.SHA256() != h.digest:
			h.t.Errorf("%v: other bytes", h.faults)
		}
		for _, r := range e.Recipients {
			h.got[name+" "+r.Path.LocalPart] = append(h.got[name+" "+r.Path.LocalPart], e.ID)
		}
		h.dead = h.hits(at, crashAfterSink)
		if h.hits(at, answerLost) {
			return sinks.Outcome{Err: status.SinkTimeout.Wrap("model", nil), Attempts: 1}
		}
		return sinks.Outcome{Attempts: 1}
	}}
}

// put is the spool's Put with its faults. The direct event is done before.
func (h *spoolHistory) put(batch []spool.Entry) error {
	synctest.Wait()
	h.enter(putting)
	err := h.spool.Put(batch)
	if h.early && err == nil {
		h.open()
		synctest.Wait()
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.place = putting
	if h.hits(putting, crashAfterPut) {
		h.dead = true
	}
	h.place = marking
	return err
}

func (h *spoolHistory) enter(place string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.place = place
}

// open lets the workers go on; shut stops them at their sinks.
func (h *spoolHistory) open() {
	h.mu.Lock()
	defer h.mu.Unlock()
	select {
	case <-h.gate:
	default:
		close(h.gate)
	}
}

func (h *spoolHistory) shut() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.gate == nil {
		h.gate = make(chan struct{})
	}
	select {
	case <-h.gate:
		h.gate = make(chan struct{})
	default: // workers may wait at it already
	}
}

// disturbLedger and disturbSpool are the disks'.
func (h *spoolHistory) disturbLedger(op string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.dead:
	case op == "sync" && h.hits(h.place, crashBeforeSync):
		h.dead = true
	case op == "write" && h.hits(h.place, markFails):
		return syscall.ENOSPC
	}
	if h.dead {
		return syscall.EIO
	}
	return nil
}

func (h *spoolHistory) disturbSpool(op, _ string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.dead:
	case op == "sync" && h.hits(putting, crashBeforePut), op == "syncdir" && h.hits(putting, crashInPut),
		(op == "remove" || op == "append") && h.hits(working, crashAtProgress):
		h.dead = true
	case op == "write" && h.hits(putting, putFails), op == "append" && h.hits(working, progressFails):
		return syscall.ENOSPC
	}
	if h.dead {
		return syscall.EIO
	}
	return nil
}

// Attempt and Outcome make h an Observer: an outcome is told after the marking.
func (h *spoolHistory) Attempt(sinks.Attempt) {}

func (h *spoolHistory) Outcome(string, *status.Condition, time.Duration, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.dead = h.dead || h.place == directly && h.hits(directly, crashAfterSync)
}

func (h *spoolHistory) start() {
	var err error
	if h.ledger, err = ledger.Open("", ledger.Options{Files: h.ledgerDisk, Retry: time.Hour}); err != nil {
		h.t.Fatal(err)
	}
	queue := h.sink("queue", working)
	// One worker: of two events at once a crash at the one may be the other's window.
	h.spool, err = spool.Open("", spool.Options{Workers: 1, Files: h.disk, Ledger: h.ledger, Sink: func(string) (sinks.Sink, func()) { return queue, nil }})
	if err != nil {
		h.t.Fatal(err)
	}
	h.spool.Start()
	h.deliverer = delivery.New(delivery.Config{Budget: time.Hour, Ledger: h.ledger, Observer: h, Spool: h.put})
}

// stop ends the process; after a crash, or to look, the power fails too.
func (h *spoolHistory) stop() {
	h.open()
	h.spool.Stop(context.Background())
	h.spool.Close()
	h.ledger.Close()
}

func (h *spoolHistory) restart() {
	h.stop()
	n := len(h.faults[0].fault) % 3 // of what was not synced none, half or all is left
	keep := func(unsynced int) int { return n * unsynced / 2 }
	h.ledgerDisk.PowerFailure(keep)
	h.disk.PowerFailure(func(string) bool { return n > 0 }, keep)
	h.disk.Fail(h.disturbSpool)
	h.mu.Lock()
	h.dead = false
	h.mu.Unlock()
	h.shut()
	h.start()
	synctest.Wait() // what a start does by itself belongs to this try
}

// begin begins a try of the sender's.
func (h *spoolHistory) begin(try int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.try = try
}
