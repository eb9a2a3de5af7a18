package admin

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestASessionEndsWithItsTimeAndWithTheToken(t *testing.T) {
	s := New(Config{Token: "the-token"})
	now := time.Now()
	value := s.newSession(now)
	if !s.isSession(value, now) || !s.isSession(value, now.Add(sessionTime-2*time.Second)) {
		t.Error("a session is not known")
	}
	for name, bad := range map[string]bool{
		"after its time":         s.isSession(value, now.Add(sessionTime)),
		"with another token":     New(Config{Token: "another"}).isSession(value, now),
		"without a token":        New(Config{}).isSession(New(Config{}).newSession(now), now),
		"with another time":      s.isSession("9"+value, now),
		"without a proof":        s.isSession(strings.Split(value, ".")[0]+".", now),
		"of nothing":             s.isSession("", now),
		"of the token, unhashed": s.isSession("99999999999.the-token", now),
	} {
		if bad {
			t.Errorf("a session %s is taken", name)
		}
	}
	if strings.Contains(value, "the-token") {
		t.Error("the cookie holds the token")
	}
}

func TestWrongTokensCountByNetworkAndMinute(t *testing.T) {
	var l limiter
	now := time.Now()
	for n := range maxWrong {
		if !l.allow("192.0.2.1:1", now) {
			t.Fatalf("refused at %d", n)
		}
		l.failed("192.0.2.1:1")
	}
	for remote, want := range map[string]bool{"192.0.2.1:2": false, "[::ffff:192.0.2.1]:2": false, "192.0.2.2:1": true, "[2001:db8::1]:1": true} {
		if l.allow(remote, now) != want {
			t.Errorf("%s: want %v", remote, want)
		}
	}
	if !l.allow("192.0.2.1:1", now.Add(61*time.Second)) {
		t.Error("a minute later it is still refused")
	}
	now = now.Add(time.Hour)
	l.allow("192.0.2.1:1", now)
	for n := range 2 * maxNetworks {
		l.failed(fmt.Sprintf("[2001:db8:%x::1]:1", n))
	}
	if l.allow("198.51.100.1:1", now) {
		t.Error("so many networks are counted apart that none is stopped")
	}
}
