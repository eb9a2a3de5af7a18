package spool

import (
	"slices"
	"strings"

	"mxhook/sinks"
)

// refusedShare is which part of MaxBytes the dead events may have that no sink refused
// but their route. Whoever may send mail can make them, as many as he likes, so that
// they must never be what keeps other mail out.
const refusedShare = 4

// refused are the dead events that no sink refused. Guarded by Spool.mu.
type refused struct {
	ids   []string // the oldest first; those that are not dead any more are passed over
	bytes int64
}

func isRefused(id string) bool { return strings.Contains(id, "."+sinks.NoSink) }

// enlist notes a dead event of so many octets. s.mu is held.
func (s *Spool) enlist(id string, octets int64) {
	s.dead[id] = octets
	if isRefused(id) {
		if len(s.refused.ids) > 2*len(s.dead) {
			s.refused.ids = slices.DeleteFunc(s.refused.ids, func(id string) bool { _, dead := s.dead[id]; return !dead })
		}
		s.refused.ids = append(s.refused.ids, id)
		s.refused.bytes += octets
	}
}

// uncount forgets a dead event. s.mu is held.
func (s *Spool) uncount(id string) {
	octets, dead := s.dead[id]
	if !dead {
		return
	}
	delete(s.dead, id)
	s.bytes -= octets
	if isRefused(id) {
		s.refused.bytes -= octets
	}
}

// makeRoom removes the oldest events that no sink refused, until another of n octets is
// within their share. Nobody was promised that they are kept: their recipients' routes
// refused them.
func (s *Spool) makeRoom(sink string, n int64) {
	if !strings.HasPrefix(sink, sinks.NoSink) {
		return
	}
	for id := s.surplus(n); id != ""; id = s.surplus(n) {
		release := s.hold(id)
		err := s.exhume(id)
		release()
		if err != nil {
			return // the storage's error, which the new one will meet as well
		}
		s.log.Warn("a refused event was removed, since those of routes' conditions fill their share of spool.max_bytes", "id", id)
	}
}

// surplus returns the oldest event that has to go; "" when there is room.
func (s *Spool) surplus(n int64) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refused.bytes+n <= s.limits.MaxBytes/refusedShare {
		return ""
	}
	for len(s.refused.ids) > 0 {
		id := s.refused.ids[0]
		s.refused.ids = s.refused.ids[1:]
		if _, dead := s.dead[id]; dead {
			return id
		}
	}
	return ""
}
