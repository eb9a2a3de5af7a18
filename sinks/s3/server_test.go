package s3_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"mxhook/sinks"
	"mxhook/sinks/cloud"
	"mxhook/sinks/s3"
)

const (
	accessKey = "AKIDCANARY0000000000"
	secretKey = "secret-canary-of-the-test"
)

// stored is an object as a server has it.
type stored struct {
	body   []byte
	header http.Header
	writes int
}

// bucket is a server of one bucket, in memory. It checks digests, not signatures.
type bucket struct {
	URL string

	mu      sync.Mutex
	objects map[string]stored
	puts    int // requests
	// before is asked for each PUT, by its number from 1 on; an answer is sent in the place
	// of storing where it is not nil.
	before func(n int, key string, w http.ResponseWriter, r *http.Request) bool
	// deaf has no If-None-Match.
	deaf bool
}

func newBucket(t *testing.T) *bucket {
	b := &bucket{objects: map[string]stored{}}
	s := httptest.NewServer(b)
	t.Cleanup(s.Close)
	b.URL = s.URL
	return b
}

func refuse(w http.ResponseWriter, code int, s3code string) {
	w.WriteHeader(code)
	fmt.Fprintf(w, `<?xml version="1.0" encoding="UTF-8"?><Error><Code>%s</Code><Message>answer-canary</Message></Error>`, s3code)
}

func (b *bucket) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	key, _ := strings.CutPrefix(r.URL.Path, "/mail/")
	switch r.Method {
	case http.MethodPut:
		b.put(w, r, key)
	case http.MethodHead, http.MethodGet:
		b.mu.Lock()
		o, ok := b.objects[key]
		b.mu.Unlock()
		if !ok {
			refuse(w, 404, "NoSuchKey")
			return
		}
		for name, values := range o.header {
			if strings.HasPrefix(name, "X-Amz-Meta-") || name == "Content-Type" {
				w.Header()[name] = values
			}
		}
		w.Header().Set("Content-Length", fmt.Sprint(len(o.body)))
		w.Write(o.body)
	}
}

func (b *bucket) put(w http.ResponseWriter, r *http.Request, key string) {
	b.mu.Lock()
	b.puts++
	n, before := b.puts, b.before
	b.mu.Unlock()
	if before != nil && before(n, key, w, r) {
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	sum := sha256.Sum256(body)
	if hex.EncodeToString(sum[:]) != r.Header.Get("X-Amz-Content-Sha256") || int64(len(body)) != r.ContentLength {
		refuse(w, 400, "XAmzContentSHA256Mismatch")
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	old, there := b.objects[key]
	if there && r.Header.Get("If-None-Match") == "*" && !b.deaf {
		refuse(w, 412, "PreconditionFailed")
		return
	}
	b.objects[key] = stored{body, r.Header.Clone(), old.writes + 1}
	w.Header().Set("ETag", `"x"`)
}

// all returns the objects by their keys.
func (b *bucket) all() map[string]stored {
	b.mu.Lock()
	defer b.mu.Unlock()
	return maps.Clone(b.objects)
}

// keys returns how often each key was written.
func (b *bucket) keys() map[string]int {
	n := map[string]int{}
	for k, o := range b.all() {
		n[k] = o.writes
	}
	return n
}

// newSink returns a sink at a server that speaks S3, with the keys of the tests.
func newSink(t *testing.T, url string, change func(*s3.Config)) *s3.Sink {
	t.Helper()
	c := s3.Config{
		Bucket: "mail", PathStyle: true,
		Cloud: cloud.Config{Name: "archive", Endpoint: url, AccessKeyID: accessKey, SecretAccessKey: secretKey, Backoff: time.Millisecond, Log: slog.New(slog.DiscardHandler)},
	}
	if change != nil {
		change(&c)
	}
	s, err := s3.New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// deliver delivers and fails unless the sink takes the event.
func deliver(t *testing.T, s *s3.Sink, e *sinks.Event) {
	t.Helper()
	if o := s.Deliver(t.Context(), e); o.Err != nil {
		t.Fatalf("%+v", o)
	}
}
