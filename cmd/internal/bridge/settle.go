package bridge

import (
	"mxhook/inbound/status"
	"mxhook/routing"
	"mxhook/sinks"
	"mxhook/sinks/delivery"
)

// facts returns what conditions of routes are decided by. m has been examined.
func (x *examiner) facts(m delivery.Mail) routing.Facts {
	f := routing.Facts{ARCCounts: x.sealers, Message: m.Message, Size: m.Data.Size()}
	if x.verifier != nil {
		f.Results = m.Results
	}
	return f
}

// settle decides by what the message is which routes take each recipient, and returns
// what is to be done: also for those who are refused, so that delivery answers for them
// as for a sink that refuses.
//
// The error is that of a condition that is open while a verdict is missing. One reply for
// all then defers all: delivered now, the message could not be known again when it comes
// back with its verdicts, which are a part of its identity. Where each recipient has a
// reply of its own it defers those alone that need the verdict.
func (t *transaction) settle(m delivery.Mail, facts routing.Facts) ([]delivery.Order, error) {
	var matches []routing.Match
	var refused []delivery.Order
	for _, d := range t.decisions {
		s := d.Settle(facts)
		if s.Err != nil && m.Each == nil && status.ConditionOf(s.Err) == status.VerdictUnavailable {
			return nil, s.Err
		}
		if s.Err != nil {
			refused = append(refused, refusal(d, s))
		}
		matches = append(matches, s.Matches...)
	}
	for _, m := range matches {
		t.parts.metrics.RouteMatched(m.Rule.Name)
	}
	for _, o := range refused {
		if status.ConditionOf(o.Refused) != status.VerdictUnavailable {
			t.parts.metrics.RouteRefused(o.Route)
		}
		t.log.Info("recipient refused after the data", "transaction", t.id, "reverse_path", t.mail.ReversePath.String(),
			"recipient", o.Recipients[0].Path.String(), "route", o.Route, "reply", status.ReplyOf(o.Refused).String())
	}
	return append(t.orders(matches), refused...), nil
}

// refusal is the order of a recipient whom no route takes. Where the conditions of none
// hold it is told of the first one that might have.
func refusal(d routing.Decision, s routing.Settlement) delivery.Order {
	first := d.Candidates[0]
	rule := first.Rule
	if s.Rule != nil {
		rule = s.Rule
	}
	return delivery.Order{
		Route: rule.Name, Recipients: []sinks.Recipient{{Path: first.Path, Canonical: canonical(first.Path)}},
		Refused: s.Err, Deduplicate: !rule.Repeat,
	}
}
