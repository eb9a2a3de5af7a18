package delivery_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"mxhook/inbound/status"
	"mxhook/sinks"
	"mxhook/sinks/delivery"
)

const budget = 30 * time.Second

// A behaviour is what a sink does with a unit.
type behaviour string

const (
	accepts    behaviour = "accepts"
	temporary  behaviour = "temporary"
	refuses    behaviour = "refuses"
	hangs      behaviour = "hangs" // and says yes long after the budget
	panics     behaviour = "panics"
	behaviours           = 5
)

func (b behaviour) sink(name string) *fake {
	return &fake{name: name, deliver: func(ctx context.Context, e *sinks.Event) sinks.Outcome {
		switch b {
		case temporary:
			return answering(status.SinkUnavailable)(ctx, e)
		case refuses:
			return answering(status.SinkRefused)(ctx, e)
		case hangs:
			time.Sleep(2 * budget)
			if _, err := e.Data.ReadAt(make([]byte, 1), 0); err != nil {
				panic("the bytes are gone while a sink reads them")
			}
		case panics:
			panic("canary: secret words")
		}
		return sinks.Outcome{Attempts: 1}
	}}
}

// expectedReply is the contract's rule, written down a second time.
func expectedReply(units []behaviour) (reply string, dead int) {
	n := map[behaviour]int{}
	for _, b := range units {
		n[b]++
	}
	switch later := n[temporary] + n[hangs] + n[panics]; {
	case n[temporary] == len(units):
		return "451 4.4.1", 0
	case n[hangs] == len(units):
		return "451 4.4.5", 0
	case later > 0:
		return "451 4.3.0", 0
	case n[accepts] > 0:
		return "250 2.0.0", n[refuses]
	}
	return "550 5.7.1", 0
}

// graveyard keeps what was buried.
type graveyard struct {
	mu    sync.Mutex
	sinks []string
	err   error
}

func (g *graveyard) bury(_ *sinks.Event, sink string, o sinks.Outcome) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if o.Class() != status.Permanent {
		return errors.New("buried alive")
	}
	if g.err == nil {
		g.sinks = append(g.sinks, sink)
	}
	return g.err
}

func TestEveryCombinationOfThreeUnits(t *testing.T) {
	all := [behaviours]behaviour{accepts, temporary, refuses, hangs, panics}
	for _, a := range all {
		for _, b := range all {
			for _, c := range all {
				units := []behaviour{a, b, c}
				synctest.Test(t, func(t *testing.T) { tryUnits(t, units) })
			}
		}
	}
}

func tryUnits(t *testing.T, units []behaviour) {
	var g graveyard
	var late []string
	d := delivery.New(delivery.Config{Budget: budget, Dead: g.bury, Late: func(_ *sinks.Event, sink string, o sinks.Outcome) {
		g.mu.Lock()
		defer g.mu.Unlock()
		late = append(late, fmt.Sprint(sink, o.Err))
	}})
	m, to := mail("ann@in.example")
	var required []sinks.Sink
	hanging := 0
	for i, b := range units {
		required = append(required, b.sink(fmt.Sprint("sink", i)))
		if b == hangs {
			hanging++
		}
	}
	start := time.Now()
	a := d.Deliver(context.Background(), m, []delivery.Order{{Route: "r", Recipients: to, Required: required}})
	took := time.Since(start)
	m.Data.Release()

	reply, dead := expectedReply(units)
	if got := a.Reply().String(); !strings.HasPrefix(got, reply) || strings.Contains(got, "canary") {
		t.Errorf("%v: reply %q, want %q", units, got, reply)
	}
	if len(g.sinks) != dead {
		t.Errorf("%v: %v were buried, want %d", units, g.sinks, dead)
	}
	if hanging == 0 && took != 0 || hanging > 0 && took != budget {
		t.Errorf("%v: took %v", units, took)
	}
	if err := d.Stop(context.Background()); err != nil {
		t.Error(err)
	}
	if len(late) != hanging {
		t.Errorf("%v: late outcomes %v", units, late)
	}
	if _, err := m.Data.ReadAt(make([]byte, 1), 0); err == nil {
		t.Errorf("%v: a reference on the bytes was not given back", units)
	}
}

func TestOneReplyForAll(t *testing.T) {
	own := func(s string) error {
		r, err := status.ParseReply(s)
		if err != nil {
			t.Fatal(err)
		}
		if r.Class() == status.Temporary {
			return status.SinkDeferred.WithReply("test", nil, r)
		}
		return status.SinkRefused.WithReply("test", nil, r)
	}
	bare := errors.New("canary: no condition")
	for _, c := range []struct {
		name  string
		errs  []error
		reply string
	}{
		{"too big for all", []error{status.SinkTooBig.Wrap("", nil), status.SinkTooBig.Wrap("", nil)}, "552 5.3.4"},
		{"too big for one, taken by another", []error{status.SinkTooBig.Wrap("", nil), nil}, "250 2.0.0 OK msg_"},
		{"too big for one, refused by another", []error{status.SinkTooBig.Wrap("", nil), status.SinkRefused.Wrap("", nil)}, "550 5.7.1"},
		{"the app's own words", []error{own("554 5.6.0 broken invoice")}, "554 5.6.0 broken invoice"},
		{"the same own words twice", []error{own("554 5.6.0 broken"), own("554 5.6.0 broken")}, "554 5.6.0 broken"},
		{"two apps with other words", []error{own("554 5.6.0 broken"), own("550 5.1.1 gone")}, "550 5.7.1 refused by the destination"},
		{"the app's own later", []error{own("450 4.2.1 moving")}, "450 4.2.1 moving"},
		{"two kinds of later", []error{own("450 4.2.1 moving"), status.SinkOperator.Wrap("", nil)}, "451 4.3.0 not delivered yet"},
		{"later and never", []error{status.SinkOperator.Wrap("", nil), status.SinkRefused.Wrap("", nil)}, "451 4.3.0 not delivered yet"},
		{"later and done", []error{status.SinkOperator.Wrap("", nil), nil}, "451 4.3.0 partly delivered"},
		{"operator's error", []error{status.SinkOperator.Wrap("", nil)}, "451 4.3.5"},
		{"an error without a condition is ours", []error{bare}, "451 4.3.0 temporary local error"},
		{"done twice", []error{nil, nil}, "250 2.0.0 OK msg_"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for range 2 {
				var g graveyard
				d := delivery.New(delivery.Config{Dead: g.bury})
				m, to := mail("ann@in.example")
				o := delivery.Order{Route: "r", Recipients: to}
				for i, err := range c.errs {
					o.Required = append(o.Required, &fake{name: fmt.Sprint(i), deliver: func(context.Context, *sinks.Event) sinks.Outcome { return sinks.Outcome{Err: err} }})
				}
				if got := d.Deliver(context.Background(), m, []delivery.Order{o}).Reply().String(); !strings.HasPrefix(got, c.reply) || strings.Contains(got, "canary") {
					t.Errorf("%q, want %q", got, c.reply)
				}
				slices.Reverse(c.errs) // the order of the sinks doesn't matter
			}
		})
	}
}

func TestTheReplyNamesWhatWasTaken(t *testing.T) {
	b := openBook(t)
	m, to := mail("ann@in.example", "bob@in.example", "eve@in.example")
	m.Provable = true
	refused := delivery.Order{Route: "a", Recipients: to[:1], Required: []sinks.Sink{refuses.sink("first")}, Deduplicate: true}
	taken := delivery.Order{Route: "b", Recipients: to[1:2], Required: []sinks.Sink{accepts.sink("second")}, Deduplicate: true}
	also := delivery.Order{Route: "c", Recipients: to[2:], Required: []sinks.Sink{accepts.sink("third")}, Deduplicate: true}
	first := m.Event("b", to[1:2]).ID
	if got := b.Deliver(context.Background(), m, []delivery.Order{refused, taken, also}); got.Text != "OK "+first+" +1" {
		t.Errorf("%+v, want %s +1", got, first)
	}
	// What an earlier try delivered is named when all of this one is refused.
	again := delivery.Order{Route: "d", Recipients: to[:1], Required: []sinks.Sink{refuses.sink("first")}, Deduplicate: true}
	if got := b.Deliver(context.Background(), m, []delivery.Order{again, taken}); got.Err != nil || got.Text != "OK "+first {
		t.Errorf("%+v, want %s", got, first)
	}
}
