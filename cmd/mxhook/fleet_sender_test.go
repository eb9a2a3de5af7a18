package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// fleetSender sends messages in sessions that stay open, to whichever listener answers, each
// until it hears 250.
type fleetSender struct {
	t    *testing.T
	size int

	mu        sync.Mutex
	servers   map[string]string // listener to address
	order     []string
	next      int
	tries     int
	deferrals int
	done      []string
	changed   chan struct{}
}

func newFleetSender(t *testing.T, size int) *fleetSender {
	return &fleetSender{t: t, size: size, servers: map[string]string{}, changed: make(chan struct{})}
}

// serve tells where a listener listens now.
func (s *fleetSender) serve(listener, address string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.servers[listener] == "" {
		s.order = append(s.order, listener)
	}
	s.servers[listener] = address
}

func (s *fleetSender) server(i int) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.servers[s.order[i%len(s.order)]]
}

// take returns the next message's name, "" when there is none.
func (s *fleetSender) take() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.next == s.size || s.t.Context().Err() != nil {
		return ""
	}
	s.next++
	return fmt.Sprint("fleet-", s.next)
}

func (s *fleetSender) run(sessions int) {
	for i := range sessions {
		go func() {
			var c *fleetSession
			for name := s.take(); name != ""; name = s.take() {
				for !s.try(&c, &i, name) {
					if s.t.Context().Err() != nil {
						return
					}
				}
			}
			c.close()
		}()
	}
}

// try sends a message once; after a broken connection the next listener is asked.
func (s *fleetSender) try(c **fleetSession, server *int, name string) bool {
	var err error
	if *c == nil {
		*c, err = dialFleet(s.server(*server))
	}
	reply := ""
	if err == nil {
		reply, err = (*c).send(name)
	}
	if err != nil {
		(*c).close()
		*c = nil
		*server++
	}
	s.mu.Lock()
	s.tries++
	if strings.HasPrefix(reply, "2") {
		s.done = append(s.done, name)
	} else {
		s.deferrals++
	}
	close(s.changed)
	s.changed = make(chan struct{})
	s.mu.Unlock()
	if strings.HasPrefix(reply, "5") {
		s.t.Errorf("%s: %s", name, reply)
		return true
	}
	if !strings.HasPrefix(reply, "2") {
		select {
		case <-time.After(4 * retryTime):
		case <-s.t.Context().Done():
		}
		return false
	}
	return true
}

func (s *fleetSender) awaitThat(what string, is func() bool) {
	s.t.Helper()
	deadline := time.After(2 * patience)
	for {
		s.mu.Lock()
		changed, done := s.changed, is()
		s.mu.Unlock()
		if done {
			return
		}
		select {
		case <-changed:
		case <-deadline:
			s.t.Fatalf("%s did not come about", what)
		}
	}
}

// await waits until so many messages have their 250, awaitDeferrals for so many tries more
// that have not.
func (s *fleetSender) await(n int) {
	s.t.Helper()
	s.awaitThat(fmt.Sprint(n, " messages"), func() bool { return len(s.done) >= n })
}

func (s *fleetSender) awaitDeferrals(n int) {
	s.t.Helper()
	s.mu.Lock()
	n += s.deferrals
	s.mu.Unlock()
	s.awaitThat("deferrals", func() bool { return s.deferrals >= n })
}

func (s *fleetSender) promised() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.done...)
}

func (s *fleetSender) tried() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tries
}

// fleetSession is a session through a load balancer that speaks PROXY version 2.
type fleetSession struct {
	conn net.Conn
	r    *bufio.Reader
}

// proxyV2 says that 192.0.2.1:4711 has connected to 192.0.2.2:25 (PROXY protocol 2.2).
const proxyV2 = "\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c\xc0\x00\x02\x01\xc0\x00\x02\x02\x12\x67\x00\x19"

func dialFleet(address string) (*fleetSession, error) {
	conn, err := net.DialTimeout("tcp", address, patience)
	if err != nil {
		return nil, err
	}
	c := &fleetSession{conn, bufio.NewReader(conn)}
	conn.SetDeadline(time.Now().Add(patience))
	io.WriteString(conn, proxyV2)
	if _, err := c.reply(); err != nil {
		conn.Close()
		return nil, err
	}
	_, err = c.say("EHLO mail.sender.example\r\n")
	return c, err
}

func (c *fleetSession) close() {
	if c != nil {
		c.conn.Close()
	}
}

// reply reads a reply and returns its last line.
func (c *fleetSession) reply() (string, error) {
	for {
		line, err := c.r.ReadString('\n')
		if err != nil || len(line) < 4 || line[3] == ' ' {
			return line, err
		}
	}
}

func (c *fleetSession) say(lines string) (string, error) {
	if _, err := io.WriteString(c.conn, lines); err != nil {
		return "", err
	}
	return c.reply()
}

// send makes one transaction, with the commands pipelined (RFC 2920), and returns the reply
// that decided.
func (c *fleetSession) send(name string) (string, error) {
	c.conn.SetDeadline(time.Now().Add(patience))
	if _, err := fmt.Fprintf(c.conn, "MAIL FROM:<ann@sender.example>\r\nRCPT TO:<%s>\r\nDATA\r\n", recipientOf(name)); err != nil {
		return "", err
	}
	decided := ""
	for i := range 3 {
		r, err := c.reply()
		if err != nil {
			return "", err
		}
		if want := "223"[i]; r[0] != want && decided == "" {
			decided = r
		}
	}
	if decided != "" {
		_, err := c.say("RSET\r\n")
		return decided, err
	}
	text := strings.NewReplacer("hello@", name+"@", "Subject: hello", "Subject: "+name).Replace(smallMessage)
	if strings.HasSuffix(name, "7") { // one in ten is too large for the queue
		text += strings.Repeat("All work and no play makes a queue a dull one.\r\n", 400)
	}
	return c.say(text + ".\r\n")
}
