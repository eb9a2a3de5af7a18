package delivery

import (
	"errors"
	"slices"
	"strconv"

	"mxhook/inbound"
	"mxhook/inbound/status"
	"mxhook/sinks"
	"mxhook/sinks/ledger"
)

// result is what became of a required event until the reply is chosen.
type result struct {
	task    task
	outcome sinks.Outcome
	// storage is why an accepted event is not in the ledger, or another not in the spool;
	// it is the reply, whatever the others say.
	storage error
}

// answer makes the reply, and buries and remembers what has to be kept for it. Where
// each recipient has a reply of its own, the one for all is told nobody: it is what
// became of the message as a whole.
func (d *Deliverer) answer(m Mail, todo work, results []result) inbound.Answer {
	d.remember(results)
	if m.Each != nil {
		return d.answerEach(m, todo, results)
	}
	a, bury := todo.reply(results)
	if m.Queued && status.ClassOf(a.Err) == status.Permanent { // nobody hears it
		a, bury = inbound.Answer{}, true
	}
	if !bury {
		return a
	}
	for _, r := range results {
		if r.outcome.Class() != status.Permanent {
			continue
		}
		if err := d.keep(m, r.task, r.outcome); err != nil {
			return inbound.Answer{Err: err}
		}
	}
	return a
}

// answerEach makes a reply for each recipient, of the units that are its own (RFC 2033
// 4.2). A refused event is kept for those recipients alone that hear a yes in spite of
// it, because another of their units was taken; the others hear the refusal.
func (d *Deliverer) answerEach(m Mail, todo work, results []result) inbound.Answer {
	replies := map[string]inbound.Answer{}
	taken := map[string]bool{} // who hears a yes in spite of a refusal
	for _, to := range m.Each {
		if _, ok := replies[to]; !ok {
			own := todo.only(to)
			replies[to], taken[to] = own.reply(resultsOf(results, to))
		}
	}
	whole, _ := todo.reply(results)
	for _, r := range results {
		if r.outcome.Class() != status.Permanent {
			continue
		}
		kept := r.task.forThose(&m, func(to sinks.Recipient) bool { return taken[to.Key()] })
		if kept.event == nil {
			continue
		}
		if err := d.keep(m, kept, r.outcome); err != nil {
			whole = inbound.Answer{Err: err}
			for _, to := range kept.event.Recipients {
				replies[to.Key()] = whole
			}
		}
	}
	for _, to := range m.Each {
		whole.Recipients = append(whole.Recipients, replies[to])
	}
	return whole
}

// resultsOf returns those of the events that carry a recipient.
func resultsOf(results []result, recipient string) (own []result) {
	for _, r := range results {
		if r.task.carries(recipient) {
			own = append(own, r)
		}
	}
	return own
}

// reply makes one reply of the results; w has what was known and what is optional.
// bury is that of combine.
func (w *work) reply(results []result) (a inbound.Answer, bury bool) {
	outcomes := make([]sinks.Outcome, len(results))
	var taken []task
	for i, r := range results {
		if r.storage != nil {
			return inbound.Answer{Err: r.storage}, false
		}
		if outcomes[i] = r.outcome; r.outcome.Err == nil {
			taken = append(taken, r.task)
		}
	}
	known := w.known.first(false)
	err, bury := combine(outcomes, known != "")
	switch {
	case err != nil:
		return inbound.Answer{Err: err}, false
	case len(taken) > 0:
		return inbound.Answer{Text: successText(taken)}, bury
	case len(results) > 0: // all of these were refused, but others were taken before
		return inbound.Answer{Text: "OK " + known}, bury
	case known == "" && len(w.optional) == 0:
		known = w.known.first(true)
	}
	if known != "" {
		return inbound.Answer{Text: status.AlreadyDelivered.Reply().Text + " as " + known, Condition: status.AlreadyDelivered}, false
	}
	return inbound.Answer{Text: successText(w.optional)}, false
}

// only returns what concerns one recipient.
func (w *work) only(recipient string) *work {
	return &work{
		taskSet: taskSet{optional: slices.DeleteFunc(slices.Clone(w.optional), func(t task) bool { return !t.carries(recipient) })},
		known:   slices.DeleteFunc(slices.Clone(w.known), func(u knownUnit) bool { return u.recipient != recipient }),
	}
}

// keep buries a refused event and remembers its units. The error wraps
// status.NoStorage.
func (d *Deliverer) keep(m Mail, t task, o sinks.Outcome) error {
	if err := d.bury(t, o); err != nil {
		return err
	}
	m.Watch.Buried(t.event, t.sink.Name())
	return d.mark(t, ledger.Refused)
}

func (d *Deliverer) bury(t task, o sinks.Outcome) error {
	if d.config.Dead == nil {
		return status.NoStorage.Wrap(op, errors.New("nothing keeps dead events"))
	}
	if err := d.config.Dead(t.event, t.sink.Name(), o); err != nil {
		d.log.Error("dead event not kept", "event", t.event.ID, "sink", t.sink.Name(), "error", err)
		return status.NoStorage.Wrap(op, err)
	}
	d.log.Warn("dead event kept", "event", t.event.ID, "sink", t.sink.Name())
	return nil
}

// successText is what follows "250 2.0.0 ": the first event's id and how many
// other events there are.
func successText(events []task) string {
	switch len(events) {
	case 0:
		return "OK"
	case 1:
		return "OK " + events[0].event.ID
	}
	return "OK " + events[0].event.ID + " +" + strconv.Itoa(len(events)-1)
}
