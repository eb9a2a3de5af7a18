package smtpd

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// Time is virtual in these tests.

func TestAnIdleSessionEnds(t *testing.T) {
	for _, c := range []struct{ name, sent string }{
		{"before EHLO", ""},
		{"within a command", "EHLO a.te"},
		{"between commands", "EHLO a.test\r\n"},
		{"within the data", opening + "Subject: x\r\n"},
		{"within the data, after a dot", opening + "x\r\n."},
		{"within a chunk", strings.Replace(opening, "DATA", "BDAT 10 LAST", 1) + "123"},
		{"between chunks", strings.Replace(opening, "DATA", "BDAT 3", 1) + "123"},
		{"within a refused chunk", "BDAT 10\r\n123"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, stop := startPiped(t, nil)
				l, began := p.dial(), time.Now()
				l.send(c.sent)
				<-l.closed
				if d := time.Since(began); d < time.Minute || d > 5*time.Minute {
					t.Errorf("closed after %v", d)
				}
				if said := l.finish(); !strings.HasSuffix(said, "421 4.4.2 timed out\r\n") {
					t.Errorf("said %q", said)
				}
				if n, _ := p.h.count(); n != 0 {
					t.Errorf("%d messages", n)
				}
				stop()
			})
		})
	}
}

// After a stall the rest of a body must never run as commands.
func TestAfterAStallNothingRuns(t *testing.T) {
	for _, data := range []string{"DATA", "BDAT 10000 LAST"} {
		synctest.Test(t, func(t *testing.T) {
			p, stop := startPiped(t, nil)
			l := p.dial()
			l.send(strings.Replace(opening, "DATA", data, 1) + "Subject: x\r\n")
			time.Sleep(6 * time.Minute)
			l.send("RSET\r\nMAIL FROM:<ceo@bank.test>\r\nRCPT TO:<b@mx.test>\r\nDATA\r\nevil\r\n.\r\n")
			<-l.closed
			if said := l.finish(); !strings.HasSuffix(said, "421 4.4.2 timed out\r\n") || strings.Count(said, "421") != 1 {
				t.Errorf("said %q", said)
			}
			if n, _ := p.h.count(); n != 0 {
				t.Errorf("%d messages", n)
			}
			stop()
		})
	}
}

// The same over real sockets and TLS, where the 421 must get through after a read that
// timed out. Time is real here.
func TestAfterAStallNothingRunsOverTLS(t *testing.T) {
	for _, data := range []string{"DATA\r\n", "BDAT 10000 LAST\r\n", "BDAT 3\r\nxxx"} {
		r := start(t, func(c *Config) { c.Limits.CommandTime = 200 * time.Millisecond })
		c := r.dial().hello().startTLS().envelope().send(data + "Subject: x\r\n")
		if !strings.HasSuffix(data, "LAST\r\n") {
			c.want("", map[bool]string{true: "354 ", false: "250 2.0.0 chunk"}[strings.HasPrefix(data, "DATA")])
		}
		if strings.HasSuffix(data, "xxx") {
			c.want("", "500 ") // what follows a chunk is a command
		}
		c.want("", "421 4.4.2 timed out").send("RSET\r\n" + smuggled)
		c.want("", "EOF")
		if n, _ := r.h.count(); n != 0 {
			t.Errorf("%q: %d messages", data, n)
		}
	}
}

func TestASteadySlowBodyIsTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, stop := startPiped(t, func(c *Config) { c.Limits.CommandTime = 10 * time.Second })
		l := p.dial()
		l.send(opening)
		for range 100 {
			l.send(strings.Repeat("x", 5000) + "\r\n")
			time.Sleep(9 * time.Second)
		}
		l.send(".\r\nQUIT\r\n")
		<-l.closed
		if said := l.finish(); !strings.Contains(said, "250 2.0.0 msg_test\r\n221 ") {
			t.Errorf("said %q", said)
		}
		stop()
	})
}

func TestADribblingBodyEnds(t *testing.T) {
	for _, data := range []string{"DATA", "BDAT 10000 LAST", "BDAT 10000"} {
		synctest.Test(t, func(t *testing.T) {
			p, stop := startPiped(t, nil)
			l, began := p.dial(), time.Now()
			l.send(strings.Replace(opening, "DATA", data, 1))
			for range 100 {
				l.send("x")
				time.Sleep(5 * time.Second)
			}
			if said := l.finish(); !strings.HasSuffix(said, "421 4.4.2 timed out\r\n") {
				t.Errorf("%s: said %q after %v", data, said, time.Since(began))
			}
			stop()
		})
	}
}

func TestADribbledCommandEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, stop := startPiped(t, nil)
		l := p.dial()
		for range 100 {
			l.send("x")
			time.Sleep(30 * time.Second)
		}
		if said := l.finish(); !strings.HasSuffix(said, "421 4.4.2 timed out\r\n") {
			t.Errorf("said %q", said)
		}
		stop()
	})
}

func TestATransactionHasItsTime(t *testing.T) {
	for _, between := range []string{"NOOP\r\n", "BDAT 40000\r\n" + strings.Repeat("x", 40000)} {
		synctest.Test(t, func(t *testing.T) {
			p, stop := startPiped(t, func(c *Config) { c.Limits.TransactionTime = 10 * time.Minute })
			l := p.dial()
			l.send(strings.TrimSuffix(opening, "DATA\r\n"))
			for range 7 {
				l.send(between)
				time.Sleep(2 * time.Minute)
			}
			if said := l.finish(); !strings.HasSuffix(said, "421 4.4.2 timed out\r\n") {
				t.Errorf("said %q", said)
			}
			stop()
		})
	}
}

// The time that a client takes between two chunks is bounded by other limits; it is
// not slowness.
func TestAPauseBetweenChunksIsNotSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, stop := startPiped(t, nil)
		l := p.dial()
		l.send(strings.Replace(opening, "DATA", "BDAT 3", 1) + "123")
		time.Sleep(4 * time.Minute)
		l.send("BDAT 3 LAST\r\n")
		time.Sleep(30 * time.Second)
		l.send("456QUIT\r\n")
		<-l.closed
		if said := l.finish(); !strings.Contains(said, "250 2.0.0 msg_test\r\n221 ") {
			t.Errorf("said %q", said)
		}
		stop()
	})
}

func TestAHandshakeThatNeverComesEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, stop := startPiped(t, func(c *Config) { c.TLSMode = TLSImplicit })
		l, began := p.dial(), time.Now()
		<-l.closed
		if d := time.Since(began); d > handshakeTime || l.finish() != "" {
			t.Errorf("closed after %v, said %q", d, l.heard())
		}
		stop()
	})
}
