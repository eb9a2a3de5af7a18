package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"strings"
	"sync"
	"testing"
	"time"
)

// letter is one message of a sender, with the recipients that it still has to bring.
type letter struct {
	name    string // its subject, and part of its Message-ID
	text    string
	pending []string
	tries   int
	lmtp    bool // each recipient hears a reply of its own after the final dot
}

func newLetter(name string, rcpts ...string) *letter {
	text := strings.NewReplacer("hello@", name+"@", "Subject: hello", "Subject: "+name).Replace(smallMessage)
	return &letter{name: name, text: text, pending: rcpts}
}

// attempt is what one transaction came to.
type attempt struct {
	asked    []string // the recipients that were accepted at RCPT
	deferred []string // those that were not
	reply    string   // the one after the final dot; "" when there was none
	each     []string // with LMTP one for each that was asked
}

// promised are the recipients that the server is responsible for now.
func (a attempt) promised() []string {
	if strings.HasPrefix(a.reply, "2") {
		return a.asked
	}
	return nil
}

// refused tells whether the sender would have to write a bounce.
func (a attempt) refused() bool { return strings.HasPrefix(a.reply, "5") }

// try makes one transaction with the letter's pending recipients. The error says that
// the connection broke, or that the server isn't taking mail now.
func (l *letter) try(ctx context.Context, server string, m *moments) (a attempt, err error) {
	l.tries++
	conn, err := (&net.Dialer{Timeout: patience}).DialContext(ctx, "tcp", server)
	if err != nil {
		return a, err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	conn.SetDeadline(time.Now().Add(patience))
	c := textproto.NewConn(conn)
	reply := func() (string, error) {
		code, text, err := c.ReadResponse(0)
		var refused *textproto.Error
		if err != nil && !errors.As(err, &refused) {
			return "", err
		}
		return fmt.Sprint(code, " ", text), nil
	}
	say := func(line string) (string, error) {
		if err := c.PrintfLine("%s", line); err != nil {
			return "", err
		}
		return reply()
	}
	hello := "EHLO"
	if l.lmtp {
		hello = "LHLO"
	}
	for _, step := range []string{"", hello + " mail.sender.example", "MAIL FROM:<ann@sender.example>"} {
		r, err := "", error(nil)
		if step == "" {
			r, err = reply()
		} else {
			r, err = say(step)
		}
		if err != nil {
			return a, err
		}
		if !strings.HasPrefix(r, "2") {
			return attempt{deferred: l.pending, reply: temporaryOnly(r)}, errNotNow
		}
	}
	m.pass("mail")
	for _, rcpt := range l.pending {
		r, err := say("RCPT TO:<" + rcpt + ">")
		if err != nil {
			return a, err
		}
		switch r[0] {
		case '2':
			a.asked = append(a.asked, rcpt)
		case '4':
			a.deferred = append(a.deferred, rcpt)
		default:
			a.reply = r
			return a, nil
		}
	}
	m.pass("rcpt")
	if len(a.asked) == 0 {
		return a, errNotNow
	}
	if r, err := say("DATA"); err != nil || r[0] != '3' {
		return a, errors.Join(errNotNow, err)
	}
	w := c.DotWriter()
	io.WriteString(w, l.text[:len(l.text)/2])
	c.W.Flush()
	m.pass("half")
	io.WriteString(w, l.text[len(l.text)/2:])
	if err := w.Close(); err != nil {
		return a, err
	}
	m.pass("dot")
	for l.lmtp && len(a.each) < len(a.asked) {
		r, err := reply()
		if err != nil {
			return a, err
		}
		a.each = append(a.each, r)
	}
	if l.lmtp {
		return a, nil
	}
	if a.reply, err = reply(); err == nil {
		m.pass("reply")
	}
	return a, err
}

var errNotNow = errors.New("not now")

// temporaryOnly keeps a reply that a greeting, EHLO or MAIL may not have.
func temporaryOnly(reply string) string {
	if strings.HasPrefix(reply, "5") {
		return reply
	}
	return ""
}

// retryTime is how soon an MTA of these tests comes again.
const retryTime = 5 * time.Millisecond

// heard is a letter's recipient for whom a 250 was heard.
type heard struct{ letter, recipient string }

// mta sends letters in parallel sessions, and each again until all its recipients
// have their 250.
type mta struct {
	t       testing.TB
	server  func() string // where to send to now
	moments *moments
	next    func(session, n int) *letter
	told    func(l *letter, a attempt) // of each reply after a final dot, unless nil

	mu       sync.Mutex
	promised []heard
	replies  map[string]int // final replies by their first digit
	deferred int            // recipients that heard a 4xx at RCPT
	tries    int
}

// run sends until stop is closed; letters that were begun are brought to their end.
func (s *mta) run(sessions int, stop <-chan struct{}) {
	s.replies = map[string]int{}
	var sending sync.WaitGroup
	for i := range sessions {
		sending.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				l := s.next(i, n)
				if l == nil || !s.bring(l) {
					return
				}
			}
		})
	}
	sending.Wait()
}

// bring tries until nothing is pending; false gives up.
func (s *mta) bring(l *letter) bool {
	for began := time.Now(); len(l.pending) > 0; {
		a, err := l.try(s.t.Context(), s.server(), s.moments)
		s.note(l, a)
		if a.refused() {
			s.t.Errorf("%s: refused for good: %q", l.name, a.reply)
			return false
		}
		if promised := a.promised(); promised != nil {
			if s.told != nil {
				s.told(l, a)
			}
			if l.pending = a.deferred; len(l.pending) == 0 {
				return true
			}
		}
		if time.Since(began) > patience {
			s.t.Errorf("%s is still pending after %s: %q, %v", l.name, patience, a.reply, err)
			return false
		}
		select {
		case <-time.After(retryTime):
		case <-s.t.Context().Done():
			return false
		}
	}
	return true
}

func (s *mta) note(l *letter, a attempt) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tries++
	s.deferred += len(a.deferred)
	if a.reply != "" {
		s.replies[a.reply[:1]]++
	}
	for _, rcpt := range a.promised() {
		s.promised = append(s.promised, heard{l.name, rcpt})
	}
}
