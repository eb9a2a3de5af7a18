package page

import (
	"net/http"
	"time"

	"mxhook/cmd/internal/recent"
	"mxhook/sinks/circuit"
)

// Status is how the bridge is, as every document of the page shows it.
type Status struct {
	Hostname, Version, Commit string
	Started                   time.Time
	NotReady                  string // why no mail is taken, "" when it is
	Waiting, Dead             int    // events in the spool
	SpoolOctets, SpoolBound   int64
}

// Overview is how the bridge is set up. It holds no secret: of a URL the host alone.
type Overview struct {
	Listeners    []string
	Sources      []string // queues that events are taken from
	MemoryOctets int64
	Deferred     time.Duration // for how long the oldest message has been
	Sinks        []Sink
	Routes       []Route
}

// Sink is one sink of the configuration.
type Sink struct {
	Name, Type, Target string
	Circuit            *circuit.Status // nil without one
}

// Route is one route of the configuration.
type Route struct {
	Name, Pattern, When, Then string
}

// sinksPage is what the page of sinks and routes shows.
type sinksPage struct {
	Overview
	Sinks              []sinkRow
	Routes             []routeRow
	Messages, Refusals int
	Octets             int64
}

type sinkRow struct {
	Sink
	Count recent.SinkCount
}

type routeRow struct {
	Route
	Count recent.RouteCount
}

func (p *Page) sinks(w http.ResponseWriter, r *http.Request) {
	o := p.config.Bridge.Overview()
	sinks, routes := p.config.Recent.Counts()
	body := sinksPage{Overview: o}
	for _, s := range o.Sinks {
		body.Sinks = append(body.Sinks, sinkRow{s, sinks[s.Name]})
	}
	for _, x := range o.Routes {
		body.Routes = append(body.Routes, routeRow{x, routes[x.Name]})
	}
	body.Messages, body.Refusals, body.Octets = p.config.Recent.Len()
	p.render(w, r, http.StatusOK, "sinks", "sinks", "Sinks and routes", body)
}
