package main

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestRunningOutOfDescriptors gives a real process 256 files and lets 1000 clients come
// and stay. It doesn't spin, no reply is a 5xx, nobody who heard 250 has lost a message,
// and when the clients are gone it takes mail at once.
func TestRunningOutOfDescriptors(t *testing.T) {
	if _, err := os.Stat("/proc/self/stat"); err != nil {
		t.Skip("the processor's time is read from /proc")
	}
	a := startApp(t)
	p := startProcess(t, processConfig(t, a.URL, "limits: {connections: 5000, connections_per_ip: 5000}\ndelivery: {ledger: 1h}\n"), maxFiles+"=256")

	var crowd []net.Conn
	defer func() { hangUp(crowd) }()
	for range 1000 { // what isn't accepted waits in the kernel's queue
		nc, err := (&net.Dialer{Timeout: 200 * time.Millisecond}).Dial("tcp", p.smtp)
		if err != nil {
			break
		}
		crowd = append(crowd, nc)
	}
	p.await(t, "accept failed")
	var heard, refused atomic.Int64
	var senders sync.WaitGroup
	for i, nc := range crowd[:50] { // those that are in try to send
		senders.Go(func() {
			switch reply := sendOver(nc, fmt.Sprintf("crowd-%d", i)); {
			case strings.HasPrefix(reply, "250 "):
				heard.Add(1)
			case strings.HasPrefix(reply, "5"):
				refused.Add(1)
			}
		})
	}
	senders.Wait()
	before := processorTime(t, p)
	clock := time.NewTimer(time.Second)
	<-clock.C
	if used := processorTime(t, p) - before; used > 200*time.Millisecond {
		t.Errorf("the process used %v of processor time in a second in which nothing happened", used)
	}
	if refused.Load() > 0 {
		t.Errorf("%d replies were 5xx", refused.Load())
	}
	t.Logf("%d clients connected, %d of 50 senders heard 250", len(crowd), heard.Load())

	hangUp(crowd)
	crowd = nil
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	began := time.Now()
	for {
		m := mailing{server: p.smtp, helo: "mail.sender.example", from: "ann@sender.example", rcpts: []string{"x@in.example"}}
		if _, err := m.send(ctx, strings.NewReader(smallMessage)); err == nil {
			heard.Add(1)
			break
		} else if reply, _ := replyOf(err); strings.HasPrefix(reply, "5") || ctx.Err() != nil {
			t.Fatal(reply, err)
		}
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("it recovered after %v", took)
	}
	for range heard.Load() {
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
