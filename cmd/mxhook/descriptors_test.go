//go:build linux

package main

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// limitFiles lets this process have n files open.
func limitFiles(n uint64) error {
	return syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: n, Max: n})
}

// TestACrowdLeavesDescriptorsForSinks gives a real process 256 files and lets 1000
// clients come and stay. As many are in as there are files for, and each of them can
// send; the others hear 421. The process doesn't spin, and when the crowd is gone it
// takes mail at once.
func TestACrowdLeavesDescriptorsForSinks(t *testing.T) {
	a := startApp(t)
	p := startProcess(t, processConfig(t, a.URL, "limits: {connections: 5000, connections_per_ip: 5000}\ndelivery: {ledger: 1h}\n"), maxFiles+"=256")
	var crowd []net.Conn
	defer func() { hangUp(crowd) }()
	for range 1000 {
		nc, err := net.Dial("tcp", p.smtp)
		if err != nil {
			t.Fatal(err)
		}
		crowd = append(crowd, nc)
	}
	var heard, turnedAway atomic.Int64
	var senders sync.WaitGroup
	for i, nc := range crowd {
		senders.Go(func() {
			switch reply := sendOver(nc, fmt.Sprintf("crowd-%d", i)); {
			case strings.HasPrefix(reply, "250 "):
				heard.Add(1)
			case strings.HasPrefix(reply, "421 4.4.5 "):
				turnedAway.Add(1)
			default:
				t.Errorf("client %d heard %q", i, reply)
			}
		})
	}
	senders.Wait()
	if in, out := heard.Load(), turnedAway.Load(); in != (256-64)/2 || in+out != 1000 {
		t.Errorf("%d clients heard 250 and %d were turned away", in, out)
	}
	before := processorTime(t, p)
	clock := time.NewTimer(time.Second)
	<-clock.C
	if used := processorTime(t, p) - before; used > 200*time.Millisecond {
		t.Errorf("the process used %v of processor time in a second in which nothing happened", used)
	}

	hangUp(crowd)
	crowd = nil
	began := time.Now()
	for {
		m := mailing{server: p.smtp, helo: "mail.sender.example", from: "ann@sender.example", rcpts: []string{"x@in.example"}}
		_, err := m.send(t.Context(), strings.NewReader(smallMessage))
		if err == nil {
			break
		}
		if reply, _ := replyOf(err); strings.HasPrefix(reply, "5") || time.Since(began) > patience {
			t.Fatal(err)
		}
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("it recovered after %v", took)
	}
	for range heard.Load() + 1 {
		a.next(t)
	}
}

func hangUp(conns []net.Conn) {
	for _, nc := range conns {
		nc.Close()
	}
}

// sendOver sends a message over a connection that is open and returns the last reply.
func sendOver(nc net.Conn, name string) (last string) {
	nc.SetDeadline(time.Now().Add(patience))
	r := bufio.NewReader(nc)
	message := strings.NewReplacer("hello@", name+"@", "Subject: hello", "Subject: "+name).Replace(smallMessage)
	for _, line := range []string{"", "EHLO mail.sender.example\r\n", "MAIL FROM:<ann@sender.example>\r\n", "RCPT TO:<x@in.example>\r\n", "DATA\r\n", message + ".\r\n"} {
		if _, err := nc.Write([]byte(line)); err != nil {
			return err.Error()
		}
		for {
			text, err := r.ReadString('\n')
			if err != nil {
				return err.Error()
			}
			if last = text; len(text) < 4 || text[3] != '-' {
				break
			}
		}
		if last[0] > '3' {
			return last
		}
	}
	return last
}

// processorTime returns what the process has used so far (proc(5), stat, in hundredths).
func processorTime(t *testing.T, p *process) time.Duration {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	fields := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
	user, err1 := strconv.Atoi(fields[11])
	system, err2 := strconv.Atoi(fields[12])
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	return time.Duration(user+system) * 10 * time.Millisecond
}
