package ledger

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// segment is a file with its index.
type segment struct {
	name   string
	number uint64
	seed   seed
	size   int64 // octets that are records on stable storage
	file   File  // open while it is appended to
	first  time.Duration
	last   time.Duration
	wall   int64 // of the newest record
	events []event
	index  map[Key]uint32 // into events
}

// event is what the units of one record share.
type event struct {
	age   time.Duration
	at    int64
	id    string
	state State
}

const (
	suffix     = ".ledger"
	setAside   = ".damaged"
	nameDigits = 16
)

func newSegment(number uint64) *segment {
	return &segment{name: fmt.Sprintf("%0*d%s", nameDigits, number, suffix), number: number, index: map[Key]uint32{}}
}

// add puts an entry into the index.
func (s *segment) add(e *entry) {
	if s.wall == 0 {
		s.first = e.age
	}
	s.last, s.wall = max(s.last, e.age), e.wall
	if e.state.rank() == 0 {
		return // it tried the storage
	}
	n := uint32(len(s.events))
	s.events = append(s.events, event{age: e.age, at: e.at, id: e.id, state: e.state})
	for _, k := range e.keys {
		if before, ok := s.index[k]; !ok || s.events[before].state.yields(e.state) {
			s.index[k] = n
		}
	}
}

// numbered returns the number of a segment's name.
func numbered(name string) (uint64, bool) {
	digits, ok := strings.CutSuffix(name, suffix)
	n, err := strconv.ParseUint(digits, 10, 64)
	return n, ok && err == nil && len(digits) == nameDigits
}

// load reads all segments and sets the clock.
func (l *Ledger) load(now func() time.Time) error {
	names, err := l.files.List()
	if err != nil {
		return err
	}
	slices.Sort(names)
	var age time.Duration
	var wall int64
	for _, name := range names {
		number, ok := numbered(name)
		if !ok {
			continue
		}
		l.writer.next = number + 1
		s, err := l.loadSegment(name, number)
		if err != nil {
			return err
		}
		if s == nil {
			continue
		}
		l.segments = append(l.segments, s)
		if s.last >= age {
			age, wall = s.last, s.wall
		}
	}
	l.age.start(now, age, wall, l.maxAge)
	l.expire()
	return nil
}

// loadSegment reads one segment; nil when there is nothing in it. Only an error of
// reading is one: a ledger that can't be read would repeat everything, which is for
// the operator to decide.
func (l *Ledger) loadSegment(name string, number uint64) (*segment, error) {
	b, err := l.files.Read(name)
	if err != nil {
		return nil, err
	}
	s := newSegment(number)
	seed, good, damaged, err := scan(b, func(e entry) { s.add(&e) })
	log := l.log.With("segment", name, "octets", len(b))
	switch {
	case err != nil && len(b) <= headerSize: // a crash while it was made
		return nil, l.files.Remove(name)
	case err != nil:
		log.Error("ledger segment set aside, its units may be delivered again", "problem", err)
		return nil, l.files.Rename(name, name+setAside)
	case damaged > 0:
		log.Error("ledger segment is damaged, some of its units may be delivered again", "places", damaged, "events", len(s.events))
		return s, nil
	case good < int64(len(b)):
		log.Warn("ledger record was not written to its end, dropped", "dropped", int64(len(b))-good)
	}
	s.seed, s.size = seed, good
	return s, nil
}

// expire removes the oldest segments while they are too old or there are too many
// units. l.mu is held, or nobody else knows l yet.
func (l *Ledger) expire() {
	units := 0
	for _, s := range l.segments {
		units += len(s.index)
	}
	oldest := l.age.now() - l.maxAge
	for len(l.segments) > 0 {
		s := l.segments[0]
		aged := s.last < oldest
		if s.file != nil || !aged && units <= l.maxUnits {
			return
		}
		if !aged {
			l.log.Warn("ledger is full, the oldest units are forgotten", "units", len(s.index), "limit", l.maxUnits)
		}
		units -= len(s.index)
		l.segments = l.segments[1:]
		if err := l.files.Remove(s.name); err != nil {
			l.log.Warn("old ledger segment not removed", "segment", s.name, "error", err)
		}
	}
}

// full tells whether a new segment has to be begun.
func (s *segment) full(now, maxAge time.Duration, maxUnits int) bool {
	return len(s.index) >= max(1, maxUnits/generations) || now-s.first >= maxAge/generations
}
