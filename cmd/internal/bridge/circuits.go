package bridge

import (
	"errors"
	"slices"

	"mxhook/cmd/internal/config"
	"mxhook/inbound/status"
	"mxhook/routing"
	"mxhook/sinks/circuit"
)

// newCircuits makes the circuits of all configurations that this bridge will have: what
// is known of a sink stays known over a reload.
func (b *Bridge) newCircuits() *circuit.Set {
	return circuit.New(circuit.Options{Log: b.log, Changed: b.circuitChanged})
}

func (b *Bridge) circuitChanged(sink string, s circuit.State) {
	b.metrics.CircuitChanged(sink, int(s))
	if s == circuit.Closed {
		b.wakeSpool(sink)
	}
}

// configureCircuits gives the circuits the numbers of a configuration that was built.
// Sinks that have none any more are closed.
func (b *Bridge) configureCircuits(c *config.Config) {
	var names []string
	for _, s := range c.Sinks {
		if c, ok := s.Breaker(); ok {
			names = append(names, s.Name)
			b.metrics.AddCircuit(s.Name)
			b.circuits.Configure(s.Name, circuit.Config{Failures: c.Failures, Open: c.Open})
		}
	}
	b.circuits.Keep(names)
}

// needs returns the sinks without which a recipient of the route can't be told yes: none
// where the route delivers nowhere, or to the spool, also after a time.
func needs(r *routing.Rule) []string {
	if r.Discard || r.Spool || r.SpillAfter > 0 {
		return nil
	}
	return r.Deliver
}

// reachable returns nil unless the circuit of a sink is open that each route needs
// which may take the recipient. Then he is deferred alone, and the message's other
// recipients go through. In half-open the session is let in as the probe.
func (t *transaction) reachable(matches []routing.Match) error {
	if t.parts.circuits.AskAll(neededByAll(matches), t.session.ID) {
		return nil
	}
	return status.SinkCircuitOpen.Wrap("recipient", errors.New("every route needs a sink whose circuit is open"))
}

// neededByAll returns the sinks that every route needs.
func neededByAll(matches []routing.Match) (common []string) {
	for i, m := range matches {
		if i == 0 {
			common = needs(m.Rule)
			continue
		}
		own := needs(m.Rule)
		common = slices.DeleteFunc(slices.Clone(common), func(sink string) bool { return !slices.Contains(own, sink) })
	}
	return common
}
