package main

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
)

// receiver is the application of the demo: it takes webhooks, and can be down.
type receiver struct {
	server   http.Server
	address  string
	secret   string
	key      []byte
	mu       sync.Mutex
	down     bool
	requests []*request
}

// request is a webhook as it came.
type request struct {
	path   string
	header http.Header
	length int64
	body   []byte
}

func startReceiver() (*receiver, error) {
	ln, err := listenLoopback()
	if err != nil {
		return nil, err
	}
	r := &receiver{address: ln.Addr().String(), key: make([]byte, 24)}
	rand.Read(r.key)
	r.secret = "whsec_" + base64.StdEncoding.EncodeToString(r.key)
	r.server.Handler = r
	go r.server.Serve(ln)
	return r, nil
}

func (r *receiver) addr() string { return r.address }

func (r *receiver) stop() { r.server.Close() }

// ServeHTTP takes a webhook. When the receiver is down, the connection breaks
// without an answer: nobody else can take the port meanwhile.
func (r *receiver) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.down {
		panic(http.ErrAbortHandler)
	}
	body, err := io.ReadAll(q.Body)
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	r.requests = append(r.requests, &request{path: q.URL.Path, header: q.Header, length: q.ContentLength, body: body})
}

func (r *receiver) setDown(down bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.down = down
}

func (r *receiver) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.requests)
}

func (r *receiver) last() *request {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.requests) == 0 {
		return nil
	}
	return r.requests[len(r.requests)-1]
}

// head returns the request line and the header, in a fixed order.
func (q *request) head() string {
	var b strings.Builder
	fmt.Fprintf(&b, "POST %s HTTP/1.1\nContent-Length: %d\n", q.path, q.length)
	var names []string
	for name := range q.header {
		if name != "Content-Length" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		fmt.Fprintf(&b, "%s: %s\n", name, strings.Join(q.header[name], ", "))
	}
	return b.String()
}

// signed verifies the request as Standard Webhooks says.
func (q *request) signed(key []byte) bool {
	mac := hmac.New(sha256.New, key)
	fmt.Fprintf(mac, "%s.%s.%s", q.header.Get("webhook-id"), q.header.Get("webhook-timestamp"), q.body)
	want := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
	for got := range strings.FieldsSeq(q.header.Get("webhook-signature")) {
		if hmac.Equal([]byte(got), []byte(want)) {
			return true
		}
	}
	return false
}
