package delivery

import (
	"crypto/sha256"
	"slices"
	"time"

	"mxhook/inbound"
	"mxhook/inbound/message"
	"mxhook/sinks"
	"mxhook/verify"
)

// Mail is what all events of one message share.
type Mail struct {
	Identity   [sha256.Size]byte // sinks.Identity.Sum
	Session    inbound.Session
	Mail       inbound.Mail
	Message    *message.Message
	Results    *verify.Results
	Data       *inbound.MailData
	Cut        []sinks.Range
	Hostname   string
	ReceivedAt time.Time // UTC
}

// Order is what a route wants done: its recipients, to each of its sinks. A route
// that discards has no sinks. Orders of the same route are taken as one.
type Order struct {
	Route      string
	Recipients []sinks.Recipient
	Required   []sinks.Sink
	Optional   []sinks.Sink
}

// task is one event for one sink.
type task struct {
	sink  sinks.Sink
	event *sinks.Event
}

// group collects the recipients of one route at one sink.
type group struct {
	route      string
	sink       sinks.Sink
	optional   bool
	recipients []sinks.Recipient
	known      map[string]bool // the recipients, lower case
}

// plan makes the events: the units (route, sink, recipient), each once, grouped as
// the sinks want them. The order is that of the orders and their sinks.
func plan(m Mail, orders []Order) (required, optional []task) {
	for _, g := range groups(orders) {
		tasks := g.tasks(m)
		if g.optional {
			optional = append(optional, tasks...)
		} else {
			required = append(required, tasks...)
		}
	}
	return required, optional
}

func groups(orders []Order) []*group {
	var all []*group
	find := func(route string, s sinks.Sink, optional bool) *group {
		for _, g := range all {
			if g.route == route && g.sink.Name() == s.Name() {
				g.optional = g.optional && optional // required wins
				return g
			}
		}
		g := &group{route: route, sink: s, optional: optional, known: map[string]bool{}}
		all = append(all, g)
		return g
	}
	for _, o := range orders {
		for _, s := range o.Required {
			find(o.Route, s, false).add(o.Recipients)
		}
		for _, s := range o.Optional {
			find(o.Route, s, true).add(o.Recipients)
		}
	}
	return slices.DeleteFunc(all, func(g *group) bool { return len(g.recipients) == 0 })
}

// add takes the recipients that are not there yet.
func (g *group) add(recipients []sinks.Recipient) {
	for _, r := range recipients {
		if key := r.Key(); !g.known[key] {
			g.known[key] = true
			g.recipients = append(g.recipients, r)
		}
	}
}

func (g *group) tasks(m Mail) []task {
	if g.sink.FanOut() != sinks.FanOutRecipient {
		return []task{{g.sink, m.Event(g.route, g.recipients)}}
	}
	tasks := make([]task, 0, len(g.recipients))
	for i := range g.recipients {
		tasks = append(tasks, task{g.sink, m.Event(g.route, g.recipients[i:i+1:i+1])})
	}
	return tasks
}

// Event returns the event for recipients of one route.
func (m *Mail) Event(route string, recipients []sinks.Recipient) *sinks.Event {
	return &sinks.Event{
		ID:    sinks.EventID(m.Identity, route, recipients),
		Route: route, ReceivedAt: m.ReceivedAt, Hostname: m.Hostname, Session: m.Session, Mail: m.Mail,
		Recipients: recipients, Message: m.Message, Results: m.Results, Data: m.Data, Cut: m.Cut,
	}
}
