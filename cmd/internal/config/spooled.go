package config

import "time"

// spooling reads what of a route's mail goes into the spool, and when. ledger is
// delivery.ledger, which knows since when mail is deferred.
func (d *decoder) spooling(r *route, ledger time.Duration) {
	s := r.section
	r.rule.Spool = s.text("mode") == "spool"
	r.rule.SpillAfter = time.Duration(s.duration("spill_after"))
	key := "spill_after"
	if r.rule.Spool {
		key = "mode"
	}
	switch {
	case !r.rule.Spool && r.rule.SpillAfter == 0:
		return
	case r.rule.Discard || r.rule.Reject != nil:
		d.fault(s.at(key), "%s: %s contradicts reject and discard, which deliver nothing; remove it", s.what, key)
	case r.rule.Spool && r.rule.SpillAfter > 0:
		d.fault(s.at("spill_after"), "%s: spill_after contradicts mode: spool, which spools at once; keep one", s.what)
	case r.rule.Spool:
	case ledger == 0:
		d.fault(s.at(key), "%s: spill_after needs delivery.ledger, which knows since when mail is deferred", s.what)
	case r.rule.Repeat:
		d.fault(s.at(key), "%s: spill_after contradicts deduplicate: false, with which nothing is remembered; keep one", s.what)
	case r.rule.SpillAfter >= ledger:
		d.fault(s.at(key), "%s: spill_after %s is not shorter than delivery.ledger %s, which forgets before", s.what,
			showDuration(int64(r.rule.SpillAfter)), showDuration(int64(ledger)))
	}
}
