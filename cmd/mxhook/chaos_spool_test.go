package main

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// spoolConfig has two sinks of the spool, of which each has its route.
const spoolConfig = `
hostname: mx.in.example
delivery: {ledger: 1h, budget: 20s}
sinks:
  good: {type: webhook, url: %q, attempts: 1}
  sick: {type: webhook, url: %q, attempts: 1, circuit: {failures: 3, open: 100ms}}
routes:
  - {name: sick, recipient: "sick@in.example", deliver: [sick], mode: spool}
  - {name: good, recipient: "@in.example", deliver: [good], mode: spool}
`

// take sends a new message that must be taken.
func take(t *testing.T, b *running, name, rcpt string) {
	t.Helper()
	a, err := newLetter(name, rcpt).try(t.Context(), b.smtp, nil)
	if err != nil || !strings.HasPrefix(a.reply, "250 ") {
		t.Fatalf("%s: %q, %v, deferred %q", name, a.reply, err, a.deferred)
	}
}

// TestASpooledSinkThatHangsLeavesTheOthersAlone fills the spool's workers of one sink
// with requests that get no answer; another sink's events don't wait for that, nor does
// any sender.
func TestASpooledSinkThatHangsLeavesTheOthersAlone(t *testing.T) {
	good, sick := startKeeper(t), startKeeper(t)
	b := startBridge(t, fmt.Sprintf(spoolConfig, good.URL, sick.URL))
	sick.be(always(hangs))
	for n := range 30 {
		take(t, b, fmt.Sprint("sick-", n), "sick@in.example")
	}
	sick.await(t, "a request that hangs", func() bool { return sick.count(hangs) > 0 })
	began := time.Now()
	for n := range 30 {
		take(t, b, fmt.Sprint("good-", n), "x@in.example")
	}
	for n := range 30 {
		good.await(t, "the other sink's delivery", func() bool { return len(good.of(fmt.Sprint("good-", n), "x@in.example")) == 1 })
	}
	// The sick sink's requests hang for 20 s each.
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("30 events of a healthy sink took %s", took)
	}
	if sick.count(takes) > 0 {
		t.Error("the sick sink took something")
	}
	sick.be(nil)
	sick.CloseClientConnections()
	for n := range 30 {
		sick.await(t, "the delivery after recovery", func() bool { return len(sick.of(fmt.Sprint("sick-", n), "sick@in.example")) == 1 })
	}
}

// TestAPoisonousSpooledMessageLetsOthersPass keeps failing for some messages while the
// others of the same sink go through.
func TestAPoisonousSpooledMessageLetsOthersPass(t *testing.T) {
	good, sick := startKeeper(t), startKeeper(t)
	b := startBridge(t, fmt.Sprintf(spoolConfig, good.URL, sick.URL))
	good.be(func(a arrival) mood {
		if strings.HasPrefix(a.Subject, "poison") {
			return broken
		}
		return takes
	})
	for n := range 12 { // more than the sink has workers
		take(t, b, fmt.Sprint("poison-", n), "x@in.example")
	}
	for n := range 20 {
		take(t, b, fmt.Sprint("good-", n), "x@in.example")
	}
	for n := range 20 {
		good.await(t, "the delivery beside the poison", func() bool { return len(good.of(fmt.Sprint("good-", n), "x@in.example")) == 1 })
	}
	good.await(t, "the second try of a poison", func() bool { return good.asked("poison-0") > 1 })
}
