package circuit

import (
	"crypto/sha256"
	"fmt"
	"log/slog"
	"time"

	"mxhook/inbound/status"
	"mxhook/sinks"
)

// leaseTime is how long a session may take to bring a message, and how long a probe
// may take, before the next is let through. With an open time of 5 seconds a sink that
// recovers is noticed within 15, also by probes that hang for longer than that.
const leaseTime = 10 * time.Second

// circuit is the state machine of one sink. It has neither clock nor lock: Set has
// both.
type circuit struct {
	config Config
	state  State
	at     time.Time    // when it opened, or closed, last
	down   time.Time    // when it left Closed
	cause  sinks.Health // Unreachable or Failing: what opened it
	reason string       // of the last change, in words
	row    row
	window window
	probe  lease
	// flights are the events that went through and have no outcome yet.
	flights map[*flight]struct{}
	tell    func(change)
}

// flight is an event at the sink.
type flight struct{ opened func() } // tells it that the circuit has opened

// lease is the right to probe. The zero one is nobody's.
type lease struct {
	session string
	until   time.Time
	flight  *flight           // the probe, nil until it begins
	message [sha256.Size]byte // the probe's
}

// over tells whether another may have the lease.
func (l *lease) over(now time.Time) bool { return !now.Before(l.until) }

// configure sets the numbers; without Failures it is off, which is closed.
func (c *circuit) configure(config Config, now time.Time) {
	c.config = config
	if config.Failures == 0 {
		c.close("it was switched off", now)
	}
}

// due makes an open circuit half-open when its time is over.
func (c *circuit) due(now time.Time) {
	if c.state != Open || c.left(now) > 0 {
		return
	}
	c.state, c.probe = HalfOpen, lease{}
	c.tell(change{state: HalfOpen, level: slog.LevelDebug, event: "circuit half-open", reason: "its time is over"})
}

// left returns how long the sink is still to be left alone.
func (c *circuit) left(now time.Time) time.Duration {
	switch c.state {
	case Open:
		return c.at.Add(c.config.Open).Sub(now)
	case HalfOpen:
		return min(c.probe.until.Sub(now), c.config.Open)
	}
	return 0
}

// free tells whether a session may bring a message.
func (c *circuit) free(session string, now time.Time) bool {
	c.due(now)
	switch c.state {
	case Closed:
		return true
	case HalfOpen:
		return c.probe.over(now) || c.probe.session == session && c.probe.flight == nil
	}
	return false
}

// invite gives the lease to a session for which the circuit is free.
func (c *circuit) invite(session string, now time.Time) {
	if c.state == HalfOpen && c.probe.over(now) {
		c.probe = lease{session: session, until: now.Add(leaseTime)}
	}
}

// leave takes an unused lease back.
func (c *circuit) leave(session string) {
	if c.probe.session == session && c.probe.flight == nil {
		c.probe = lease{}
	}
}

// enter lets an event through or not. In half-open it does when no probe is under way:
// a message that is there is worth more than a session that may bring one, which would
// otherwise hold up all others by bringing it slowly.
func (c *circuit) enter(f *flight, e *sinks.Event, now time.Time) bool {
	c.due(now)
	switch {
	case c.state == Open, c.state == HalfOpen && c.probe.flight != nil && !c.probe.over(now):
		return false
	case c.state == HalfOpen:
		c.probe = lease{session: e.Session.ID, until: now.Add(leaseTime), flight: f, message: e.Likeness()}
	}
	c.flights[f] = struct{}{}
	return true
}

// exit ends an event. A probe that told nothing leaves the circuit half-open, for the
// next one.
func (c *circuit) exit(f *flight) {
	delete(c.flights, f)
	if c.probe.flight == f {
		c.probe = lease{}
	}
}

// observe takes what an attempt tells. A sink that is well is so whoever found out;
// what is wrong with it counts while the circuit is closed, or from the probe.
func (c *circuit) observe(a sinks.Attempt, now time.Time) {
	switch {
	case c.config.Failures == 0:
	case a.Health == sinks.Well:
		c.row, c.window = row{}, window{}
		c.close("the sink is well", now)
	case c.state == Closed:
		c.count(a, now)
	case c.state == HalfOpen && c.probe.flight != nil && c.probe.message == a.Message:
		c.judge(a, now)
	}
}

// count counts a failure. One that began before the circuit closed is of the time
// before.
func (c *circuit) count(a sinks.Attempt, now time.Time) {
	if now.Add(-a.Took).Before(c.at) {
		return
	}
	switch a.Health {
	case sinks.Unreachable:
		c.window.add(a.Message, now)
		if c.row.add(a.Message); c.row.full(c.config.Failures) {
			c.open(sinks.Unreachable, fmt.Sprintf("%d attempts in a row found the sink unreachable", c.row.count), now)
		}
	case sinks.Failing:
		if c.window.add(a.Message, now) {
			c.open(sinks.Failing, fmt.Sprintf("%d messages failed within %v and none got through", windowMessages, windowTime), now)
		}
	}
}

// judge decides by the probe. A sink that fails is reachable, which is all that was
// missing unless it was failing before. An operator's error would keep the circuit from
// ever closing and hide what has to be put right behind its own reply, so it closes.
// What is left tells nothing (our own failure, a budget that ended): the lease ends with
// the probe and the next message probes, one at a time, so that the circuit is neither
// stuck nor the sink stormed.
func (c *circuit) judge(a sinks.Attempt, now time.Time) {
	switch {
	case a.Health == sinks.Unreachable, a.Health == sinks.Failing && c.cause == sinks.Failing:
		c.open(a.Health, "the probe found the sink "+string(a.Health), now)
	case a.Health == sinks.Failing:
		c.close("the sink can be reached", now)
	case a.Condition == status.SinkOperator:
		c.close("the operator has to put something right", now)
	}
}

// open opens the circuit, again or for the first time. Events that went through and
// have not reached the sink turn back.
func (c *circuit) open(cause sinks.Health, reason string, now time.Time) {
	ch := change{state: Open, level: slog.LevelDebug, event: "circuit open again", reason: reason}
	if c.state == Closed {
		c.down = now
		ch.level, ch.event = slog.LevelWarn, "circuit opened"
	}
	c.state, c.at, c.cause, c.reason = Open, now, cause, reason
	c.row, c.window, c.probe = row{}, window{}, lease{}
	for f := range c.flights {
		f.opened()
	}
	c.tell(ch)
}

func (c *circuit) close(reason string, now time.Time) {
	if c.state == Closed {
		return
	}
	c.state, c.at, c.reason = Closed, now, reason
	c.row, c.window, c.probe = row{}, window{}, lease{}
	c.tell(change{state: Closed, level: slog.LevelInfo, event: "circuit closed",
		reason: fmt.Sprintf("%s, after %v", reason, now.Sub(c.down).Round(time.Millisecond))})
}
