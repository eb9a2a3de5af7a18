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
	p.render(w, r, http.StatusOK, "messages", "messages", "Messages", body)
}

// messagePage is one message.
type messagePage struct {
	recent.Message
	Verdict []verdictLine
	Steps   []step
	Held    int // events that the spool has
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
	if m.Received {
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
		if s, ok := ending(e); ok {
			list = append(list, s)
		}
	}
	for _, k := range m.Known {
		list = append(list, step{At: m.At, Sink: k.Sink, What: "left out: delivered before, as the ledger knows", Kind: "good"})
	}
	if m.Reply != "" {
		list = append(list, step{At: m.At.Add(m.Took), What: "the sender was told", Detail: m.Reply, Kind: kindOfReply(m.Reply)})
	}
	slices.SortStableFunc(list, func(a, b step) int { return a.At.Compare(b.At) })
	return list
}

// ending says how an event came to its end, or to rest.
func ending(e recent.Event) (step, bool) {
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
			s.What = "delivered, after the reply"
		}
		if len(e.Attempts) > 0 && !e.Late {
			return s, false // its attempt says so
		}
	case recent.EventDeferred:
		s.What, s.Kind = "not delivered: the sender has to come again", "later"
		if e.Optional {
			s.What = "not delivered, which changes nothing for the sender"
		}
	default:
		return s, false
	}
	return s, !s.At.IsZero()
}
