package circuit

import (
	"crypto/sha256"
	"slices"
	"time"
)

// row counts failures without a success between them.
type row struct {
	count   int
	first   [sha256.Size]byte // the first one's message
	several bool              // another message failed, too
}

func (r *row) add(message [sha256.Size]byte) {
	if r.count == 0 {
		r.first = message
	}
	r.several = r.several || message != r.first
	r.count++
}

func (r *row) full(failures int) bool { return r.several && r.count >= failures }

const (
	windowMessages = 20
	windowTime     = 30 * time.Second
)

// window holds the messages that failed last, each once, the oldest first: at most
// windowMessages.
type window struct{ failed []failed }

type failed struct {
	message [sha256.Size]byte
	at      time.Time
}

// add takes a failure and tells whether the window is full.
func (w *window) add(message [sha256.Size]byte, now time.Time) bool {
	w.failed = slices.DeleteFunc(w.failed, func(f failed) bool { return f.message == message || now.Sub(f.at) > windowTime })
	if len(w.failed) == windowMessages {
		w.failed = slices.Delete(w.failed, 0, 1)
	}
	w.failed = append(w.failed, failed{message, now})
	return len(w.failed) == windowMessages
}
