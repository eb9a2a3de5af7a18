package delivery_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"mxhook/inbound/status"
	"mxhook/sinks"
	"mxhook/sinks/delivery"
)

// recorder takes every event and notes it.
type recorder struct {
	mu     sync.Mutex
	events map[string][]*sinks.Event // by sink
}

func (r *recorder) sink(name string, fanOut sinks.FanOut) *fake {
	return &fake{name: name, fanOut: fanOut, deliver: func(_ context.Context, e *sinks.Event) sinks.Outcome {
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.events == nil {
			r.events = map[string][]*sinks.Event{}
		}
		r.events[name] = append(r.events[name], e)
		return sinks.Outcome{Attempts: 1}
	}}
}

// units returns "route/recipient" of all events of a sink, sorted; one event's are
// joined by a comma.
func (r *recorder) units(sink string) []string {
	var all []string
	for _, e := range r.events[sink] {
		var to []string
		for _, x := range e.Recipients {
			to = append(to, x.Path.String())
		}
		all = append(all, e.Route+"/"+strings.Join(to, ","))
	}
	slices.Sort(all)
	return all
}

func TestUnitsBecomeEvents(t *testing.T) {
	m, to := mail("ann@in.example", "bob@in.example", "Ann@IN.example", "eve@in.example")
	var r recorder
	app, each, jobs := r.sink("app", sinks.FanOutMessage), r.sink("each", sinks.FanOutRecipient), r.sink("jobs", sinks.FanOutMessage)
	d := delivery.New(delivery.Config{})
	a := d.Deliver(context.Background(), m, []delivery.Order{
		{Route: "one", Recipients: to[:3], Required: []sinks.Sink{app, each, app}, Optional: []sinks.Sink{jobs, app}},
		{Route: "two", Recipients: to[3:], Required: []sinks.Sink{app}},
		{Route: "one", Recipients: to[3:], Required: []sinks.Sink{app}},
		{Route: "hole", Recipients: to},
		{Route: "none", Required: []sinks.Sink{app}},
	})
	if a.Err != nil {
		t.Fatal(a.Err)
	}
	if err := d.Stop(context.Background()); err != nil {
		t.Fatal(err)
	}
	for sink, want := range map[string][]string{
		"app":  {"one/ann@in.example,bob@in.example,eve@in.example", "two/eve@in.example"},
		"each": {"one/ann@in.example", "one/bob@in.example"},
		"jobs": {"one/ann@in.example,bob@in.example"},
	} {
		if got := r.units(sink); !slices.Equal(got, want) {
			t.Errorf("%s got %v, want %v", sink, got, want)
		}
	}
	first := sinks.EventID(m.Identity, "one", []sinks.Recipient{to[0], to[1], to[3]})
	if want := fmt.Sprintf("OK %s +3", first); a.Text != want {
		t.Errorf("text %q, want %q", a.Text, want)
	}
	for sink, events := range r.events {
		for _, e := range events {
			if e.ID != sinks.EventID(m.Identity, e.Route, e.Recipients) || e.Data != m.Data || e.Hostname != m.Hostname || !e.ReceivedAt.Equal(m.ReceivedAt) {
				t.Errorf("%s: event %+v", sink, e)
			}
		}
	}
}

func TestWhereNothingIsRequired(t *testing.T) {
	m, to := mail("ann@in.example")
	var r recorder
	d := delivery.New(delivery.Config{})
	if a := d.Deliver(context.Background(), m, []delivery.Order{{Route: "hole", Recipients: to}}); a.Err != nil || a.Text != "OK" {
		t.Errorf("discard: %+v", a)
	}
	if a := d.Deliver(context.Background(), m, nil); a.Err != nil || a.Text != "OK" {
		t.Errorf("no orders: %+v", a)
	}
	a := d.Deliver(context.Background(), m, []delivery.Order{{Route: "r", Recipients: to, Optional: []sinks.Sink{r.sink("jobs", "")}}})
	if a.Err != nil || a.Text != "OK "+sinks.EventID(m.Identity, "r", to) {
		t.Errorf("optional alone: %+v", a)
	}
	a = d.Deliver(context.Background(), m, []delivery.Order{{Route: "hole", Recipients: to}, {Route: "r", Recipients: to, Required: []sinks.Sink{refuses.sink("app")}}})
	if status.ConditionOf(a.Err) != status.SinkRefused {
		t.Errorf("every unit was refused, what is discarded is none: %+v", a)
	}
	d.Stop(context.Background())
}
