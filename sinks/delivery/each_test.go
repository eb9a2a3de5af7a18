package delivery_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"

	"mxhook/inbound"
	"mxhook/inbound/status"
	"mxhook/sinks"
	"mxhook/sinks/delivery"
	"mxhook/sinks/ledger"
	"mxhook/sinks/ledger/ledgertest"
)

// tomb is a dead event.
type tomb struct {
	sink, id   string
	recipients string
}

// lmtp is a Deliverer with a ledger where each recipient hears a reply of its own.
type lmtp struct {
	*delivery.Deliverer
	ledger *ledger.Ledger
	disk   *ledgertest.Disk
	tombs  []tomb
	fails  error // of burying
}

func openLMTP(t *testing.T) *lmtp {
	t.Helper()
	l := &lmtp{disk: ledgertest.NewDisk()}
	var err error
	if l.ledger, err = ledger.Open("", ledger.Options{Files: l.disk}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.ledger.Close() })
	l.Deliverer = delivery.New(delivery.Config{Budget: budget, Ledger: l.ledger, Dead: func(e *sinks.Event, sink string, _ sinks.Outcome) error {
		if l.fails == nil {
			l.tombs = append(l.tombs, tomb{sink, e.ID, names(e.Recipients)})
		}
		return l.fails
	}})
	return l
}

func names(recipients []sinks.Recipient) string {
	var all []string
	for _, r := range recipients {
		all = append(all, r.Path.LocalPart)
	}
	return strings.Join(all, " ")
}

// among returns the recipients of some local parts.
func among(all []sinks.Recipient, local string) (some []sinks.Recipient) {
	for _, r := range all {
		if strings.Contains(local, r.Path.LocalPart) {
			some = append(some, r)
		}
	}
	return some
}

// try delivers to ann, bob and eve, whose routes the function chooses, and returns
// the replies: ann, bob, ann again, eve.
func (l *lmtp) try(t *testing.T, orders func(to func(string) []sinks.Recipient) []delivery.Order) (all string, each []string, a inbound.Answer) {
	t.Helper()
	m, to := mail("ann@in.example", "bob@in.example", "eve@in.example")
	m.Provable = true
	defer m.Data.Release()
	m.Each = []string{"ann@in.example", "bob@in.example", "ann@in.example", "eve@in.example"}
	a = l.Deliver(context.Background(), m, orders(func(local string) []sinks.Recipient { return among(to, local) }))
	for _, r := range a.Recipients {
		each = append(each, r.Reply().String()[:9])
	}
	return a.Reply().String()[:9], each, a
}

func TestEachRecipientHearsOfItsOwnUnits(t *testing.T) {
	l := openLMTP(t)
	var r recorder
	app := r.sink("app", sinks.FanOutMessage)
	orders := func(to func(string) []sinks.Recipient) []delivery.Order {
		return []delivery.Order{
			{Route: "one", Recipients: to("ann bob"), Required: list(app), Deduplicate: true},
			{Route: "two", Recipients: to("bob"), Required: list(temporary.sink("later")), Deduplicate: true},
			{Route: "hole", Recipients: to("eve")},
		}
	}
	all, each, a := l.try(t, orders)
	if !slices.Equal(each, []string{"250 2.0.0", "451 4.3.0", "250 2.0.0", "250 2.0.0"}) || all != "451 4.3.0" {
		t.Errorf("all %s, each %v", all, each)
	}
	if id := r.events["app"][0].ID; a.Recipients[0].Text != "OK "+id || a.Recipients[3].Text != "OK" {
		t.Errorf("%+v", a.Recipients)
	}
	// The next try: what is known counts as accepted, for those whose unit it is.
	all, each, a = l.try(t, orders)
	if !slices.Equal(each, []string{"250 2.0.0", "451 4.4.1", "250 2.0.0", "250 2.0.0"}) || all != "451 4.4.1" {
		t.Errorf("all %s, each %v", all, each)
	}
	if got := a.Recipients[0]; got.Condition != status.AlreadyDelivered || got.Text != "already delivered as "+r.events["app"][0].ID {
		t.Errorf("%+v", got)
	}
	if len(r.events["app"]) != 1 {
		t.Errorf("%d deliveries", len(r.events["app"]))
	}
}

func TestARefusalIsKeptForThoseWhoHearAYes(t *testing.T) {
	l := openLMTP(t)
	var r recorder
	orders := func(to func(string) []sinks.Recipient) []delivery.Order {
		return []delivery.Order{
			{Route: "one", Recipients: to("ann bob eve"), Required: list(refuses.sink("no")), Deduplicate: true},
			{Route: "two", Recipients: to("ann"), Required: list(r.sink("app", "")), Deduplicate: true},
			{Route: "three", Recipients: to("eve"), Required: list(temporary.sink("later")), Deduplicate: true},
		}
	}
	all, each, _ := l.try(t, orders)
	if !slices.Equal(each, []string{"250 2.0.0", "550 5.7.1", "250 2.0.0", "451 4.3.0"}) || all != "451 4.3.0" {
		t.Errorf("all %s, each %v", all, each)
	}
	m, to := mail("ann@in.example")
	if want := (tomb{"no", sinks.EventID(m.Identity, "one", to), "ann"}); len(l.tombs) != 1 || l.tombs[0] != want {
		t.Errorf("buried %v, want %v", l.tombs, want)
	}
	// Ann's refused unit is remembered, the others' are asked again.
	_, each, _ = l.try(t, orders)
	if !slices.Equal(each, []string{"250 2.0.0", "550 5.7.1", "250 2.0.0", "451 4.3.0"}) || len(l.tombs) != 1 || len(r.events["app"]) != 1 {
		t.Errorf("each %v, buried %v", each, l.tombs)
	}
}

func TestWhatCannotBeKeptIsLaterForThoseWhoseItIs(t *testing.T) {
	orders := func(to func(string) []sinks.Recipient) []delivery.Order {
		return []delivery.Order{
			{Route: "one", Recipients: to("ann"), Required: list(refuses.sink("no"), accepts.sink("app")), Deduplicate: true},
			{Route: "two", Recipients: to("bob"), Required: list(accepts.sink("app")), Deduplicate: true},
			{Route: "three", Recipients: to("eve"), Required: list(refuses.sink("no")), Deduplicate: true},
		}
	}
	l := openLMTP(t)
	l.fails = errors.New("canary")
	all, each, _ := l.try(t, orders)
	if !slices.Equal(each, []string{"452 4.3.1", "250 2.0.0", "452 4.3.1", "550 5.7.1"}) || all != "452 4.3.1" {
		t.Errorf("no burying: all %s, each %v", all, each)
	}
	l = openLMTP(t)
	l.disk.Fail(func(op string) error {
		if op == "write" {
			return syscall.EIO
		}
		return nil
	})
	all, each, _ = l.try(t, orders)
	if !slices.Equal(each, []string{"452 4.3.1", "452 4.3.1", "452 4.3.1", "550 5.7.1"}) || all != "452 4.3.1" || len(l.tombs) != 0 {
		t.Errorf("no ledger: all %s, each %v, buried %v", all, each, l.tombs)
	}
}

// TestEveryCombinationForTwoRecipients: ann's reply is of her own two units, whatever
// becomes of bob's; bob's likewise. The event of one sink carries both.
func TestEveryCombinationForTwoRecipients(t *testing.T) {
	all := [behaviours]behaviour{accepts, temporary, refuses, hangs, panics}
	for _, shared := range all {
		for _, anns := range all {
			for _, bobs := range all {
				synctest.Test(t, func(t *testing.T) { tryEach(t, shared, anns, bobs) })
			}
		}
	}
}

func tryEach(t *testing.T, shared, anns, bobs behaviour) {
	l := openLMTP(t)
	_, each, a := l.try(t, func(to func(string) []sinks.Recipient) []delivery.Order {
		return []delivery.Order{
			{Route: "one", Recipients: to("ann bob"), Required: list(shared.sink("shared")), Deduplicate: true},
			{Route: "two", Recipients: to("ann"), Required: list(anns.sink("anns")), Deduplicate: true},
			{Route: "three", Recipients: to("bob"), Required: list(bobs.sink("bobs")), Deduplicate: true},
		}
	})
	ann, buriedForAnn := expectedReply([]behaviour{shared, anns})
	bob, buriedForBob := expectedReply([]behaviour{shared, bobs})
	if !slices.Equal(each, []string{ann, bob, ann, "250 2.0.0"}) {
		t.Errorf("%v %v %v: %v, want %v %v", shared, anns, bobs, each, ann, bob)
	}
	buried := 0
	for _, b := range l.tombs {
		buried += len(strings.Fields(b.recipients))
	}
	if buried != buriedForAnn+buriedForBob {
		t.Errorf("%v %v %v: buried %v, want %d units", shared, anns, bobs, l.tombs, buriedForAnn+buriedForBob)
	}
	temporary := slices.ContainsFunc(each, func(r string) bool { return r[0] == '4' })
	if temporary != (status.ClassOf(a.Err) == status.Temporary) {
		t.Errorf("%v %v %v: %v, but as a whole %v", shared, anns, bobs, each, a.Err)
	}
	l.Stop(context.Background())
	l.ledger.Close()
}
