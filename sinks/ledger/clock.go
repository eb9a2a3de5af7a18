package ledger

import "time"

// clock counts the ledger's own time, by which units age. It only goes forward: within
// a process by the monotonic clock, and from one process to the next by what the
// wall clock says has passed since the last record, but never by a negative time and
// never by more than half of the maximal age. So a wall clock that is set back keeps
// nothing for ever, and one that is wrong after a start does not forget everything.
type clock struct {
	read   func() time.Time
	base   time.Duration // the ledger's time at opened
	opened time.Time
}

// start sets the clock: the newest record has the given age and wall time.
func (c *clock) start(now func() time.Time, age time.Duration, wall int64, maxAge time.Duration) {
	if now == nil {
		now = time.Now
	}
	c.read, c.opened = now, now()
	c.base = age
	if passed := c.opened.UnixNano() - wall; wall != 0 && passed > 0 {
		c.base += min(time.Duration(passed), maxAge/2)
	}
}

// now returns the ledger's time.
func (c *clock) now() time.Duration { return c.base + max(0, c.read().Sub(c.opened)) }
