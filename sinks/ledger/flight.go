package ledger

import "sync"

// Flight is an event on its way to a sink: its units belong to one session.
type Flight struct {
	ledger *Ledger
	keys   []Key
	ended  chan struct{}
	once   sync.Once
}

// Begin takes the units of events for the caller, all of them or none: flights has
// one Flight for each event, or else busy is closed when an event that somebody else
// has under way, and that shares a unit, has ended. The events must not share units
// with each other. A Flight does not survive the process.
func (l *Ledger) Begin(events [][]Key) (flights []*Flight, busy <-chan struct{}) {
	l.flightsMu.Lock()
	defer l.flightsMu.Unlock()
	for _, keys := range events {
		for _, k := range keys {
			if f := l.flights[k]; f != nil {
				return nil, f.ended
			}
		}
	}
	for _, keys := range events {
		f := &Flight{ledger: l, keys: keys, ended: make(chan struct{})}
		for _, k := range keys {
			l.flights[k] = f
		}
		flights = append(flights, f)
	}
	return flights, nil
}

// InFlight tells of each unit whether somebody has it under way.
func (l *Ledger) InFlight(keys []Key) []bool {
	l.flightsMu.Lock()
	defer l.flightsMu.Unlock()
	busy := make([]bool, len(keys))
	for i, k := range keys {
		busy[i] = l.flights[k] != nil
	}
	return busy
}

// End gives the units back. What was delivered must have been marked before. It may
// be called again, and on nil.
func (f *Flight) End() {
	if f == nil {
		return
	}
	f.once.Do(func() {
		f.ledger.flightsMu.Lock()
		defer f.ledger.flightsMu.Unlock()
		for _, k := range f.keys {
			delete(f.ledger.flights, k)
		}
		close(f.ended)
	})
}
