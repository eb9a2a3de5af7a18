package delivery

import (
	"mxhook/inbound/status"
	"mxhook/sinks"
)

// op names this package's doings in errors.
const op = "delivery"

// combine makes the one reply of all outcomes of required sinks. It doesn't depend
// on their order. known says that other units of the message were delivered before,
// which counts as accepted. bury says that the answer is yes although some were
// refused, so that these have to be kept before it is given.
//
//   - any temporary: its own reply when all units are temporary and say the same,
//     otherwise 451 4.3.0
//   - else any accepted: 250
//   - else, all refused: the reply they agree on, otherwise 550 5.7.1
//   - none at all (every route discards): 250
func combine(outcomes []sinks.Outcome, known bool) (err error, bury bool) {
	var accepted, refused, temporary []sinks.Outcome
	for _, o := range outcomes {
		switch o.Class() {
		case status.Success:
			accepted = append(accepted, o)
		case status.Permanent:
			refused = append(refused, o)
		default:
			temporary = append(temporary, o)
		}
	}
	switch {
	case len(temporary) > 0 && (len(accepted) > 0 || known && !agree(temporary)):
		return status.PartlyDelivered.Wrap(op, nil), false
	case len(temporary) > 0:
		if len(refused) == 0 && agree(temporary) {
			return temporary[0].Err, false
		}
		r := status.PartlyDelivered.Reply()
		r.Text = "not delivered yet, try again"
		return status.PartlyDelivered.WithReply(op, nil, r), false
	case len(accepted) > 0 || known:
		return nil, len(refused) > 0
	case len(refused) == 0:
		return nil, false
	case agree(refused):
		return refused[0].Err, false
	}
	return status.SinkRefused.Wrap(op, nil), false
}

// agree tells whether all outcomes have the same condition and reply.
func agree(outcomes []sinks.Outcome) bool {
	first := outcomes[0].Err
	for _, o := range outcomes[1:] {
		if status.ReplyOf(o.Err) != status.ReplyOf(first) || status.ConditionOf(o.Err) != status.ConditionOf(first) {
			return false
		}
	}
	return true
}
