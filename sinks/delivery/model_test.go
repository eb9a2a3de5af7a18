package delivery_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"mxhook/inbound/status"
	"mxhook/sinks"
	"mxhook/sinks/delivery"
	"mxhook/sinks/ledger"
	"mxhook/sinks/ledger/ledgertest"
)

// The model drives the real delivery and the real ledger, on a disk that loses what
// was not synced, through every history of up to three faults: two recipients, two
// sinks, of which one takes each recipient alone, and a sender that tries five times.

// A fault hits one event of one try, or the reply.
type fault string

const (
	sinkFails       fault = "the sink fails"
	answerLost      fault = "the sink has it, its answer is lost"
	crashAfterSink  fault = "crash after the sink has it"
	markFails       fault = "the ledger can't be written"
	crashBeforeSync fault = "crash before the ledger is synced"
	crashAfterSync  fault = "crash after the ledger is synced"
	replyLost       fault = "the reply is lost"
)

// slot is where a fault hits: the event is named by its sink and recipients.
type slot struct {
	try   int
	event string // "" for the reply
	fault fault
}

const senderTries = 5

func slotsOf(try int) (all []slot) {
	for _, event := range []string{"all ann bob", "each ann", "each bob"} {
		for _, f := range []fault{sinkFails, answerLost, crashAfterSink, markFails, crashBeforeSync, crashAfterSync} {
			all = append(all, slot{try, event, f})
		}
	}
	return append(all, slot{try, "", replyLost})
}

// history is one run of the model.
type history struct {
	t      *testing.T
	faults []slot
	names  [senderTries]string // whom the sender names in each try

	disk   *ledgertest.Disk
	ledger *ledger.Ledger

	turn    sync.Mutex // held by the event that is at its sink, or being marked
	mu      sync.Mutex
	try     int
	current string
	dead    bool                // the process has crashed
	got     map[string][]string // ids that a sink has durably, by "sink recipient"
}

func (h *history) hits(event string, f fault) bool {
	return slices.Contains(h.faults, slot{h.try, event, f})
}

// sink takes events as the faults say. The mutex is given back by Outcome.
func (h *history) sink(name string, fanOut sinks.FanOut) *fake {
	return &fake{name: name, fanOut: fanOut, deliver: func(_ context.Context, e *sinks.Event) sinks.Outcome {
		h.turn.Lock()
		h.mu.Lock()
		defer h.mu.Unlock()
		h.current = name
		for _, r := range e.Recipients {
			h.current += " " + r.Path.LocalPart
		}
		if len(e.Recipients) == 1 && name == "all" {
			h.current = "all ann bob"
		}
		if h.dead || h.hits(h.current, sinkFails) {
			return sinks.Outcome{Err: status.SinkUnavailable.Wrap("model", nil)}
		}
		for _, r := range e.Recipients {
			unit := name + " " + r.Path.LocalPart
			h.got[unit] = append(h.got[unit], e.ID)
		}
		h.dead = h.hits(h.current, crashAfterSink)
		if h.hits(h.current, answerLost) {
			return sinks.Outcome{Err: status.SinkTimeout.Wrap("model", nil)}
		}
		return sinks.Outcome{Attempts: 1}
	}}
}

// Attempt and Outcome make h an Observer: an outcome is told after the marking.
func (h *history) Attempt(sinks.Attempt) {}

func (h *history) Outcome(string, *status.Condition, time.Duration, bool) {
	h.mu.Lock()
	h.dead = h.dead || h.hits(h.current, crashAfterSync)
	h.mu.Unlock()
	h.turn.Unlock()
}

// disturb is the disk's.
func (h *history) disturb(op string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.dead = h.dead || op == "sync" && h.hits(h.current, crashBeforeSync)
	switch {
	case h.dead:
		return syscall.EIO
	case h.hits(h.current, markFails) && op == "write":
		return syscall.ENOSPC
	}
	return nil
}

// start starts the process.
func (h *history) start() *delivery.Deliverer {
	l, err := ledger.Open("", ledger.Options{Files: h.disk, Retry: time.Hour})
	if err != nil {
		h.t.Fatal(err)
	}
	h.ledger = l
	return delivery.New(delivery.Config{Budget: time.Hour, Ledger: l, Observer: h})
}

// run plays the history and returns how many times the sender tried.
func (h *history) run() int {
	h.disk, h.got = ledgertest.NewDisk(), map[string][]string{}
	h.disk.Fail(h.disturb)
	m, to := mail("ann@in.example", "bob@in.example")
	m.Provable = true
	d := h.start()
	defer func() { h.ledger.Close() }()
	left := map[string]bool{"ann": true, "bob": true}
	for h.try = 1; h.try <= senderTries; h.try++ {
		var named []sinks.Recipient
		for _, r := range to {
			if strings.Contains(h.names[h.try-1], r.Path.LocalPart) && left[r.Path.LocalPart] {
				named = append(named, r)
			}
		}
		if len(named) == 0 {
			continue
		}
		answer := d.Deliver(context.Background(), m, []delivery.Order{{Route: "r", Recipients: named, Deduplicate: true,
			Required: []sinks.Sink{h.sink("all", ""), h.sink("each", sinks.FanOutRecipient)}}})
		d.Stop(context.Background())
		if h.dead {
			h.ledger.Close()
			h.disk.PowerFailure(func(n int) int { return n * (len(h.faults[0].fault) % 3) / 2 }) // none, half or all
			h.dead = false
			d = h.start()
			continue
		}
		if answer.Err != nil || h.hits("", replyLost) {
			continue
		}
		for _, r := range named {
			h.heard(r.Path.LocalPart)
			delete(left, r.Path.LocalPart)
		}
		if len(left) == 0 {
			return h.try
		}
	}
	h.t.Errorf("%v: the sender never heard a 250 for %v", h.faults, left)
	return senderTries
}

// heard checks what holds when the sender heard 250 for a recipient.
func (h *history) heard(recipient string) {
	same := h.names[0] == "ann bob" && h.names[1] == "ann bob"
	for _, sink := range []string{"all", "each"} {
		ids := h.got[sink+" "+recipient]
		if len(ids) == 0 {
			h.t.Errorf("%v: 250, but %s lacks %s", h.faults, sink, recipient)
		}
		if len(ids) > 1+h.windows(sink, recipient) {
			h.t.Errorf("%v: %d copies of %s at %s", h.faults, len(ids), recipient, sink)
		}
		if (same || sink == "each") && len(slices.Compact(slices.Clone(ids))) > 1 {
			h.t.Errorf("%v: %s has %s under several ids: %v", h.faults, sink, recipient, ids)
		}
	}
}

// windows counts the faults that hit a unit between its sink's having it and the end
// of the fsync: each may cost a copy. No other does.
func (h *history) windows(sink, recipient string) (n int) {
	for _, s := range h.faults {
		if !strings.HasPrefix(s.event, sink) || !strings.Contains(s.event, recipient) {
			continue
		}
		switch s.fault {
		case answerLost, crashAfterSink, markFails, crashBeforeSync:
			n++
		}
	}
	return n
}

// explore runs the history of the faults and all that have one more, up to most, which
// must come after the last one and hit a try that the sender makes. run tells how many
// these are.
func explore(t *testing.T, faults []slot, most int, slots func(try int) []slot, run func([]slot) (tries int)) (runs int) {
	tries := run(faults)
	runs = 1
	if len(faults) == most || t.Failed() {
		return runs
	}
	after := len(faults) == 0
	for try := 1; try <= tries; try++ {
		for _, s := range slots(try) {
			if after {
				runs += explore(t, append(slices.Clone(faults), s), most, slots, run)
			}
			after = after || s == faults[len(faults)-1]
		}
	}
	return runs
}

func TestNoHistoryLosesAUnit(t *testing.T) {
	for _, names := range [][senderTries]string{
		{"ann bob", "ann bob", "ann bob", "ann bob", "ann bob"},
		{"ann", "ann bob", "ann bob", "ann bob", "ann bob"},
		{"ann bob", "bob", "ann", "ann bob", "ann bob"},
	} {
		t.Run(fmt.Sprint(names[0], ", ", names[1]), func(t *testing.T) {
			t.Parallel()
			runs := explore(t, nil, modelFaults, slotsOf, func(faults []slot) int {
				return (&history{t: t, faults: faults, names: names}).run()
			})
			t.Logf("%d histories", runs)
		})
	}
}
