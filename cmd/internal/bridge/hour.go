package bridge

import (
	"log/slog"
	"sync"
	"time"

	"mxhook/sinks/delivery"
	"mxhook/sinks/ledger"
)

// verdictWait is for how long the same message is deferred for a verdict that a rule
// needs; the first try after it is decided without the verdict.
const verdictWait = time.Hour

// hour knows for how long a message has waited for a verdict, each recipient for
// itself, from its first deferral of that kind on. The ledger knows it over restarts;
// memory knows it too, for when there is no ledger, it can't be written, or it forgets
// sooner. Both are bounded: what a flood has made them forget waits again.
//
// The message is known by its identity without the fingerprint: who vouches for it is
// what is open, so that each try might be another message; and its sender may have many
// networks. Without a Message-ID the other fields and the body have to do. A stranger
// who knows a message before it comes can so begin its hour; he gains that it is
// decided without a verdict, as his own would be after an hour. Nothing is ever taken
// for delivered by this, and nothing passes.
//
// A provider says itself since when it has the message.
//
// One transaction has it. The zero hour is of a message that nobody sends again: it is
// never over.
type hour struct {
	memory  *deferrals
	ledger  *ledger.Ledger // nil when it is off
	log     *slog.Logger
	message func() [32]byte // made when it is asked for: most messages wait for nothing
	waited  time.Duration   // as a provider knows it
}

// waitsFor gives the hour of a message.
func (t *transaction) waitsFor(m delivery.Mail) hour {
	if t.waits == nil {
		return hour{}
	}
	return hour{memory: t.waits, ledger: t.parts.ledger, log: t.log, waited: waited(t.mail, time.Now()), message: sync.OnceValue(func() [32]byte {
		id := identify(m, "")
		id.Fingerprint, id.Transaction = nil, ""
		return id.Sum()
	})}
}

func (h *hour) key(recipient string) ledger.Key {
	return ledger.KeyOf(h.message(), "", "verdict", recipient)
}

// over tells whether a recipient's message has waited long enough.
func (h *hour) over(recipient string) bool {
	if h.memory == nil {
		return false
	}
	k := h.key(recipient)
	waited := max(h.waited, h.memory.age(k, time.Now()))
	if h.ledger != nil {
		if known := h.ledger.Known([]ledger.Key{k})[0]; known.State == ledger.Deferred {
			waited = max(waited, known.Age)
		}
	}
	return waited >= verdictWait
}

// begin remembers that recipients wait; who does already keeps his beginning. It
// returns when the ledger has it, or has failed.
func (h *hour) begin(recipients []string) {
	if h.memory == nil {
		return
	}
	var fresh []ledger.Key
	for _, r := range recipients {
		k := h.key(r)
		h.memory.begin(k, time.Now())
		if h.ledger != nil && h.ledger.Known([]ledger.Key{k})[0].State != ledger.Deferred {
			fresh = append(fresh, k)
		}
	}
	if len(fresh) == 0 {
		return
	}
	if err := h.ledger.Mark("", ledger.Deferred, fresh); err != nil {
		h.log.Warn("the wait for a verdict is not remembered over a restart", "error", err)
	}
}
