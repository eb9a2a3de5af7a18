package bridge

import (
	"context"
	"slices"

	"mxhook/cmd/internal/config"
)

// Reload takes a new configuration for the transactions that begin from now on.
// Listeners, sources (but for their sinks), limits, the admin address, the host's name, the state folder and the
// log stay as they were started; a change in them is told in the log and needs a
// restart. After an error everything is as it was.
func (b *Bridge) Reload(c *config.Config) error {
	kept := *c
	kept.Hostname, kept.State = b.config.Hostname, b.config.State
	p, err := b.build(&kept)
	if err != nil {
		return err
	}
	b.mu.Lock()
	old := b.current
	p.start()
	b.current = p
	b.mu.Unlock()
	b.configureLedger(&kept)
	b.configureSpool(&kept)
	b.keepAccepts(&kept)
	old.release()
	for _, key := range needRestart(b.config, c) {
		b.log.Warn("a change needs a restart", "key", key)
	}
	b.log.Info("configuration reloaded")
	return nil
}

// needRestart names the keys that were changed and that a reload doesn't change.
func needRestart(old, changed *config.Config) (keys []string) {
	for key, same := range map[string]bool{
		"hostname":  old.Hostname == changed.Hostname,
		"state":     old.State == changed.State,
		"log":       old.Log == changed.Log,
		"admin":     old.Admin == changed.Admin,
		"listeners": slices.EqualFunc(old.Listeners, changed.Listeners, config.Listener.Equal),
		"limits":    old.Limits == changed.Limits,
		"sources":   slices.EqualFunc(old.Sources, changed.Sources, config.Source.Equal),
	} {
		if !same {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}

// acquire returns the parts of the current configuration for one transaction.
func (b *Bridge) acquire() *parts {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.current.users.Add(1)
	return b.current
}

// retire closes parts that no transaction uses any more: what is still on its way to
// a sink comes to its end first, by the sink's own timeout.
func (b *Bridge) retire(p *parts) {
	defer b.retired.Done()
	p.deliverer.Stop(context.Background())
	for _, s := range p.sinks {
		if c, ok := s.(interface{ Close() }); ok {
			c.Close()
		}
	}
}
