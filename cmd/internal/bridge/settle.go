package bridge

import (
	"context"

	"mxhook/inbound"
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
	return f.Remembering()
}

// OfflineFacts returns what is known of a stored message without asking anybody: the
// verdicts are not. The error is one of the message's header section.
func OfflineFacts(hostname string, content []byte) (routing.Facts, error) {
	x := examiner{hostname: hostname}
	m, err := x.examine(context.Background(), inbound.Session{}, inbound.Mail{SMTPUTF8: true}, inbound.NewMailData(content), learned{})
	return x.facts(m), err
}

// settle decides by what the message is what becomes of each recipient: its verdicts may
// refuse him whatever his routes say, or else the routes' conditions do, and which take
// him. It returns what is to be done: also for those who are refused, so that delivery
// answers for them as for a sink that refuses.
//
// The error is the one reply for all where the verdicts refuse or are waited for. A
// condition that is open then defers all, too: delivered now, the message could not be
// known again when it comes back with its verdicts, which are a part of its identity.
// Where each recipient has a reply of its own it defers those alone that need the
// verdict.
func (t *transaction) settle(m delivery.Mail, facts routing.Facts) ([]delivery.Order, error) {
	h := t.waitsFor(m)
	judged := t.judge(m.Results, &h)
	settled := make([]routing.Settlement, len(t.decisions))
	errs := make([]error, len(t.decisions))
	for i, d := range t.decisions {
		if judged != nil && judged[i] != nil {
			settled[i].Err = judged[i]
		} else {
			settled[i] = settleWithin(d, facts, &h, t.recipients[i])
		}
		if m.Each != nil || isVerdict(settled[i].Err) {
			errs[i] = settled[i].Err
		}
	}
	t.wait(&h, errs)
	if m.Each == nil {
		if err := most(errs); err != nil {
			return nil, err
		}
	}
	var matches []routing.Match
	var refused []delivery.Order
	for i, s := range settled {
		if s.Err != nil {
			refused = append(refused, refusal(t.decisions[i], s))
		}
		matches = append(matches, s.Matches...)
	}
	t.tell(matches, refused)
	t.recordRoutes(settled, facts)
	return append(t.orders(matches), refused...), nil
}

// settleWithin settles a decision: without what is open, when the recipient's hour is
// over.
func settleWithin(d routing.Decision, facts routing.Facts, h *hour, recipient string) routing.Settlement {
	s := d.Settle(facts)
	if status.ConditionOf(s.Err) == status.VerdictUnavailable && h.over(recipient) {
		facts.Decided = true
		s = d.Settle(facts)
	}
	return s
}

// isVerdict tells whether an error is one of verdicts, whatever the routes are.
func isVerdict(err error) bool {
	switch status.ConditionOf(err) {
	case status.PolicyDMARC, status.PolicySPF, status.VerdictUnavailable:
		return true
	}
	return false
}

// wait begins the hour of those who are told to come again for a verdict.
func (t *transaction) wait(h *hour, errs []error) {
	var waiting []string
	for i, err := range errs {
		if status.ConditionOf(err) == status.VerdictUnavailable {
			waiting = append(waiting, t.recipients[i])
		}
	}
	h.begin(waiting)
}

// tell counts and logs what the routes make of the message.
func (t *transaction) tell(matches []routing.Match, refused []delivery.Order) {
	for _, m := range matches {
		t.parts.metrics.RouteMatched(m.Rule.Name)
		t.record.store.RouteTook(m.Rule.Name, false)
	}
	for i := range refused {
		o := &refused[i]
		if !isVerdict(o.Refused) {
			t.parts.metrics.RouteRefused(o.Route)
			t.record.store.RouteTook(o.Route, true)
		}
		if t.stored != nil {
			t.stored.refuse(o)
		}
		t.log.Info("recipient refused after the data", "transaction", t.id, "reverse_path", t.mail.ReversePath.String(),
			"recipient", o.Recipients[0].Path.String(), "route", o.Route, "reply", status.ReplyOf(o.Refused).String(), "reason", reason(o.Refused))
	}
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
