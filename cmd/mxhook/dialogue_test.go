package main

import (
	"fmt"
	"net"
	"net/textproto"
	"strings"
	"testing"
	"time"
)

// dialogue is an SMTP session.
type dialogue struct{ *textproto.Conn }

// begin opens a session and a transaction.
func (r *running) begin(t *testing.T) dialogue {
	t.Helper()
	conn, err := net.DialTimeout("tcp", r.smtp, patience)
	if err != nil {
		t.Fatal(err)
	}
	conn.SetDeadline(time.Now().Add(patience))
	d := dialogue{textproto.NewConn(conn)}
	t.Cleanup(func() { d.Close() })
	if _, _, err := d.ReadResponse(220); err != nil {
		t.Fatal(err)
	}
	d.say(t, "EHLO mail.sender.example", "250 ")
	d.say(t, "MAIL FROM:<ann@sender.example>", "250 ")
	return d
}

func (d dialogue) ask(t *testing.T, line string) string {
	t.Helper()
	if err := d.PrintfLine("%s", line); err != nil {
		t.Fatal(err)
	}
	return d.answer(t)
}

func (d dialogue) answer(t *testing.T) string {
	t.Helper()
	code, text, err := d.ReadResponse(0)
	if code == 0 {
		t.Fatal(err)
	}
	return fmt.Sprint(code, " ", text)
}

func (d dialogue) say(t *testing.T, line, want string) {
	t.Helper()
	if got := d.ask(t, line); !strings.HasPrefix(got, want) {
		t.Fatalf("%s: %q, want %q", line, got, want)
	}
}

// patiently repeats a command until it is taken, and returns when that was.
func (d dialogue) patiently(t *testing.T, line, want string, within time.Duration) time.Time {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(within); ; <-tick.C {
		got := d.ask(t, line)
		if strings.HasPrefix(got, want) {
			return time.Now()
		}
		if time.Now().After(end) {
			t.Fatalf("%s: still %q after %v", line, got, within)
		}
	}
}
