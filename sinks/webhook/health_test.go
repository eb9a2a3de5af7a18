package webhook

import (
	"net/http"
	"testing"
	"time"

	"mxhook/sinks"
)

// TestHealthOfEveryStatus holds the table of ../README.md: what an answer says of the
// sink, beside what it says of the message.
func TestHealthOfEveryStatus(t *testing.T) {
	want := func(code int) sinks.Health {
		switch code {
		case 429, 502, 503, 504:
			return sinks.Unreachable
		case 408, 425:
			return ""
		}
		switch code / 100 {
		case 2, 3, 4: // accepted, too big, refused, or the operator's error
			return sinks.Well
		}
		return sinks.Failing
	}
	for code := 100; code <= 599; code++ {
		r, _ := classify("test", answer{code: code}, []int{406}, time.Now())
		if r.health != want(code) {
			t.Errorf("%d: %q, want %q", code, r.health, want(code))
		}
		for what, a := range map[string]answer{
			"refused by reject_on": {code: code},
			"worded by the app":    {code: code, header: http.Header{"Smtp-Reply": {"450 4.2.1 later"}}},
		} {
			var rejectOn []int
			if what == "refused by reject_on" {
				rejectOn = []int{code}
			}
			if r, _ := classify("test", a, rejectOn, time.Now()); r.health != sinks.Well {
				t.Errorf("%d, %s: %q, want well", code, what, r.health)
			}
		}
	}
}
