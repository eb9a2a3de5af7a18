package attempt

import (
	"context"
	"math"
	"strings"
	"testing"
	"time"
)

func TestPause(t *testing.T) {
	t.Parallel()
	now := time.Now()
	within := func(d time.Duration) context.Context {
		ctx, cancel := context.WithDeadline(context.Background(), now.Add(d))
		t.Cleanup(cancel)
		return ctx
	}
	for _, c := range []struct {
		name   string
		ctx    context.Context
		n      int
		after  time.Duration
		spread float64
		want   time.Duration
		ok     bool
	}{
		{"first wait, least spread", within(time.Minute), 1, -1, 0, 250 * time.Millisecond, true},
		{"first wait, most spread", within(time.Minute), 1, -1, 1, 750 * time.Millisecond, true},
		{"doubled", within(time.Minute), 3, -1, 0.5, 2 * time.Second, true},
		{"no more than ten seconds", within(time.Minute), 50, -1, 0.5, 10 * time.Second, true},
		{"Retry-After is the least", within(time.Minute), 1, 5 * time.Second, 0.5, 5 * time.Second, true},
		{"Retry-After 0 is no storm", within(time.Minute), 1, 0, 0.5, 500 * time.Millisecond, true},
		{"doesn't fit", within(time.Second), 1, 5 * time.Second, 0.5, 5 * time.Second, false},
		{"beyond all use", within(time.Minute), 1, Forever, 0.5, Forever, false},
		{"no end of the budget: a minute at most", context.Background(), 1, 2 * time.Minute, 0.5, 2 * time.Minute, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got, ok := Pause(c.ctx, 500*time.Millisecond, c.n, c.after, c.spread, now); got != c.want || ok != c.ok {
				t.Errorf("%v, %v", got, ok)
			}
		})
	}
}

func FuzzRetryAfter(f *testing.F) {
	for _, s := range []string{"", "0", "120", "-1", "9999999999", "1e9", "Fri, 31 Dec 1999 23:59:59 GMT", " 5 ", "Sunday, 06-Nov-94 08:49:37 GMT"} {
		f.Add(s)
	}
	now := time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, s string) {
		d := RetryAfter(s, now)
		if d < -1 || d > 0 && d < time.Second && !strings.Contains(s, "GMT") {
			t.Errorf("%q: %v", s, d)
		}
		if strings.Trim(s, "0123456789") == "" && len(strings.TrimLeft(s, "0")) > 18 && d != math.MaxInt64 {
			t.Errorf("%q: %v", s, d)
		}
	})
}
