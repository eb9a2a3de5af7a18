package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

// residentPeak returns the largest resident size that a process had, in octets.
func residentPeak(t *testing.T, pid int) int64 {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Skip("no /proc:", err)
	}
	var kib int64
	for line := range strings.Lines(string(text)) {
		if _, err := fmt.Sscanf(line, "VmHWM: %d kB", &kib); err == nil {
			return kib << 10
		}
	}
	t.Fatal("no VmHWM")
	return 0
}

// bigMessage returns a message of about size octets with an attachment that no other
// number has.
func bigMessage(number, size int) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "From: Ann <ann@sender.example>\r\nTo: x@in.example\r\nSubject: %d\r\nMessage-ID: <big-%d@sender.example>\r\n"+
		"MIME-Version: 1.0\r\nContent-Type: application/octet-stream; name=big.bin\r\nContent-Disposition: attachment; filename=big.bin\r\n"+
		"Content-Transfer-Encoding: base64\r\n\r\n", number, number)
	line := make([]byte, 57)
	for i := 0; b.Len() < size; i++ {
		for j := range line {
			line[j] = byte(i>>(j%24) + number*j)
		}
		b.WriteString(base64.StdEncoding.EncodeToString(line) + "\r\n")
	}
	return b.Bytes()
}

// Many large messages at once stay within limits.memory: what is beyond it goes to
// files, all are delivered in the end, and every octet arrives. MXHOOK_LOAD=1 makes it
// 64 messages of 25 MiB with 128 MiB.
func TestManyLargeMessagesKeepTheMemoryBudget(t *testing.T) {
	t.Parallel()
	messages, size, budget, spare := 12, 4<<20, int64(4<<20), int64(24<<20)
	if os.Getenv("MXHOOK_LOAD") != "" {
		messages, size, budget, spare = 64, 25<<20-1000, 128<<20, 128<<20*3/10+24<<20
	}
	for _, format := range []string{"raw", "mxhook"} {
		t.Run(format, func(t *testing.T) {
			var mu sync.Mutex
			arrived := map[[sha256.Size]byte]int{}
			receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				h := sha256.New()
				if format == "raw" {

					if _, err := io.Copy(h, afterTrace(r.Body)); err != nil {
						w.WriteHeader(http.StatusInternalServerError)
						return
					}
					mu.Lock()
					arrived[[sha256.Size]byte(h.Sum(nil))]++
					mu.Unlock()
					return
				}
				io.Copy(io.Discard, r.Body)
			}))
			defer receiver.Close()
			extra := fmt.Sprintf("limits: {memory: %d, connections_per_ip: 100, disk_reserve: 0}\ndelivery: {ledger: 0, budget: 300s}\n", budget)
			path := processConfig(t, receiver.URL, extra)
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			text = bytes.Replace(text, []byte(`url: "`), fmt.Appendf(nil, `format: %s, timeout: 280s, url: "`, format), 1)
			if err := os.WriteFile(path, text, 0o600); err != nil {
				t.Fatal(err)
			}
			p := startProcess(t, path)
			idle := residentPeak(t, p.cmd.Process.Pid)
			began := time.Now()
			var senders sync.WaitGroup
			want := make([][sha256.Size]byte, messages)
			tries := 0
			for i := range messages {
				senders.Go(func() {
					message := bigMessage(i, size)
					want[i] = sha256.Sum256(message)
					m := mailing{server: p.smtp, helo: "mail.sender.example", from: "ann@sender.example", rcpts: []string{"x@in.example"}}
					for {
						mu.Lock()
						tries++
						mu.Unlock()
						_, err := m.send(context.Background(), bytes.NewReader(message))
						if err == nil {
							return
						}
						if reply, ok := replyOf(err); !ok || reply[0] != '4' {
							t.Errorf("message %d: %v", i, err)
							return
						}
					}
				})
			}
			senders.Wait()
			peak := residentPeak(t, p.cmd.Process.Pid)
			t.Logf("%d messages of %d octets in %v, %d tries; resident %d MiB when idle, %d MiB at most", messages, size, time.Since(began), tries, idle>>20, peak>>20)
			if peak > idle+budget+spare && !raceDetector { // which takes several times the memory
				t.Errorf("resident %d MiB, at most %d MiB more than when idle are wanted", peak>>20, (budget+spare)>>20)
			}
			if format == "raw" {
				for i, sum := range want {
					if arrived[sum] == 0 {
						t.Errorf("message %d did not arrive as it was sent", i)
					}
				}
			}
		})
	}
}

// afterTrace skips the trace fields that mxhook has put before a message: all lines
// before the one that the sender's began with.
func afterTrace(r io.Reader) io.Reader {
	head := make([]byte, 16<<10)
	n, _ := io.ReadFull(r, head)
	i := max(0, bytes.Index(head[:n], []byte("From: Ann")))
	return io.MultiReader(bytes.NewReader(head[i:n]), r)
}

// A disk with less room than limits.disk_reserve takes no mail, and that is told when
// the bridge starts.
func TestADiskBelowItsReserveIsToldAtTheStart(t *testing.T) {
	a := startApp(t)
	b := startBridge(t, strings.ReplaceAll(interopConfig, "%URL%", a.URL)+"limits: {disk_reserve: 1000000GiB}\n")
	b.await(t, "no mail is taken until there is room (452 4.3.1): make room on the disk, or lower limits.disk_reserve")
	if got := b.send(t, "ann@sender.example", "support@in.example", []byte(smallMessage)); !strings.HasPrefix(got, "452 4.3.1 ") {
		t.Errorf("heard %q", got)
	}
}
