package bridge

import (
	"mxhook/cmd/internal/config"
	"mxhook/sinks"
	"mxhook/sinks/spool"
)

// openSpool returns the spool under the state folder. Like the ledger it is opened once
// and outlives every reload; it is there in all configurations, since events may be left
// in it from before.
func (b *Bridge) openSpool(c *config.Config) (*spool.Spool, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.spool != nil {
		return b.spool, nil
	}
	s, err := spool.Open(c.State, spool.Options{
		Limits: spoolLimits(c), Log: b.log, Sink: b.sinkNamed, Ledger: b.ledger, Observer: b.metrics, Changed: b.spoolChanged,
	})
	if err != nil {
		return nil, err
	}
	b.spool = s
	b.metrics.Spool(s.Stats)
	return s, nil
}

func spoolLimits(c *config.Config) spool.Limits {
	return spool.Limits{MaxBytes: c.Spool.MaxBytes, MaxAge: c.Spool.MaxAge, Budget: c.Delivery.Budget}
}

// configureSpool gives the spool what a reload changed.
func (b *Bridge) configureSpool(c *config.Config) {
	b.mu.Lock()
	s, book := b.spool, b.ledger
	b.mu.Unlock()
	s.Configure(spoolLimits(c), book)
}

// wakeSpool tells the spool that a sink's circuit has closed.
func (b *Bridge) wakeSpool(sink string) {
	b.mu.Lock()
	s := b.spool
	b.mu.Unlock()
	if s != nil {
		s.Wake(sink)
	}
}

// sinkNamed returns a sink of the current configuration, which is held until done.
func (b *Bridge) sinkNamed(name string) (s sinks.Sink, done func()) {
	p := b.acquire()
	if s := p.sinks[name]; s != nil {
		return s, p.release
	}
	p.release()
	return nil, nil
}

// closeSpool ends the spool, after everything that could write to it.
func (b *Bridge) closeSpool() {
	b.mu.Lock()
	s := b.spool
	b.mu.Unlock()
	if s == nil {
		return
	}
	if err := s.Close(); err != nil {
		b.log.Error("spool not closed", "error", err)
	}
}
