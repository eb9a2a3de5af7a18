package main

import (
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// oldestDeferred returns the metric, in seconds.
func oldestDeferred(t *testing.T, b *running) float64 {
	t.Helper()
	match := regexp.MustCompile(`(?m)^mxhook_deferred_oldest_seconds (\S+)$`).FindStringSubmatch(metricsOf(t, b))
	if match == nil {
		t.Fatal("the metric is missing")
	}
	seconds, err := strconv.ParseFloat(match[1], 64)
	if err != nil {
		t.Fatal(err)
	}
	return seconds
}

func TestTheOldestDeferredMessageIsSeen(t *testing.T) {
	a := startApp(t)
	b := startBridge(t, withLedger(a)+"admin: {address: \"127.0.0.1:0\"}\n")
	if got := oldestDeferred(t, b); got != 0 {
		t.Errorf("nothing is deferred: %v", got)
	}
	a.set(answering(http.StatusServiceUnavailable))
	for try := range 2 {
		if got := b.send(t, "ann@sender.example", "ann@in.example", []byte(smallMessage)); !strings.HasPrefix(got, "451 ") {
			t.Fatalf("reply %q", got)
		}
		if got := oldestDeferred(t, b); got <= 0 || got > patience.Seconds() {
			t.Errorf("deferred since %v s", got)
		}
		if since := strings.Count(b.log.String(), `"deferred_since":"2`); since != try {
			t.Errorf("try %d: %d lines tell since when", try, since)
		}
	}
	a.set(nil)
	b.send(t, "ann@sender.example", "ann@in.example", []byte(smallMessage))
	if got := oldestDeferred(t, b); got != 0 {
		t.Errorf("it was delivered: %v", got)
	}
}
