package verify_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"mxhook/verify"
	"mxhook/verify/dns"
)

// hostile are messages that ask for as much as a message can.
func hostile(t *testing.T) []string {
	good := signed(t)
	field := strings.TrimSuffix(good, plain)
	chain := good
	for range 3 {
		chain = sealed("two.example").Seal(sealed("list.example").Seal(chain))
	}
	manyKeys := ""
	for i := range 30 {
		manyKeys += strings.Replace(field, "s=ed;", fmt.Sprintf("s=no%d;", i), 1)
	}
	return []string{
		good, chain, plain, "", "no header", strings.Repeat(field, 60) + plain, manyKeys + plain,
		strings.Repeat("ARC-Seal: i=1; cv=none\r\n", 200) + plain, "X: " + strings.Repeat("x", 2<<20),
		good + strings.Repeat("\r\n", 100_000), strings.ReplaceAll(good, "\r\n", "\r"), strings.Replace(good, "Hello", "Hullo", 1),
		"From: " + strings.Repeat("(", 1000) + "\r\n" + good, "DKIM-Signature: " + strings.Repeat(";", 70_000) + "\r\n" + plain,
	}
}

// TestManyMessagesLeaveNothing verifies thousands, while the name server answers, is dead,
// and while callers give up, over one resolver and over many names.
func TestManyMessagesLeaveNothing(t *testing.T) {
	server := dns.NewServer(zone(t, sealers(t)))
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	defer server.Stop(context.Background())
	silent, err := net.ListenPacket("udp", "127.0.0.1:0") // it never answers
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	contents := hostile(t)
	r := rand.New(rand.NewPCG(1, 1))
	live := verify.New(verify.Config{Resolver: dns.New(dns.Config{Servers: []string{server.Addr()}, Entries: 500}), AuthservID: "mx"})
	dead := verify.New(verify.Config{
		Resolver:   dns.New(dns.Config{Servers: []string{silent.LocalAddr().String()}, Timeout: time.Millisecond}),
		AuthservID: "mx", Timeout: 5 * time.Millisecond,
	})
	some := func(n int) {
		for i := range n {
			m := message(contents[i%len(contents)])
			if i%3 == 0 {
				m.HELO = fmt.Sprintf("h%d.sender.example", r.IntN(100_000))
				m.MailFromDomain = fmt.Sprintf("d%d.sender.example", r.IntN(100_000))
			}
			ctx, cancel := context.WithCancel(context.Background())
			v := live
			switch i % 10 {
			case 7:
				v = dead
			case 8:
				cancel()
			case 9:
				go cancel() // in the middle of it
			}
			if got := v.Verify(ctx, m); got.Fault != nil || got.Header == "" {
				t.Fatalf("%+v", got)
			}
			cancel()
		}
	}
	some(600) // caches and stacks reach their size
	goroutines, heap := flat()
	n := flatMessages
	if testing.Short() {
		n = 300
	}
	some(n)
	goroutinesAfter, heapAfter := flat()
	runtime.KeepAlive([]any{live, dead}) // their caches are a part of it
	t.Logf("%d messages: %d goroutines and %d KiB before, %d and %d KiB after", n, goroutines, heap>>10, goroutinesAfter, heapAfter>>10)
	if goroutinesAfter > goroutines+2 || heapAfter > heap+4<<20 {
		t.Errorf("%d goroutines and %d KiB before, %d and %d KiB after %d messages", goroutines, heap>>10, goroutinesAfter, heapAfter>>10, n)
	}
}

// flat gives what is there when what was asked to end has ended.
func flat() (goroutines int, heap uint64) {
	for range 100 {
		runtime.Gosched()
	}
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return runtime.NumGoroutine(), m.HeapAlloc
}
