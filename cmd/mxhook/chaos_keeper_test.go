package main

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"
)

// mood is how a keeper treats one request.
type mood string

// The moods. The first four keep the event, all others do not.
const (
	takes  mood = "accepted"
	late   mood = "accepted late"         // keeps the event and answers after lateness
	loses  mood = "accepted, answer lost" // keeps the event and breaks the connection
	kills  mood = "crash"                 // keeps the event and never answers: the test stops the bridge dead
	busy   mood = "temporary"             // 503
	broken mood = "broken"                // 500
	fends  mood = "refused"               // 406
	hangs  mood = "hangs"                 // no answer until the bridge gives up
	leaves mood = "leaves"                // breaks the connection after lateness
	resets mood = "resets"                // breaks the connection
)

// lateness is longer than the budget where a test wants a late answer. That answer is
// of the app's own time: no time-out of the bridge, which a busy machine could make come
// before an answer that the app has sent, has a part in it.
const lateness = 1500 * time.Millisecond

// unit is one recipient of one message at the keeper it is asked of.
type unit struct{ message, recipient string }

// taking is one time that a keeper kept a unit.
type taking struct {
	id      string // webhook-id
	process string // which run of the bridge sent it: the header X-Process
	heard   bool   // the answer was sent
}

// arrival is an event that has reached a keeper.
type arrival struct {
	Subject    string
	Recipients []string
	ID         string
	Process    string
	Attempt    string
}

// keeper is an application that takes webhooks and remembers what it kept.
type keeper struct {
	*httptest.Server
	moments *moments

	mu       sync.Mutex
	mood     func(a arrival) mood // nil: takes
	ended    func(n int)          // told of the n-th request that the bridge gave up, unless nil
	gaveUp   int
	taken    map[unit][]taking
	subjects map[string]int // requests by subject
	answers  map[mood]int
	changed  chan struct{} // closed at the next change
}

func startKeeper(t testing.TB) *keeper {
	r := &keeper{taken: map[unit][]taking{}, answers: map[mood]int{}, subjects: map[string]int{}, changed: make(chan struct{})}
	r.Server = httptest.NewServer(http.HandlerFunc(r.serve))
	t.Cleanup(func() {
		r.CloseClientConnections()
		r.Close()
	})
	return r
}

// be changes the mood.
func (r *keeper) be(m func(a arrival) mood) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mood = m
}

func always(m mood) func(arrival) mood { return func(arrival) mood { return m } }

func (r *keeper) serve(w http.ResponseWriter, req *http.Request) {
	r.moments.pass("request")
	a, ok := readArrival(req)
	if !ok { // cut off
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	r.mu.Lock()
	m := takes
	if r.mood != nil {
		m = r.mood(a)
	}
	r.subjects[a.Subject]++
	r.answers[m]++
	keep := m == takes || m == late || m == loses || m == kills
	for _, rcpt := range a.Recipients {
		if u := (unit{a.Subject, rcpt}); keep {
			r.taken[u] = append(r.taken[u], taking{id: a.ID, process: a.Process, heard: m == takes || m == late})
		}
	}
	close(r.changed)
	r.changed = make(chan struct{})
	r.mu.Unlock()
	if keep {
		r.moments.pass("kept")
	}
	if answer(w, req, m); m == hangs {
		r.mu.Lock()
		if r.gaveUp++; r.ended != nil {
			r.ended(r.gaveUp)
		}
		r.mu.Unlock()
	}
	r.moments.pass("answered")
}

func readArrival(req *http.Request) (arrival, bool) {
	var event struct {
		ID       string
		Envelope struct{ Recipients []struct{ Address string } }
		Message  struct{ Subject string }
	}
	body, err := io.ReadAll(req.Body)
	if err != nil || json.Unmarshal(body, &event) != nil || event.ID != req.Header.Get("webhook-id") {
		return arrival{}, false
	}
	a := arrival{Subject: event.Message.Subject, ID: event.ID, Process: req.Header.Get("X-Process"), Attempt: req.Header.Get("X-Mxhook-Attempt")}
	for _, r := range event.Envelope.Recipients {
		a.Recipients = append(a.Recipients, r.Address)
	}
	return a, len(a.Recipients) > 0
}

// answer says to the bridge what the mood is.
func answer(w http.ResponseWriter, req *http.Request, m mood) {
	if m == late || m == leaves {
		select {
		case <-time.After(lateness):
		case <-req.Context().Done():
		}
	}
	switch m {
	case takes, late:
		w.WriteHeader(http.StatusOK)
	case busy:
		w.WriteHeader(http.StatusServiceUnavailable)
	case broken:
		w.WriteHeader(http.StatusInternalServerError)
	case fends:
		w.WriteHeader(http.StatusNotAcceptable)
	case hangs, kills:
		<-req.Context().Done()
		return
	case loses, leaves, resets:
		if conn, _, err := w.(http.Hijacker).Hijack(); err == nil {
			conn.(*net.TCPConn).SetLinger(0)
			conn.Close()
		}
		return
	}
	w.(http.Flusher).Flush()
}

// of returns the times that a unit was kept.
func (r *keeper) of(message, recipient string) []taking {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]taking(nil), r.taken[unit{message, recipient}]...)
}

// count returns how many requests had a mood.
func (r *keeper) count(m mood) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.answers[m]
}

// asked returns how many requests were for a message.
func (r *keeper) asked(message string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.subjects[message]
}

// await waits until a condition of the keeper's memory is true; it is asked after
// each request.
func (r *keeper) await(t testing.TB, what string, is func() bool) {
	t.Helper()
	deadline := time.After(patience)
	for {
		r.mu.Lock()
		changed := r.changed
		r.mu.Unlock()
		if is() {
			return
		}
		select {
		case <-changed:
		case <-deadline:
			t.Fatalf("%s did not come true in %s", what, patience)
		}
	}
}
