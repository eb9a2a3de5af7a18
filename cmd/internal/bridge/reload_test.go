package bridge

import (
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"mxhook/cmd/internal/config"
	"mxhook/sinks/ledger"
)

// newBridge returns a bridge that listens nowhere, with a ledger.
func newBridge(t *testing.T) *Bridge {
	c, err := config.Development(config.DevelopmentOptions{})
	if err != nil {
		t.Fatal(err)
	}
	c.State, c.Delivery.Ledger = t.TempDir(), time.Hour
	for _, s := range c.Sinks {
		s.Dir.Path = filepath.Join(c.State, "mail")
	}
	b, err := New(c, Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestAReloadThatFailsLeavesTheLedgersAge(t *testing.T) {
	b := newBridge(t)
	defer b.Stop(t.Context())
	unit := []ledger.Key{{1}}
	if err := b.ledger.Mark("msg_1", ledger.Delivered, unit); err != nil {
		t.Fatal(err)
	}
	faulty := *b.config
	faulty.Delivery.Ledger = 1
	faulty.Sinks = append(faulty.Sinks[:len(faulty.Sinks):len(faulty.Sinks)], config.Sink{Name: "other", Type: "other"})
	if err := b.Reload(&faulty); err == nil {
		t.Fatal("a configuration that can't be built was taken")
	}
	if d := b.ledger.Known(unit)[0]; d.State != ledger.Delivered {
		t.Errorf("the unit is %v after a reload that failed", d.State)
	}
	good := *b.config
	good.Delivery.Ledger = 1
	if err := b.Reload(&good); err != nil {
		t.Fatal(err)
	}
	if d := b.ledger.Known(unit)[0]; d.State.Suppresses() {
		t.Errorf("the unit is %v after its age", d.State)
	}
}

// A request that was cut may still come to use the parts when the bridge has stopped.
func TestPartsAreClosedOnce(t *testing.T) {
	b := newBridge(t)
	if err := b.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	closed := make(chan struct{})
	p := b.acquire()
	last := p.close
	p.close = func() { last(); close(closed) }
	p.release()
	<-closed
	b.retired.Wait()
}
