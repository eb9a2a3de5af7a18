package main

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestKill9LosesNothing kills the real process at random times while senders send and
// resend until they hear 250. Then the app has every message, and repeats, of which
// there are at most as many as were on their way at a kill, have the same id.
func TestKill9LosesNothing(t *testing.T) {
	const kills, senders = 15, 4
	subject := regexp.MustCompile(`"subject":"([^"]*)"`)
	var mu sync.Mutex
	got := map[string][]string{} // webhook ids by subject
	a := startApp(t)
	a.set(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		m := subject.FindSubmatch(body)
		if err != nil || m == nil { // cut off by a kill
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		mu.Lock()
		defer mu.Unlock()
		got[string(m[1])] = append(got[string(m[1])], r.Header.Get("webhook-id"))
	})
	path := processConfig(t, a.URL, "delivery: {ledger: 1h}\n")
	var address atomic.Value
	p := startProcess(t, path)
	address.Store(p.smtp)

	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var sending sync.WaitGroup
	var heard, tries atomic.Int64
	for s := range senders {
		sending.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				name := fmt.Sprintf("kill-%d-%d", s, n)
				message := strings.NewReplacer("hello@", name+"@", "Subject: hello", "Subject: "+name).Replace(smallMessage)
				for {
					tries.Add(1)
					m := mailing{server: address.Load().(string), helo: "mail.sender.example", from: "ann@sender.example", rcpts: []string{"x@in.example"}}
					if _, err := m.send(t.Context(), strings.NewReader(message)); err == nil {
						break
					} else if reply, ok := replyOf(err); ok && strings.HasPrefix(reply, "5") {
						t.Error(reply)
						return
					}
					time.Sleep(time.Millisecond) // as a queue does, if not for so short
				}
				heard.Add(1)
				mu.Lock()
				if len(got[name]) == 0 {
					t.Errorf("250 for %s, which the app does not have", name)
				}
				mu.Unlock()
			}
		})
	}
	for range kills {
		time.Sleep(time.Duration(20+rand.IntN(100)) * time.Millisecond) // any moment will do
		p.cmd.Process.Kill()
		p.exited(t)
		p = startProcess(t, path)
		address.Store(p.smtp)
	}
	stop()
	sending.Wait()
	repeats := 0
	mu.Lock()
	defer mu.Unlock()
	for name, ids := range got {
		repeats += len(ids) - 1
		if len(slices.Compact(slices.Clone(ids))) > 1 {
			t.Errorf("%s has several ids: %v", name, ids)
		}
	}
	if repeats > kills*senders {
		t.Errorf("%d repeats", repeats)
	}
	t.Logf("%d kills, %d messages in %d tries, %d repeats", kills, heard.Load(), tries.Load(), repeats)
	p.cmd.Process.Kill()
	p.exited(t)
}
