package bridge

import (
	"fmt"

	"mxhook/cmd/internal/config"
	"mxhook/cmd/internal/worker"
	"mxhook/sinks/circuit"
)

// sourcesOf returns the sources by their names.
func sourcesOf(c *config.Config) map[string]config.Source {
	all := map[string]config.Source{}
	for _, s := range c.Sources {
		all[s.Name] = s
	}
	return all
}

// openSources makes the workers, which take nothing before they are started.
func (b *Bridge) openSources() error {
	for _, s := range b.config.Sources {
		q, err := b.openQueue(s)
		if err != nil {
			return fmt.Errorf("source %s: %w", s.Name, err)
		}
		b.queues = append(b.queues, q)
		b.workers = append(b.workers, worker.New(worker.Config{
			Source: s.Name, Queue: q, Workers: s.Concurrency, Hidden: s.VisibilityTimeout, Wait: s.Wait,
			Handle: b.handlerOf(s.Name), Ready: b.readiness(s.Name), Left: b.circuits.Leave,
			Log: b.log, Metrics: b.metrics,
		}))
		b.log.Info("source", "source", s.Name, "queue_url", s.QueueURL)
	}
	return nil
}

// readiness tells how many messages of a source may be taken now: none while the circuit
// of one of its required sinks is open, since each receipt counts towards the queue's
// dead-letter queue, and one to find out.
func (b *Bridge) readiness(source string) func(lane string) int {
	return func(lane string) int {
		p := b.acquire()
		defer p.release()
		needed := p.sources[source].Deliver
		if !b.circuits.AskAll(needed, lane) {
			return 0
		}
		for _, sink := range needed {
			if b.circuits.State(sink) != circuit.Closed {
				return 1
			}
		}
		return worker.Any
	}
}
