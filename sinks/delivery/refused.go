package delivery

import (
	"context"

	"mxhook/inbound/status"
	"mxhook/sinks"
)

// refusal stands in the place of a sink for recipients whom their route refuses after
// the data: one unit each, with an outcome that is known.
type refusal struct{ err error }

// Name implements sinks.Sink: NoSink and the condition.
func (r refusal) Name() string { return sinks.NoSink + status.ConditionOf(r.err).Name() }

// FanOut implements sinks.Sink.
func (refusal) FanOut() sinks.FanOut { return sinks.FanOutMessage }

// Deliver implements sinks.Sink.
func (r refusal) Deliver(context.Context, *sinks.Event) sinks.Outcome {
	return sinks.Outcome{Err: r.err, Detail: "the route refuses the recipient after the data"}
}

// refused tells whether the route refuses the recipients, so that no sink is asked.
func (t task) refused() bool {
	_, is := t.sink.(refusal)
	return is
}

// required returns the required sinks of the order.
func (o Order) required() []sinks.Sink {
	if o.Refused != nil {
		return []sinks.Sink{refusal{o.Refused}}
	}
	return o.Required
}
