package page

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"mxhook/cmd/internal/recent"
	"mxhook/inbound/status"
)

// perPage is how many rows a list shows.
const perPage = 50

// messagesPage is a list of messages.
type messagesPage struct {
	Query, Outcome string
	Outcomes       []recent.Outcome
	Rows           []recent.Row
	First          bool // the newest are shown
	Older          string
	Sources        []string // queues that events are taken from
	Listens        bool     // there is somewhere to send a message to
}

func (p *Page) messages(w http.ResponseWriter, r *http.Request) {
	form := r.URL.Query()
	body := messagesPage{Query: recent.Clean(form.Get("q"), 200), Outcomes: recent.Outcomes()}
	if o := recent.Outcome(form.Get("outcome")); slices.Contains(body.Outcomes, o) {
		body.Outcome = string(o)
	}
	before, _ := strconv.ParseUint(form.Get("before"), 10, 64)
	body.First = before == 0
	var more bool
	body.Rows, more = p.config.Recent.List(recent.Query{Text: body.Query, Outcome: recent.Outcome(body.Outcome), Before: before, Limit: perPage})
	if more {
		q := url.Values{"before": {strconv.FormatUint(body.Rows[len(body.Rows)-1].Seq, 10)}}
		if body.Query != "" {
			q.Set("q", body.Query)
		}
		if body.Outcome != "" {
			q.Set("outcome", body.Outcome)
		}
		body.Older = "/?" + q.Encode()
	}
	if len(body.Rows) == 0 {
		o := p.config.Bridge.Overview()
		body.Sources, body.Listens = o.Sources, len(o.Listeners) > 0
	}
	p.render(w, r, http.StatusOK, "messages", "messages", "Messages", body)
}

// messagePage is one message.
type messagePage struct {
	recent.Message
	Verdict []verdictLine
	Steps   []step
	Settled string // what became of a message of a queue
	Held    int    // events that the spool has
	// What a source has taken may not be readable: its envelope, or the message itself.
	Enveloped, Parsed bool
}

// step is a line of what happened.
type step struct {
	At     time.Time
	What   string
	Sink   string
	Detail string
	Took   time.Duration
	Kind   string // good, later, bad or plain
}

func (p *Page) message(w http.ResponseWriter, r *http.Request) {
	m, ok := p.config.Recent.Get(r.PathValue("id"))
	if !ok {
		p.problem(w, r, http.StatusNotFound, "The page has forgotten this message, or never knew it. It remembers the last ones since the start; the log has them all.")
		return
	}
	body := messagePage{Message: m, Verdict: verdictLines(m.Verdicts), Steps: steps(&m)}
	body.Settled, _ = settled(&m)
	body.Enveloped, body.Parsed = m.Source == "" || m.Session != "", m.Source == "" || m.Class != ""
	for _, e := range m.Events {
		if held(e.State) {
			body.Held++
		}
	}
	p.render(w, r, http.StatusOK, "message", "messages", cmp.Or(m.Subject, "Message"), body)
}

func held(s recent.State) bool { return s == recent.EventWaiting || s == recent.EventDead }

// steps are all that happened to a message, in order.
func steps(m *recent.Message) []step {
	var list []step
	switch {
	case m.Source != "":
		list = append(list, step{At: m.At, What: "taken from the queue of source " + m.Source, Kind: "plain"})
	case m.Received:
		list = append(list, step{At: m.At, What: "received and examined", Kind: "plain"})
	}
	for _, e := range m.Events {
		for _, a := range e.Attempts {
			s := step{At: a.At, Sink: e.Sink, What: "attempt failed: " + a.Condition, Detail: a.Detail, Took: a.Took, Kind: "later"}
			switch a.Class {
			case status.Success:
				s.What, s.Kind = "accepted", "good"
			case status.Permanent:
				s.What, s.Kind = "refused", "bad"
			}
			list = append(list, s)
		}
		if s, ok := ending(e, m.Source != ""); ok {
			list = append(list, s)
		}
	}
	for _, k := range m.Known {
		list = append(list, step{At: m.At, Sink: k.Sink, What: "left out: delivered before, as the ledger knows", Kind: "good"})
	}
	if m.Reply != "" {
		list = append(list, step{At: m.At.Add(m.Took), What: "the sender was told", Detail: m.Reply, Kind: kindOfReply(m.Reply)})
	}
	if what, kind := settled(m); what != "" {
		list = append(list, step{At: m.At.Add(m.Took), What: what, Kind: kind})
	}
	slices.SortStableFunc(list, func(a, b step) int { return a.At.Compare(b.At) })
	return list
}

// settled says what became of a message of a queue, and good, later, bad or plain.
func settled(m *recent.Message) (what, kind string) {
	if m.Source == "" {
		return "", ""
	}
	switch m.Outcome {
	case recent.Delivered:
		return "taken out of the queue", "good"
	case recent.Refused, recent.Dead:
		return "taken out of the queue, since it was refused for good", "bad"
	case recent.Waiting:
		return "put back into the queue, which brings it again", "later"
	case recent.Poison:
		return "put back into the queue: no try will ever deliver it, and its dead-letter queue ends it", "bad"
	}
	return "", ""
}

// ending says how an event came to its end, or to rest; queued that no sender waits.
func ending(e recent.Event, queued bool) (step, bool) {
	s := step{At: e.Ended, Sink: e.Sink, Detail: e.Detail, Kind: "plain"}
	switch e.State {
	case recent.EventWaiting:
		s.What, s.Kind = "waits in the spool", "later"
	case recent.EventDead:
		s.What, s.Kind = "kept as a dead event", "bad"
	case recent.EventDropped:
		s.What = "dropped by an operator"
	case recent.EventRefused:
		s.What, s.Kind = "refused for good", "bad"
	case recent.EventDelivered:
		s.What, s.Kind = "delivered", "good"
		if e.Late {
			if s.What = "delivered, after the reply"; queued {
				s.What = "delivered, after the required sinks"
			}
		}
		if len(e.Attempts) > 0 && !e.Late {
			return s, false // its attempt says so
		}
	case recent.EventDeferred:
		s.What, s.Kind = "not delivered: the sender has to come again", "later"
		switch {
		case e.Optional && queued:
			s.What = "not delivered, which changes nothing, since the sink is optional"
		case e.Optional:
			s.What = "not delivered, which changes nothing for the sender"
		case queued:
			s.What = "not delivered: the queue brings it again"
		}
	default:
		return s, false
	}
	return s, !s.At.IsZero()
}
