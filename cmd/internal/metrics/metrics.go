// Package metrics holds every metric of the bridge, under the names of one table,
// with closed label sets: nothing that an outsider sends becomes a label. Series
// that can be known beforehand exist from the start, so that a zero is visible.
//
// A Metrics is safe for concurrent use.
package metrics

import (
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"mxhook/inbound/status"
	"mxhook/sinks"
	"mxhook/verify"
	"mxhook/verify/authres"
)

// Metrics are the counters of one bridge.
type Metrics struct {
	registry        *prometheus.Registry
	connections     *prometheus.CounterVec
	connectionsOpen prometheus.Gauge
	transactions    *prometheus.CounterVec
	replies         *prometheus.CounterVec
	messageBytes    prometheus.Counter
	verifyResults   *prometheus.CounterVec
	verifySeconds   prometheus.Histogram
	routeMatches    *prometheus.CounterVec
	routeRefusals   *prometheus.CounterVec
	sinkAttempts    *prometheus.CounterVec
	sinkSeconds     *prometheus.HistogramVec
	suppressed      *prometheus.CounterVec
	sinkCircuit     *prometheus.GaugeVec
	sourceMessages  *prometheus.CounterVec
	sourceFailures  *prometheus.CounterVec
	sourceBusy      *prometheus.GaugeVec
}

// New returns the metrics of a bridge. memory is asked for the octets of messages
// in memory each time the metrics are read.
func New(version, commit, goVersion string, memory func() int64) *Metrics {
	m := &Metrics{registry: prometheus.NewRegistry()}
	m.connections = m.counters("connections_total", "Connections accepted.", "listener")
	m.connectionsOpen = m.gauge("connections_open", "Connections open now.")
	m.transactions = m.counters("transactions_total", "Messages answered after their last octet, by class of the reply.", "reply")
	m.replies = m.counters("replies_total", "Replies of the reply table.", "condition")
	m.messageBytes = m.counter("message_bytes_total", "Octets of messages received.")
	m.verifyResults = m.counters("verify_results_total", "Results of the verification methods.", "method", "result")
	m.verifySeconds = m.histogram("verify_seconds", "Time that the verification of a message took.")
	m.routeMatches = m.counters("route_matches_total", "Recipients that a route took.", "route")
	m.routeRefusals = m.counters("route_refusals_total", "Recipients that a route refused after the data.", "route")
	m.sinkAttempts = m.counters("sink_attempts_total", "Attempts to deliver an event to a sink.", "sink", "outcome")
	m.sinkSeconds = m.histograms("sink_seconds", "Time that the delivery of an event to a sink took, all attempts together.", "sink")
	m.suppressed = m.counters("ledger_suppressed_total", "Units that were left out because the ledger knows them.", "sink")
	m.sinkCircuit = m.gauges("sink_circuit", "State of a sink's circuit: 0 closed, 1 half-open (a probe decides), 2 open (its mail is deferred).", "sink")
	m.sourceMessages = m.counters("source_messages_total", "Messages that were taken from a queue, by what became of them.", "source", "outcome")
	m.sourceFailures = m.counters("source_failures_total", "Times that a queue could not be asked for messages.", "source")
	m.sourceBusy = m.gauges("source_busy", "Messages of a queue that are being delivered now.", "source")
	m.function("memory_bytes", "Octets of messages held in memory.", func() float64 { return float64(memory()) })
	build := m.gauges("build_info", "Always 1; the labels tell the build.", "version", "commit", "go")
	build.WithLabelValues(version, commit, goVersion).Set(1)
	m.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	m.startAtZero()
	return m
}

func (m *Metrics) startAtZero() {
	for _, c := range status.All() {
		m.replies.WithLabelValues(c.Name())
	}
	for _, reply := range []string{"2xx", "4xx", "5xx"} {
		m.transactions.WithLabelValues(reply)
	}
}

// Spool makes the metrics of the spool, which is asked each time they are read. It is
// called once.
func (m *Metrics) Spool(stats func() (waiting, dead int, bytes int64)) {
	const help = "Events that the spool holds: waiting for their sink, or dead."
	m.labelled("spool_events", help, "state", "waiting", func() float64 { n, _, _ := stats(); return float64(n) })
	m.labelled("spool_events", help, "state", "dead", func() float64 { _, n, _ := stats(); return float64(n) })
	m.function("spool_bytes", "Octets of the spool's files, of waiting and dead events.", func() float64 { _, _, n := stats(); return float64(n) })
}

// AddSink makes the series of a sink exist. Like AddRoute and AddListener it may be
// called again, after a reload.
func (m *Metrics) AddSink(name string) {
	for _, class := range []status.Class{status.Success, status.Temporary, status.Permanent} {
		m.sinkAttempts.WithLabelValues(name, outcomeLabel(class))
	}
	m.sinkSeconds.WithLabelValues(name)
	m.suppressed.WithLabelValues(name)
}

// AddCircuit makes the series of a sink's circuit exist. It may be called again.
func (m *Metrics) AddCircuit(sink string) { m.sinkCircuit.WithLabelValues(sink) }

// AddRoute makes the series of a route exist.
func (m *Metrics) AddRoute(name string) {
	m.routeMatches.WithLabelValues(name)
	m.routeRefusals.WithLabelValues(name)
}

// AddListener makes the series of a listener exist.
func (m *Metrics) AddListener(address string) { m.connections.WithLabelValues(address) }

// AddSource makes the series of a source exist, whose messages have these outcomes.
func (m *Metrics) AddSource(name string, outcomes ...string) {
	for _, o := range outcomes {
		m.sourceMessages.WithLabelValues(name, o)
	}
	m.sourceFailures.WithLabelValues(name)
	m.sourceBusy.WithLabelValues(name)
}

// SourceMessage counts a message of a source. The outcomes are those of AddSource.
func (m *Metrics) SourceMessage(source, outcome string) {
	m.sourceMessages.WithLabelValues(source, outcome).Inc()
}

// SourceFailed counts that a source could not be asked for messages.
func (m *Metrics) SourceFailed(source string) { m.sourceFailures.WithLabelValues(source).Inc() }

// SourceBusy adds to the messages of a source that are being delivered.
func (m *Metrics) SourceBusy(source string, change int) {
	m.sourceBusy.WithLabelValues(source).Add(float64(change))
}

// Handler serves the metrics in the text format of Prometheus.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{Registry: m.registry})
}

// ConnectionOpened counts a connection of a listener.
func (m *Metrics) ConnectionOpened(listener string) {
	m.connections.WithLabelValues(listener).Inc()
	m.connectionsOpen.Inc()
}

// ConnectionClosed counts the end of a connection.
func (m *Metrics) ConnectionClosed(string) { m.connectionsOpen.Dec() }

// Replied counts a reply of the reply table.
func (m *Metrics) Replied(c *status.Condition) { m.replies.WithLabelValues(c.Name()).Inc() }

// MessageReceived counts the octets of a message that arrived whole.
func (m *Metrics) MessageReceived(octets int64) { m.messageBytes.Add(float64(octets)) }

// TransactionAnswered counts the reply to a message.
func (m *Metrics) TransactionAnswered(class status.Class) {
	m.transactions.WithLabelValues([]string{"", "", "2xx", "", "4xx", "5xx"}[class]).Inc()
}

// RouteMatched counts a recipient that a route took.
func (m *Metrics) RouteMatched(route string) { m.routeMatches.WithLabelValues(route).Inc() }

// RouteRefused counts a recipient that a route refused after the data.
func (m *Metrics) RouteRefused(route string) { m.routeRefusals.WithLabelValues(route).Inc() }

// Verified counts the results of one message.
func (m *Metrics) Verified(r *verify.Results, took time.Duration) {
	m.verifySeconds.Observe(took.Seconds())
	count := func(method string, result authres.Result) {
		m.verifyResults.WithLabelValues(method, string(result)).Inc()
	}
	count("spf", r.SPF.Result)
	count("spf_helo", r.SPFHelo.Result)
	for _, d := range r.DKIM {
		count("dkim", d.Result)
	}
	count("dmarc", r.DMARC.Result)
	count("arc", r.ARC.Result)
	count("iprev", r.IPRev.Result)
}

// Attempt counts one try of a sink.
func (m *Metrics) Attempt(a sinks.Attempt) {
	m.sinkAttempts.WithLabelValues(a.Sink, outcomeLabel(a.Condition.Class())).Inc()
}

// Outcome counts what became of an event at a sink. How it changed the reply does
// not matter here, so that late does not either.
func (m *Metrics) Outcome(sink string, _ *status.Condition, took time.Duration, _ bool) {
	m.sinkSeconds.WithLabelValues(sink).Observe(took.Seconds())
}

// Deferred makes the metric of the oldest deferred message exist; oldest is asked for
// its age, 0 when there is none, each time the metrics are read.
func (m *Metrics) Deferred(oldest func() time.Duration) {
	m.function("deferred_oldest_seconds", "For how long the oldest message has been deferred that was neither taken nor refused since, in seconds; 0: none.",
		func() float64 { return oldest().Seconds() })
}

// Suppressed counts units of a sink that were delivered before.
func (m *Metrics) Suppressed(sink string, units int) {
	m.suppressed.WithLabelValues(sink).Add(float64(units))
}

// CircuitChanged tells the state of a sink's circuit: 0 closed, 1 half-open, 2 open.
func (m *Metrics) CircuitChanged(sink string, state int) {
	m.sinkCircuit.WithLabelValues(sink).Set(float64(state))
}

func outcomeLabel(c status.Class) string {
	switch c {
	case status.Success:
		return "accepted"
	case status.Permanent:
		return "refused"
	}
	return "temporary"
}
