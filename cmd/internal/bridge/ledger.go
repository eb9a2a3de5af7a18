package bridge

import (
	"path/filepath"

	"mxhook/cmd/internal/config"
	"mxhook/sinks/ledger"
)

// openLedger returns the ledger under the state folder; nil when the configuration
// has none. It is opened once and outlives every reload, since what was delivered, and
// what is under way, is true of all configurations.
func (b *Bridge) openLedger(c *config.Config) (*ledger.Ledger, error) {
	if c.Delivery.Ledger == 0 {
		return nil, nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ledger != nil {
		return b.ledger, nil
	}
	l, err := ledger.Open(filepath.Join(c.State, "ledger"), ledger.Options{MaxAge: c.Delivery.Ledger, Log: b.log})
	if err != nil {
		return nil, err
	}
	b.ledger = l
	return l, nil
}

// configureLedger gives the ledger what a reload changed.
func (b *Bridge) configureLedger(c *config.Config) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ledger != nil && c.Delivery.Ledger != 0 {
		b.ledger.SetMaxAge(c.Delivery.Ledger)
	}
}

// closeLedger ends the ledger, after everything that could write to it.
func (b *Bridge) closeLedger() {
	b.mu.Lock()
	l := b.ledger
	b.ledger = nil
	b.mu.Unlock()
	if l == nil {
		return
	}
	if err := l.Close(); err != nil {
		b.log.Error("ledger not closed", "error", err)
	}
}
