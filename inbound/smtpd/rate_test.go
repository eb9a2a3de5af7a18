package smtpd

import (
	"encoding/binary"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// A peer begins so many messages at once, and then one for each part of the minute.
// Other peers, other commands and refused ones cost nothing.
func TestMessagesOfAPeerInAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, stop := startPiped(t, func(c *Config) { c.Limits.MessagesPerIP = 3 })
		begin := func(addr string, n int) (accepted, refused int) {
			l := p.dialFrom(addr)
			l.send("EHLO a.test\r\n", "MAIL FROM:<bad\r\n")
			for range n {
				l.send("MAIL FROM:<a@b.test>\r\n", "RSET\r\n")
			}
			l.send("QUIT\r\n")
			<-l.closed
			said := l.finish()
			return strings.Count(said, "250 2.1.0 "), strings.Count(said, "450 4.7.1 too many messages from your address\r\n")
		}
		for _, c := range []struct {
			after             time.Duration
			addr              string
			n                 int
			accepted, refused int
		}{
			{0, "192.0.2.1:1", 5, 3, 2},
			{0, "192.0.2.1:2", 1, 0, 1}, // another connection
			{0, "192.0.2.2:1", 1, 1, 0}, // another peer
			{0, "[2001:db8::1]:1", 2, 2, 0},
			{0, "[2001:db8::ffff:1]:1", 2, 1, 1}, // the same /64
			{0, "[2001:db8:0:1::1]:1", 3, 3, 0},
			{19 * time.Second, "192.0.2.1:3", 1, 0, 1},
			{time.Second, "192.0.2.1:4", 2, 1, 1},
			{60 * time.Second, "192.0.2.1:5", 5, 3, 2},
			{time.Hour, "192.0.2.1:6", 5, 3, 2}, // nothing is saved up
		} {
			time.Sleep(c.after)
			if a, r := begin(c.addr, c.n); a != c.accepted || r != c.refused {
				t.Errorf("%s after %v: %d accepted and %d refused, want %d and %d", c.addr, c.after, a, r, c.accepted, c.refused)
			}
		}
		stop()
	})
}

func TestAPeerWithoutAnAddressHasNoRate(t *testing.T) {
	r := newRate(1)
	for range 10 {
		if !r.allow(netip.Addr{}, time.Now()) {
			t.Fatal("refused")
		}
	}
}

// However many peers come, so many are remembered; those whom it concerns are
// forgotten last as long as there are others.
func TestTheRateRemembersNotMoreThanItMay(t *testing.T) {
	r, now := newRate(1), time.Unix(1e9, 0)
	r.most = 100
	addr := func(i int) netip.Addr {
		return netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, uint32(i))))
	}
	for i := range 10_000 {
		now = now.Add(time.Second)
		if !r.allow(addr(i), now) {
			t.Fatalf("the first message of %v is refused", addr(i))
		}
		if i >= 60 && r.allow(addr(i-50), now) {
			t.Fatalf("the second message of %v is taken", addr(i-50))
		}
		if n := len(r.peers); n > 100 {
			t.Fatalf("%d peers", n)
		}
	}
	for i := range 10_000 { // all within a second
		if !r.allow(addr(1<<20+i), now) || len(r.peers) > 100 {
			t.Fatalf("%d peers", len(r.peers))
		}
	}
}
