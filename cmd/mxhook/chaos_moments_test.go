package main

import (
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"
)

// The chaos tests run the whole bridge over real sockets, with a sender that resends
// like an MTA (chaos_sender_test.go), sinks that fail (chaos_keeper_test.go) and a
// checker that knows what each heard and took. What is random comes from one seed,
// which a failing test prints; MXHOOK_TEST_SEED repeats it.

// seeded returns the test's source of chance.
func seeded(t testing.TB) *rand.Rand {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	if given, err := strconv.ParseUint(os.Getenv("MXHOOK_TEST_SEED"), 10, 64); err == nil {
		seed = given
	}
	t.Logf("MXHOOK_TEST_SEED=%d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

// thorough tells whether the long form of a test is wanted: in CI.
func thorough() bool { return os.Getenv("MXHOOK_INTEROP") == "require" }

// moments lets a fault come at an event, not at a time: senders and sinks tell each
// point that they pass, and the fault comes at the n-th of a kind. The zero moments
// counts for nobody. A nil one, too.
type moments struct {
	mu     sync.Mutex
	kind   string // "" is any
	left   int    // 0: none is waited for
	hold   bool
	fired  chan struct{}
	resume chan struct{}
}

// arm waits for the n-th point of a kind from now on. With hold the one who passes it
// stays there until release; what came before the point is then all that happened.
func (m *moments) arm(kind string, n int, hold bool) (fired <-chan struct{}) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.kind, m.left, m.hold = kind, n, hold
	m.fired, m.resume = make(chan struct{}), make(chan struct{})
	return m.fired
}

// release lets the one go on who is held.
func (m *moments) release() {
	m.mu.Lock()
	defer m.mu.Unlock()
	close(m.resume)
}

// pass tells that a point was reached.
func (m *moments) pass(kind string) {
	if m == nil {
		return
	}
	m.mu.Lock()
	if m.left == 0 || m.kind != "" && m.kind != kind {
		m.mu.Unlock()
		return
	}
	m.left--
	reached, resume, hold := m.left == 0, m.resume, m.hold
	if reached {
		close(m.fired)
	}
	m.mu.Unlock()
	if reached && hold {
		<-resume
	}
}

// waitFor waits for a channel to be closed, or fails.
func waitFor(t testing.TB, what string, c <-chan struct{}) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(patience):
		t.Fatalf("%s did not happen in %s", what, patience)
	}
}
