package page

import (
	"net/http"
	"time"

	"mxhook/cmd/internal/recent"
	"mxhook/sinks/circuit"
)

// Overview is how the bridge is set up and how it is. It holds no secret: of a URL the
// host alone.
type Overview struct {
	Hostname, Version, Commit string
	Started                   time.Time
	NotReady                  string // why no mail is taken, "" when it is
	Listeners                 []string
	Waiting, Dead             int // events in the spool
	SpoolOctets, SpoolBound   int64
	MemoryOctets              int64
	Deferred                  time.Duration // for how long the oldest message has been
	Sinks                     []Sink
	Routes                    []Route
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
	Sinks                []sinkRow
	Routes               []routeRow
	Messages, Refusals   int
	Octets               int64
	Circuits, OpenedOnes int
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
	var body sinksPage
	for _, s := range o.Sinks {
		row := sinkRow{Sink: s, Count: sinks[s.Name]}
		if s.Circuit != nil {
			body.Circuits++
			if s.Circuit.State != circuit.Closed {
				body.OpenedOnes++
			}
		}
		body.Sinks = append(body.Sinks, row)
	}
	for _, x := range o.Routes {
		body.Routes = append(body.Routes, routeRow{x, routes[x.Name]})
	}
	body.Messages, body.Refusals, body.Octets = p.config.Recent.Len()
	p.render(w, r, http.StatusOK, "sinks", "sinks", "Sinks and routes", body)
}
