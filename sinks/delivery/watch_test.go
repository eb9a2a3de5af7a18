package delivery_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"mxhook/inbound/status"
	"mxhook/sinks"
	"mxhook/sinks/delivery"
)

// diary writes down what it is told.
type diary struct {
	mu    sync.Mutex
	lines []string
}

func (d *diary) note(format string, args ...any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lines = append(d.lines, fmt.Sprintf(format, args...))
}

func (d *diary) Began(_ *sinks.Event, sink string, optional, spooled bool) {
	d.note("began %s optional=%v spooled=%v", sink, optional, spooled)
}

func (d *diary) Ended(_ *sinks.Event, sink string, o sinks.Outcome, spooled, late bool) {
	d.note("ended %s %s spooled=%v late=%v", sink, status.ConditionOf(o.Err).Name(), spooled, late)
}

func (d *diary) Buried(e *sinks.Event, sink string) {
	d.note("buried %s of %d", sink, len(e.Recipients))
}
func (d *diary) Known(sink string, units int) { d.note("known %s %d", sink, units) }

func (d *diary) want(t *testing.T, want ...string) {
	t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	slices.Sort(d.lines)
	slices.Sort(want)
	if !slices.Equal(d.lines, want) {
		t.Errorf("told %q, want %q", d.lines, want)
	}
}

func TestAMessagesWatcherIsToldAll(t *testing.T) {
	b := openBook(t)
	app := &fake{name: "app", deliver: answering(nil)}
	strict := &fake{name: "strict", deliver: answering(status.SinkRefused)}
	extra := &fake{name: "extra", deliver: answering(status.SinkBusy)}
	try := func(d *diary, orders ...delivery.Order) {
		m, to := mail("ann@in.example", "bob@in.example")
		m.Provable, m.Watch = true, d
		defer m.Data.Release()
		for i := range orders {
			orders[i].Route, orders[i].Recipients, orders[i].Deduplicate = fmt.Sprint("r", i), to, true
		}
		b.Deliver(context.Background(), m, orders)
	}
	first, second := &diary{}, &diary{}
	refused := delivery.Order{Refused: status.ConditionsNotMet.Wrap("", nil)}
	try(first, delivery.Order{Required: list(app, strict), Optional: list(extra)}, refused)
	try(second, delivery.Order{Required: list(app)})
	if err := b.Stop(context.Background()); err != nil {
		t.Fatal(err)
	}
	first.want(t, "began app optional=false spooled=false", "ended app delivered spooled=false late=false",
		"began strict optional=false spooled=false", "ended strict sink_refused spooled=false late=false", "buried strict of 2",
		"began extra optional=true spooled=false", first.ended("extra"), "buried ~"+status.ConditionsNotMet.Name()+" of 2")
	second.want(t, "known app 2")
}

// ended returns the line of a sink's end, which may be late or not.
func (d *diary) ended(sink string) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	i := slices.IndexFunc(d.lines, func(l string) bool { return len(l) > 6+len(sink) && l[:6+len(sink)] == "ended "+sink })
	if i < 0 {
		return "no end of " + sink
	}
	return d.lines[i]
}

func TestAWatcherIsToldOfTheSpool(t *testing.T) {
	for name, fault := range map[string]error{"delivered": nil, "no_storage": errors.New("full")} {
		s := openShelf(t, true)
		s.put = func() error { return fault }
		m, to := mail("ann@in.example")
		d := &diary{}
		m.Watch = d
		s.Deliver(context.Background(), m, []delivery.Order{{Route: "r", Recipients: to, Required: list(&fake{name: "app", deliver: answering(nil)}), Spool: true}})
		if err := s.Stop(context.Background()); err != nil {
			t.Fatal(err)
		}
		d.want(t, "began app optional=false spooled=true", fmt.Sprintf("ended app %s spooled=true late=false", name))
		m.Data.Release()
	}
}
