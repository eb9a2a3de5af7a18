package delivery

import (
	"crypto/sha256"
	"slices"
	"strings"
	"time"

	"mxhook/inbound"
	"mxhook/inbound/message"
	"mxhook/sinks"
	"mxhook/sinks/ledger"
	"mxhook/verify"
)

// Mail is what all events of one message share.
type Mail struct {
	Identity [sha256.Size]byte // sinks.Identity.Sum
	// Provable says that the identity is the same when the sender tries again: the
	// message has a Message-ID. Without it nothing is known of it, nor remembered.
	Provable   bool
	Session    inbound.Session
	Mail       inbound.Mail
	Message    *message.Message
	Results    *verify.Results
	Data       *inbound.MailData
	Cut        []sinks.Range
	Hostname   string
	ReceivedAt time.Time // UTC
	// Each are the recipients that have a reply of their own (LMTP), by Recipient.Key,
	// in the order of the replies; one may be named twice. Nil: one reply for all.
	Each []string
	// Watch is told what becomes of the message's events; nil: nobody is.
	Watch Watcher
	// Waiting is since when the sender waits for the reply; zero is since now.
	Waiting time.Time
	// Queued says that no sender waits: the message comes from a queue. Required events
	// are waited for to their end, also beyond the budget, which only bounds when attempts
	// begin; and what is refused for good is kept as a dead event, and then the message is
	// accepted, also where every unit is refused.
	Queued bool
}

// Order is what a route wants done: its recipients, to each of its sinks. A route
// that discards has no sinks. Orders of the same route are taken as one, but for those
// that refuse with another condition.
type Order struct {
	Route      string
	Recipients []sinks.Recipient
	Required   []sinks.Sink
	// Refused is set where the route refuses the recipients after the data: they are units
	// with this outcome, which wraps a Condition, and Required counts for nothing. A
	// refusal for good is kept as a dead event where the message is accepted in spite of it.
	Refused  error
	Optional []sinks.Sink
	// Deduplicate lets the ledger leave out what was delivered.
	Deduplicate bool
	// Spool gives the events of the required sinks to the spool, which answers for them.
	Spool bool
	// SpillAfter does so with an event of which a unit has been deferred for that long;
	// 0 is never. Only a ledger can tell.
	SpillAfter time.Duration
}

// task is one event for one sink.
type task struct {
	sink   sinks.Sink
	event  *sinks.Event
	keys   []ledger.Key   // its units; nil when they are not remembered
	flight *ledger.Flight // holds the units; nil likewise
	// spooled says that the event goes into the spool, not to the sink.
	spooled bool
	// fresh are the units whose first deferral is to be remembered if this is one.
	fresh []ledger.Key
}

// carries tells whether a recipient is one of the event's.
func (t task) carries(recipient string) bool {
	return slices.ContainsFunc(t.event.Recipients, func(r sinks.Recipient) bool { return r.Key() == recipient })
}

// forThose returns the task with the recipients that keep keeps: another event, unless
// it keeps all. It has no event when it keeps none.
func (t task) forThose(m *Mail, keep func(sinks.Recipient) bool) task {
	some := task{sink: t.sink}
	var recipients []sinks.Recipient
	for i, r := range t.event.Recipients {
		if !keep(r) {
			continue
		}
		recipients = append(recipients, r)
		if t.keys != nil {
			some.keys = append(some.keys, t.keys[i])
		}
	}
	if len(recipients) > 0 {
		some.event = m.Event(t.event.Route, recipients)
		some.event.FirstTried = t.event.FirstTried
	}
	return some
}

// group collects the recipients of one route at one sink.
type group struct {
	route      string
	sink       sinks.Sink
	optional   bool
	remembered bool // by the ledger
	spool      bool
	spillAfter time.Duration
	recipients []sinks.Recipient
	keys       []ledger.Key    // of the recipients, when remembered
	known      []ledger.Done   // of these, after the ledger was asked
	named      map[string]bool // the recipients, lower case
}

// taskSet are the events of a message.
type taskSet struct{ required, optional []task }

// events makes the events of the groups, as the sinks want them. The order is that
// of the groups.
func events(m Mail, groups []*group) (set taskSet) {
	for _, g := range groups {
		tasks := g.tasks(m)
		if g.optional {
			set.optional = append(set.optional, tasks...)
		} else {
			set.required = append(set.required, tasks...)
		}
	}
	return set
}

// groups collects the units (route, sink, recipient), each once. The order is that of
// the orders and their sinks.
func groups(orders []Order) []*group {
	var all []*group
	find := func(o Order, s sinks.Sink, optional bool) *group {
		for _, g := range all {
			if g.route == o.Route && g.sink.Name() == s.Name() {
				g.optional = g.optional && optional // required wins
				return g
			}
		}
		g := &group{route: o.Route, sink: s, optional: optional, remembered: o.Deduplicate, spool: o.Spool,
			spillAfter: o.SpillAfter, named: map[string]bool{}}
		all = append(all, g)
		return g
	}
	for _, o := range orders {
		for _, s := range o.required() {
			find(o, s, false).add(o.Recipients)
		}
		for _, s := range o.Optional {
			find(o, s, true).add(o.Recipients)
		}
	}
	for _, g := range all {
		fanOut := g.sink.FanOut()
		slices.SortStableFunc(g.recipients, func(a, b sinks.Recipient) int { return strings.Compare(fanOut.Group(a), fanOut.Group(b)) })
	}
	return slices.DeleteFunc(all, func(g *group) bool { return len(g.recipients) == 0 })
}

// add takes the recipients that are not there yet.
func (g *group) add(recipients []sinks.Recipient) {
	for _, r := range recipients {
		if key := r.Key(); !g.named[key] {
			g.named[key] = true
			g.recipients = append(g.recipients, r)
		}
	}
}

func (g *group) tasks(m Mail) []task {
	var tasks []task
	for i := 0; i < len(g.recipients); {
		end := g.end(i)
		t := task{sink: g.sink, event: m.Event(g.route, g.recipients[i:end:end])}
		if g.keys != nil {
			t.keys = g.keys[i:end:end]
		}
		g.tried(&t, i)
		if !g.optional {
			t.spooled = g.spool
			g.spill(&t, i)
		}
		tasks = append(tasks, t)
		i = end
	}
	return tasks
}

// end returns where the recipients end that go into one event with the i-th.
func (g *group) end(i int) int {
	fanOut := g.sink.FanOut()
	common := fanOut.Group(g.recipients[i])
	for i++; i < len(g.recipients) && fanOut.Group(g.recipients[i]) == common; i++ {
	}
	return i
}

// tried tells the event since when its units, the first of which is the i-th of the
// group, are tried.
func (g *group) tried(t *task, i int) {
	if g.known == nil {
		return
	}
	for _, known := range g.known[i : i+len(t.keys)] {
		if at := known.At; known.State == ledger.Deferred && !at.IsZero() && (t.event.FirstTried.IsZero() || at.Before(t.event.FirstTried)) {
			t.event.FirstTried = at
		}
	}
}

// Event returns the event for recipients of one route.
func (m *Mail) Event(route string, recipients []sinks.Recipient) *sinks.Event {
	return &sinks.Event{
		ID: sinks.EventID(m.Identity, route, recipients), Identity: m.Identity,
		Route: route, ReceivedAt: m.ReceivedAt, Hostname: m.Hostname, Session: m.Session, Mail: m.Mail,
		Recipients: recipients, Message: m.Message, Results: m.Results, Data: m.Data, Cut: m.Cut,
	}
}
