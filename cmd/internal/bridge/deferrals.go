package bridge

import (
	"container/list"
	"sync"
	"time"

	"mxhook/inbound"
	"mxhook/inbound/status"
	"mxhook/sinks/delivery"
	"mxhook/sinks/ledger"
)

const (
	// maxDeferrals is how many deferred recipients of messages are remembered; beyond it
	// the one that was tried the longest ago is forgotten.
	maxDeferrals = 100_000
	// deferralLife is how long one is remembered without another try: its sender has
	// given up, or goes elsewhere.
	deferralLife = 24 * time.Hour
)

// deferrals knows which messages were told to come again and did not get a 2xx or 5xx
// since, each recipient for itself; another one knows which wait for a verdict (hour).
// It is safe for concurrent use. A restart forgets them.
type deferrals struct {
	mu    sync.Mutex
	byKey map[ledger.Key]*list.Element // of deferral
	tried list.List                    // by the last try, the longest ago first
}

type deferral struct {
	key         ledger.Key
	first, last time.Time
}

func newDeferrals() *deferrals { return &deferrals{byKey: map[ledger.Key]*list.Element{}} }

// note takes the answer to a message. since is when one of the recipients that are
// deferred now was deferred first; zero when that is now, or when the message can't be
// known again.
func (d *deferrals) note(m delivery.Mail, recipients []string, a inbound.Answer, now time.Time) (since time.Time) {
	if !m.Provable {
		return since
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.forget(now)
	for i, r := range recipients {
		own := a
		if a.Recipients != nil {
			own = a.Recipients[i]
		}
		first := d.update(ledger.KeyOf(m.Identity, "", "", r), status.ClassOf(own.Err) == status.Temporary, now)
		if first.Before(now) && !first.IsZero() && (since.IsZero() || first.Before(since)) {
			since = first
		}
	}
	return since
}

// update returns when the recipient was deferred first, zero when it is not deferred.
func (d *deferrals) update(k ledger.Key, deferred bool, now time.Time) time.Time {
	e := d.byKey[k]
	switch {
	case !deferred && e != nil:
		d.remove(e)
		fallthrough
	case !deferred:
		return time.Time{}
	case e == nil:
		if d.tried.Len() >= maxDeferrals {
			d.remove(d.tried.Front())
		}
		d.byKey[k] = d.tried.PushBack(&deferral{key: k, first: now, last: now})
		return now
	}
	x := e.Value.(*deferral)
	x.last = now
	d.tried.MoveToBack(e)
	return x.first
}

// begin remembers a key as deferred, if it isn't yet.
func (d *deferrals) begin(k ledger.Key, now time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.forget(now)
	d.update(k, true, now)
}

// age returns for how long a key has been deferred, 0 when it isn't. To ask counts as a
// try.
func (d *deferrals) age(k ledger.Key, now time.Time) time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.forget(now)
	if d.byKey[k] == nil {
		return 0
	}
	return now.Sub(d.update(k, true, now))
}

// forget removes those that were not tried for too long. d.mu is held.
func (d *deferrals) forget(now time.Time) {
	for e := d.tried.Front(); e != nil && now.Sub(e.Value.(*deferral).last) > deferralLife; e = d.tried.Front() {
		d.remove(e)
	}
}

func (d *deferrals) remove(e *list.Element) {
	delete(d.byKey, e.Value.(*deferral).key)
	d.tried.Remove(e)
}

// oldest returns for how long the oldest has been deferred, 0 when there is none.
func (d *deferrals) oldest(now time.Time) (age time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.forget(now)
	for e := d.tried.Front(); e != nil; e = e.Next() {
		age = max(age, now.Sub(e.Value.(*deferral).first))
	}
	return age
}
