package circuit

import "time"

// Status is what can be told of a circuit.
type Status struct {
	State    State
	Since    time.Time // when it left Closed or came back; zero: it was always closed
	Reason   string    // of the last change, in words; "" before the first
	Failures int       // unreachable attempts in a row
	Failed   int       // messages that failed within the window, of Window
	Until    time.Time // when an open one lets a probe through
	Config   Config
}

// Window is how many messages have to fail to open a circuit of a sink that can be
// reached.
const Window = windowMessages

// Status tells of a sink's circuit; false: it has none. It changes nothing.
func (s *Set) Status(sink string) (Status, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.circuits[sink]
	if c == nil {
		return Status{}, false
	}
	now := time.Now()
	st := Status{State: c.state, Since: c.at, Reason: c.reason, Failures: c.row.count, Config: c.config}
	if c.state != Closed {
		st.Since = c.down
	}
	if c.state == Open {
		st.Until = c.at.Add(c.config.Open)
	}
	for _, f := range c.window.failed {
		if now.Sub(f.at) <= windowTime {
			st.Failed++
		}
	}
	return st, true
}
