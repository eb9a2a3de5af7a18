package attempt

import (
	"context"
	"math/rand/v2"
	"net/http"
	"strings"
	"time"
)

const (
	maxBackoff = 10 * time.Second
	// maxPause is the longest Retry-After that is waited for when the budget has no
	// end.
	maxPause = time.Minute
	// Forever is a wait beyond all use.
	Forever = time.Duration(1<<63 - 1)
)

// Pause says how long to wait before attempt n+1, n being the number of attempts
// made; ok is false when that doesn't fit into the budget, and then waiting for its
// end would only cost the sender time. spread is in [0,1).
func Pause(ctx context.Context, base time.Duration, n int, after time.Duration, spread float64, now time.Time) (wait time.Duration, ok bool) {
	wait = base
	for range n - 1 {
		wait = min(2*wait, maxBackoff)
	}
	wait = time.Duration(float64(wait) * (0.5 + spread))
	wait = max(wait, after)
	end, bounded := ctx.Deadline()
	switch {
	case ctx.Err() != nil:
		return 0, false
	case bounded:
		return wait, wait < end.Sub(now)
	}
	return wait, wait <= maxPause
}

// Jitter returns a spread for Pause.
func Jitter() float64 { return rand.Float64() }

// RetryAfter reads Retry-After (RFC 9110 10.2.3): delta-seconds or an HTTP date. It
// is negative when there is none that can be read, and Forever when the number is
// beyond all use.
func RetryAfter(value string, now time.Time) time.Duration {
	value = strings.TrimSpace(value)
	if value == "" {
		return -1
	}
	if strings.Trim(value, "0123456789") == "" {
		seconds := time.Duration(0)
		for _, c := range value {
			seconds = seconds*10 + time.Duration(c-'0')
			if seconds > 1e9 {
				return Forever
			}
		}
		return seconds * time.Second
	}
	date, err := http.ParseTime(value)
	if err != nil {
		return -1
	}
	return max(0, date.Sub(now))
}
