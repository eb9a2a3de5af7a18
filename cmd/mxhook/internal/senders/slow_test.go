package senders

import (
	"bufio"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// A message of 25 MiB at 64 kB/s takes 400 seconds, longer than any time that a
// listener has for one command. Here everything is 200 times faster: the same octets at
// 12.8 MB/s in 2 seconds, with 5 minutes of idle time made 1.5 seconds. It arrives.
func TestABigMessageOverASlowLineArrives(t *testing.T) {
	t.Parallel()
	const size, pieces, piece = 25 << 20, 100, 25 << 20 / 100
	a := startApp(t, 0)
	bridge := startBridge(t, a, false, "limits: {message_size: 26MiB, command_time: 1500ms}")
	nc, err := net.Dial("tcp", bridge)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	nc.SetDeadline(time.Now().Add(patience))
	r := bufio.NewReader(nc)
	expect := func(code string) {
		t.Helper()
		for {
			line, err := r.ReadString('\n')
			if err != nil || !strings.HasPrefix(line, code) {
				t.Fatalf("%q %v, want %s", line, err, code)
			}
			if line[3] == ' ' {
				return
			}
		}
	}
	expect("220")
	io.WriteString(nc, "EHLO mail.sender.example\r\n")
	expect("250")
	io.WriteString(nc, "MAIL FROM:<"+ann+">\r\nRCPT TO:<"+to+">\r\nDATA\r\n")
	expect("250")
	expect("250")
	expect("354")
	m := message("slow", ann, to, "", strings.Repeat(strings.Repeat("x", 78)+"\r\n", size/80))
	began := time.Now()
	clock := time.NewTicker(20 * time.Millisecond)
	defer clock.Stop()
	for rest := m.text; rest != ""; <-clock.C {
		n := min(piece, len(rest))
		if _, err := io.WriteString(nc, rest[:n]); err != nil {
			t.Fatal(err)
		}
		rest = rest[n:]
	}
	io.WriteString(nc, ".\r\n")
	expect("250")
	if took := time.Since(began); took < 1500*time.Millisecond {
		t.Errorf("the line was not slow: %v for %d pieces", took, pieces)
	}
	check(t, m, a.copies("slow"), []string{m.text}, false)
}
