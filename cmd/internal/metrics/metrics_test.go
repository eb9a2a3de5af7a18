package metrics

import (
	"net/http/httptest"
	"regexp"
	"slices"
	"testing"
	"time"

	"mxhook/inbound/status"
	"mxhook/verify"
)

// names are the metrics that operators build their graphs on.
var names = []string{
	"mxhook_build_info", "mxhook_connections_open", "mxhook_connections_total", "mxhook_deferred_oldest_seconds", "mxhook_ledger_suppressed_total",
	"mxhook_memory_bytes", "mxhook_message_bytes_total", "mxhook_replies_total", "mxhook_route_matches_total", "mxhook_route_refusals_total",
	"mxhook_sink_attempts_total", "mxhook_sink_circuit", "mxhook_sink_seconds", "mxhook_spool_bytes", "mxhook_spool_events", "mxhook_transactions_total", "mxhook_verify_results_total",
	"mxhook_verify_seconds",
}

func scrape(t *testing.T, m *Metrics) string {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	if w.Code != 200 {
		t.Fatal(w.Code)
	}
	return w.Body.String()
}

func TestNames(t *testing.T) {
	m := New("1.2.3", "abc", "go1", func() int64 { return 7 })
	m.AddListener(":25")
	m.AddRoute("tickets")
	m.AddSink("app")
	m.AddCircuit("app")
	m.Suppressed("app", 1)
	m.Spool(func() (int, int, int64) { return 1, 2, 3 })
	m.Deferred(func() time.Duration { return 90 * time.Second })
	m.Verified(&verify.Results{}, 0)
	var got []string
	for _, match := range regexp.MustCompile(`(?m)^# TYPE (mxhook_\w+) `).FindAllStringSubmatch(scrape(t, m), -1) {
		got = append(got, match[1])
	}
	slices.Sort(got)
	if !slices.Equal(got, names) {
		t.Errorf("the metrics are\n%q, want\n%q", got, names)
	}
}

func TestAZeroIsVisibleFromTheStart(t *testing.T) {
	m := New("1.2.3", "abc", "go1", func() int64 { return 7 })
	m.AddSink("app")
	m.AddSink("app") // after a reload
	m.AddCircuit("app")
	m.CircuitChanged("other", 2)
	m.AddCircuit("other")
	m.Deferred(func() time.Duration { return 0 })
	text := scrape(t, m)
	for _, want := range []string{
		`mxhook_replies_total{condition="relay_denied"} 0`, `mxhook_transactions_total{reply="4xx"} 0`,
		`mxhook_sink_attempts_total{outcome="refused",sink="app"} 0`, `mxhook_memory_bytes 7`, `mxhook_deferred_oldest_seconds 0`,
		`mxhook_sink_circuit{sink="app"} 0`, `mxhook_sink_circuit{sink="other"} 2`,
		`mxhook_build_info{commit="abc",go="go1",version="1.2.3"} 1`,
	} {
		if !regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(want) + `$`).MatchString(text) {
			t.Errorf("%s is missing", want)
		}
	}
}

func TestOutcomesAreAClosedSet(t *testing.T) {
	for c, want := range map[*status.Condition]string{
		status.Delivered: "accepted", status.SinkBusy: "temporary", status.SinkRefused: "refused",
	} {
		if got := outcomeLabel(c.Class()); got != want {
			t.Errorf("%s: %s, want %s", c.Name(), got, want)
		}
	}
}
