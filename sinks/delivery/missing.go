package delivery

import (
	"context"
	"slices"

	"mxhook/inbound/status"
	"mxhook/sinks/ledger"
)

// work is what has to be delivered of a message.
type work struct {
	taskSet
	known knownUnits
}

// knownUnit is one that the ledger knows, so that it is left out.
type knownUnit struct {
	recipient string // Recipient.Key
	event     string // the id of the event that carried it
	optional  bool
}

type knownUnits []knownUnit

// first returns the id of the event that carried the first unit of required or of
// optional sinks, "" where there is none.
func (all knownUnits) first(optional bool) string {
	for _, u := range all {
		if u.optional == optional {
			return u.event
		}
	}
	return ""
}

// missing returns the events of the units that the ledger doesn't know, and takes
// these units. It waits for those that another session has under way, and then asks
// the ledger again; when ctx ends first, the error is status.InProgress. Optional
// units that are under way are left out: somebody else is at them.
func (d *Deliverer) missing(ctx context.Context, m Mail, all []*group) (work, error) {
	if d.config.Ledger == nil || !m.Provable {
		return work{taskSet: events(m, all)}, nil
	}
	for _, g := range all {
		g.identify(m)
	}
	for {
		set := events(m, d.unknown(all))
		busy := d.take(set.required)
		switch {
		case busy != nil:
			select {
			case <-busy:
			case <-ctx.Done():
				return work{}, status.InProgress.Wrap(op, nil)
			}
		case d.marked(set.required):
			// Another session ended between the look and the taking.
			for _, t := range set.required {
				t.flight.End()
			}
		default:
			return d.settle(m, all, set.required), nil
		}
	}
}

// identify names the units of a group that is remembered.
func (g *group) identify(m Mail) {
	if !g.remembered {
		return
	}
	for _, r := range g.recipients {
		g.keys = append(g.keys, ledger.KeyOf(m.Identity, g.route, g.sink.Name(), r.Key()))
	}
}

// unknown returns the groups without the recipients that the ledger knows.
func (d *Deliverer) unknown(all []*group) []*group {
	var left []*group
	for _, g := range all {
		if g.keys != nil {
			known := d.config.Ledger.Known(g.keys)
			g = g.only(known, func(i int) bool { return !known[i].State.Suppresses() })
		}
		if len(g.recipients) > 0 {
			left = append(left, g)
		}
	}
	return left
}

// only returns the group with the recipients that keep keeps, and with what is known of
// their units.
func (g *group) only(known []ledger.Done, keep func(i int) bool) *group {
	some := &group{route: g.route, sink: g.sink, optional: g.optional, remembered: g.remembered, spool: g.spool, spillAfter: g.spillAfter}
	for i := range g.recipients {
		if keep(i) {
			some.recipients = append(some.recipients, g.recipients[i])
			some.keys = append(some.keys, g.keys[i])
			some.known = append(some.known, known[i])
		}
	}
	return some
}

// take takes the units of tasks, all or none; busy is closed when one that is under
// way elsewhere has ended.
func (d *Deliverer) take(tasks []task) (busy <-chan struct{}) {
	keys := make([][]ledger.Key, len(tasks))
	for i, t := range tasks {
		keys[i] = t.keys
	}
	flights, busy := d.config.Ledger.Begin(keys)
	for i := range flights {
		tasks[i].flight = flights[i]
	}
	return busy
}

// marked tells whether the ledger knows a unit of the tasks.
func (d *Deliverer) marked(tasks []task) bool {
	for _, t := range tasks {
		if slices.ContainsFunc(d.config.Ledger.Known(t.keys), func(k ledger.Done) bool { return k.State.Suppresses() }) {
			return true
		}
	}
	return false
}

// settle takes the optional units that nobody has under way, and tells what is left
// out.
func (d *Deliverer) settle(m Mail, all []*group, required []task) work {
	w := work{taskSet: taskSet{required: required}}
	for _, g := range all {
		w.known = append(w.known, d.suppressed(m, g)...)
		if g.optional {
			w.optional = append(w.optional, d.takeOptional(m, g)...)
		}
	}
	return w
}

func (d *Deliverer) takeOptional(m Mail, g *group) []task {
	for {
		left := g
		if g.keys != nil {
			busy, known := d.config.Ledger.InFlight(g.keys), d.config.Ledger.Known(g.keys)
			left = g.only(known, func(i int) bool { return !busy[i] && !known[i].State.Suppresses() })
		}
		if len(left.recipients) == 0 {
			return nil
		}
		tasks := left.tasks(m)
		if d.take(tasks) != nil {
			continue
		}
		if !d.marked(tasks) {
			return tasks
		}
		for _, t := range tasks {
			t.flight.End()
		}
	}
}

// suppressed returns, logs and counts the units of a group that the ledger knows.
func (d *Deliverer) suppressed(m Mail, g *group) (units knownUnits) {
	var ids []string
	for i, k := range d.config.Ledger.Known(g.keys) {
		if !k.State.Suppresses() {
			continue
		}
		units = append(units, knownUnit{recipient: g.recipients[i].Key(), event: k.Event, optional: g.optional})
		if !slices.Contains(ids, k.Event) {
			ids = append(ids, k.Event)
		}
	}
	if len(units) == 0 {
		return nil
	}
	m.Watch.Known(g.sink.Name(), len(units))
	if d.config.Suppressed != nil {
		d.config.Suppressed(g.sink.Name(), len(units))
	}
	d.log.Info("already delivered", "events", ids, "route", g.route, "sink", g.sink.Name(), "recipients", len(units), "optional", g.optional)
	return units
}

// mark remembers the units of an event. The error wraps status.NoStorage.
func (d *Deliverer) mark(t task, s ledger.State) error {
	if t.keys == nil {
		return nil
	}
	err := d.config.Ledger.Mark(t.event.ID, s, t.keys)
	if err != nil {
		d.log.Error("event not remembered, it may be repeated under the same id", "event", t.event.ID, "sink", t.sink.Name(), "state", s.String(), "error", err)
	}
	return err
}
