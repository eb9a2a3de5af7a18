package main

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"
)

// metricValues reads the metrics without the prefix: name{labels} and value.
func metricValues(t *testing.T, b *running) map[string]float64 {
	t.Helper()
	values := map[string]float64{}
	for line := range strings.Lines(metricsOf(t, b)) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), " ")
		if v, err := strconv.ParseFloat(value, 64); ok && err == nil {
			values[strings.TrimPrefix(name, "mxhook_")] = v
		}
	}
	return values
}

// TestMetricsAddUp runs letters to a good, a failing and a refusing sink, some of them
// again after their 250, and compares what /metrics says with what the sender heard
// and the sinks said.
func TestMetricsAddUp(t *testing.T) {
	rng := seeded(t)
	good, flaky, fussy := startKeeper(t), startKeeper(t), startKeeper(t)
	moods := rand.New(rand.NewPCG(rng.Uint64(), 1))
	flaky.be(func(arrival) mood { return []mood{takes, takes, busy, broken, resets}[moods.IntN(5)] })
	fussy.be(always(fends))
	b := startBridge(t, fmt.Sprintf(`
hostname: mx.in.example
admin: {address: "127.0.0.1:0"}
delivery: {ledger: 1h, budget: 20s}
sinks:
  good: {type: webhook, url: %q}
  flaky: {type: webhook, url: %q, attempts: 1, circuit: {failures: 0}}
  fussy: {type: webhook, url: %q}
routes:
  - {name: dead, recipient: "dead@in.example", deliver: [good, fussy]}
  - {name: refused, recipient: "refused@in.example", deliver: [fussy]}
  - {name: spool, recipient: "spool@in.example", deliver: [good, fussy], mode: spool}
  - {name: rest, recipient: "@in.example", deliver: [good, flaky]}
`, good.URL, flaky.URL, fussy.URL))
	sinks := map[string]*keeper{"good": good, "flaky": flaky, "fussy": fussy}
	rcpts := []string{"x@in.example", "dead@in.example", "refused@in.example", "spool@in.example"}

	replies := map[string]int{}
	suppressed := map[string]int{}
	dead, spooled := 0, 0
	for n := range 60 {
		rcpt := rcpts[rng.IntN(len(rcpts))]
		l := newLetter(fmt.Sprint("sum-", n), rcpt)
		again := rng.IntN(3) // how many times it is sent although it was heard
		for first := true; again >= 0; {
			known := map[string]bool{}
			for name, k := range sinks {
				known[name] = len(k.of(l.name, rcpt)) > 0
			}
			known["fussy"] = !first && (rcpt == "dead@in.example" || rcpt == "spool@in.example")
			if rcpt == "spool@in.example" {
				known["good"] = !first
			}
			a, err := l.try(t.Context(), b.smtp, nil)
			if err != nil {
				t.Fatal(err)
			}
			for name := range sinks {
				if known[name] {
					suppressed[name]++
				}
			}
			replies[a.reply[:1]+"xx"]++
			if first && a.promised() != nil {
				first = false
				switch rcpt {
				case "dead@in.example":
					dead++
				case "spool@in.example":
					dead++
					spooled++
				}
			}
			if !strings.HasPrefix(a.reply, "4") {
				again--
			}
		}
	}
	want := map[string]int{`spool_events{state="waiting"}`: 0, `spool_events{state="dead"}`: dead}
	for _, class := range []string{"2xx", "4xx", "5xx"} {
		want[fmt.Sprintf("transactions_total{reply=%q}", class)] = replies[class]
	}
	for name := range sinks {
		want[fmt.Sprintf("ledger_suppressed_total{sink=%q}", name)] = suppressed[name]
	}
	t.Logf("replies %v, units left out %v, %d dead, %d spooled", replies, suppressed, dead, spooled)
	// What the spool took arrives in its own time.
	var wrong []string
	for began := time.Now(); ; {
		for name, k := range sinks {
			want[fmt.Sprintf("sink_attempts_total{outcome=\"accepted\",sink=%q}", name)] = k.count(takes)
			want[fmt.Sprintf("sink_attempts_total{outcome=\"temporary\",sink=%q}", name)] = k.count(busy) + k.count(broken) + k.count(resets)
			want[fmt.Sprintf("sink_attempts_total{outcome=\"refused\",sink=%q}", name)] = k.count(fends)
		}
		if wrong = differences(metricValues(t, b), want); wrong == nil || time.Since(began) > patience {
			break
		}
		<-time.After(20 * time.Millisecond)
	}
	for _, w := range wrong {
		t.Error(w)
	}
}

// differences tells which metrics are not what the checker counted.
func differences(got map[string]float64, want map[string]int) (wrong []string) {
	for name, n := range want {
		if v, ok := got[name]; !ok || int(v) != n {
			wrong = append(wrong, fmt.Sprintf("%s is %v (there: %v), the checker counted %d", name, v, ok, n))
		}
	}
	return wrong
}
