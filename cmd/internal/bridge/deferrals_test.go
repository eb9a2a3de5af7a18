package bridge

import (
	"fmt"
	"testing"
	"time"

	"mxhook/inbound"
	"mxhook/inbound/status"
	"mxhook/sinks/delivery"
)

var (
	later  = inbound.Answer{Err: status.SinkUnavailable.Wrap("test", nil)}
	never  = inbound.Answer{Err: status.SinkRefused.Wrap("test", nil)}
	taken  = inbound.Answer{}
	annBob = []string{"ann@in.example", "bob@in.example"}
)

// known is a message that can be known again.
func known(n int) delivery.Mail {
	return delivery.Mail{Identity: [32]byte{byte(n), byte(n >> 8), byte(n >> 16)}, Provable: true}
}

func TestTheOldestDeferral(t *testing.T) {
	start := time.Now()
	at := func(h int) time.Time { return start.Add(time.Duration(h) * time.Hour) }
	d := newDeferrals()
	expect := func(what string, now, hours int) {
		t.Helper()
		if got := d.oldest(at(now)); got != time.Duration(hours)*time.Hour {
			t.Errorf("%s: %v, want %d h", what, got, hours)
		}
	}
	expect("none", 0, 0)
	if since := d.note(known(1), annBob, later, at(0)); !since.IsZero() {
		t.Errorf("the first deferral is since %v", since)
	}
	if since := d.note(known(1), annBob, later, at(2)); !since.Equal(at(0)) {
		t.Errorf("the second deferral is since %v", since)
	}
	d.note(known(2), annBob, later, at(3))
	expect("the first counts", 4, 4)
	if since := d.note(known(1), annBob, taken, at(4)); !since.IsZero() {
		t.Errorf("a yes is deferred since %v", since)
	}
	expect("the first was taken", 4, 1)
	d.note(known(2), annBob, never, at(5))
	expect("the second was refused for good", 5, 0)
	unknown := known(3)
	unknown.Provable = false
	d.note(unknown, annBob, later, at(5))
	expect("a message that can't be known again", 6, 0)
	d.note(known(4), annBob, later, at(6))
	expect("tried less than a day ago", 30, 24)
	expect("not tried for a day", 31, 0)
}

func TestEachRecipientIsDeferredForItself(t *testing.T) {
	now := time.Now()
	d := newDeferrals()
	each := inbound.Answer{Err: later.Err, Recipients: []inbound.Answer{taken, later}}
	d.note(known(1), annBob, each, now)
	if n := d.tried.Len(); n != 1 {
		t.Errorf("%d are deferred, want bob alone", n)
	}
	// A sender that sends each recipient alone: ann's yes is not bob's.
	d.note(known(1), annBob[:1], taken, now.Add(time.Hour))
	if got := d.oldest(now.Add(time.Hour)); got != time.Hour {
		t.Errorf("%v", got)
	}
	if since := d.note(known(1), annBob[1:], later, now.Add(2*time.Hour)); !since.Equal(now) {
		t.Errorf("since %v", since)
	}
}

func TestDeferralsAreBounded(t *testing.T) {
	now := time.Now()
	d := newDeferrals()
	d.note(known(0), annBob[:1], later, now)
	d.note(known(1), annBob[:1], later, now.Add(time.Second))
	for n := range maxDeferrals {
		if n%1000 == 0 { // the first is tried again and again
			d.note(known(0), annBob[:1], later, now.Add(2*time.Second))
		}
		m := known(1)
		d.note(m, []string{fmt.Sprint(n)}, later, now.Add(3*time.Second))
	}
	if len(d.byKey) != maxDeferrals || d.tried.Len() != maxDeferrals {
		t.Errorf("%d and %d are remembered", len(d.byKey), d.tried.Len())
	}
	if got := d.oldest(now.Add(time.Hour)); got != time.Hour {
		t.Errorf("%v: the one that is tried again was forgotten", got)
	}
}
