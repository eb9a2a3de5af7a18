package recent

import (
	"maps"
	"time"

	"mxhook/inbound/status"
	"mxhook/sinks"
)

// SinkCount is what a sink said since the start.
type SinkCount struct {
	Accepted, Temporary, Refused int
	Last                         time.Time // of the last attempt
	LastFailure                  time.Time
	LastDetail                   string // of the last failure
}

// RouteCount is how many recipients a route took or refused since the start.
type RouteCount struct{ Taken, Refused int }

// counts are kept by the names of the configuration, which are few.
type counts struct {
	sinks  map[string]SinkCount
	routes map[string]RouteCount
}

func newCounts() counts {
	return counts{map[string]SinkCount{}, map[string]RouteCount{}}
}

func (c *counts) attempt(a sinks.Attempt) {
	n := c.sinks[a.Sink]
	n.Last = time.Now()
	switch a.Condition.Class() {
	case status.Success:
		n.Accepted++
	case status.Permanent:
		n.Refused++
	default:
		n.Temporary++
	}
	if a.Condition.Class() != status.Success {
		n.LastFailure, n.LastDetail = n.Last, Clean(a.Detail, 200)
	}
	c.sinks[a.Sink] = n
}

// RouteTook counts a recipient that a route took, or refused after the data.
func (s *Store) RouteTook(route string, refused bool) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.counts.routes[route]
	if refused {
		n.Refused++
	} else {
		n.Taken++
	}
	s.counts.routes[route] = n
}

// Counts returns the counts of all sinks and routes that had any.
func (s *Store) Counts() (map[string]SinkCount, map[string]RouteCount) {
	if s == nil {
		return nil, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.counts.sinks), maps.Clone(s.counts.routes)
}
