package main

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
)

// bucket is a server that speaks as much S3 as the sink needs.
type bucket struct {
	*httptest.Server
	mu      sync.Mutex
	objects map[string][]byte
	writes  int
	answer  http.HandlerFunc // in the place of storing, nil for none
}

func startBucket(t *testing.T) *bucket {
	b := &bucket{objects: map[string][]byte{}}
	b.Server = httptest.NewServer(b)
	t.Cleanup(b.Close)
	return b
}

func (b *bucket) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	answer := b.answer
	b.mu.Unlock()
	if answer != nil {
		answer(w, r)
		return
	}
	body, err := io.ReadAll(r.Body)
	b.mu.Lock()
	defer b.mu.Unlock()
	old, there := b.objects[r.URL.Path]
	switch {
	case err != nil:
	case r.Method != http.MethodPut:
		w.Write(old)
	case there && r.Header.Get("If-None-Match") == "*":
		s3error(412, "PreconditionFailed")(w, r)
	default:
		b.objects[r.URL.Path] = body
		b.writes++
		w.Header().Set("ETag", `"x"`)
	}
}

func (b *bucket) set(answer http.HandlerFunc) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.answer = answer
}

// keys returns what is stored, and how often something was written.
func (b *bucket) keys() ([]string, int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Sorted(maps.Keys(b.objects)), b.writes
}

func s3error(code int, name string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		w.WriteHeader(code)
		fmt.Fprintf(w, "<Error><Code>%s</Code><Message>key-canary</Message></Error>", name)
	}
}

const archive = `
hostname: mx.in.example
delivery: {budget: 2s, ledger: %s}
sinks:
  archive: {type: s3, bucket: mail, endpoint: "%s", path_style: true, prefix: "{route}/", access_key_id: AKID, secret_access_key: key-canary, attempts: 1, circuit: {failures: 0}}
routes:
  - {name: all, recipient: "@in.example", deliver: [archive]}
`

func TestS3RepliesAndRecovery(t *testing.T) {
	store := startBucket(t)
	b := startBridge(t, fmt.Sprintf(archive, "192h", store.URL))
	over := make(chan struct{})
	defer close(over)
	for i, c := range []struct {
		name   string
		answer http.HandlerFunc
		want   string
	}{
		{"busy", s3error(503, "SlowDown"), "451 4.4.5 "},
		{"broken", s3error(500, "InternalError"), "451 4.3.0 "},
		{"conflict", s3error(409, "ConditionalRequestConflict"), "451 4.4.5 "},
		{"wrong credentials", s3error(403, "SignatureDoesNotMatch"), "451 4.3.5 "},
		{"no bucket", s3error(404, "NoSuchBucket"), "451 4.3.5 "},
		{"another region", s3error(301, "PermanentRedirect"), "451 4.3.5 "},
		{"too big", s3error(400, "EntityTooLarge"), "552 5.3.4 "},
		{"dead", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "451 4.4.1 "},
		{"hangs", func(_ http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body); <-over }, "451 4.4.5 "},
	} {
		t.Run(c.name, func(t *testing.T) {
			message := []byte(strings.Replace(smallMessage, "Message-ID: <", fmt.Sprintf("Message-ID: <%d", i), 1))
			store.set(c.answer)
			if got := b.send(t, "ann@sender.example", "a@in.example", message); !strings.HasPrefix(got, c.want) || strings.Contains(got, "canary") {
				t.Errorf("reply %q, want %q", got, c.want)
			}
			if c.name == "hangs" { // its late answer would be another's
				return
			}
			store.set(nil)
			if got := b.send(t, "ann@sender.example", "a@in.example", message); !strings.HasPrefix(got, "250 2.0.0 OK msg_") {
				t.Errorf("when it is well again: %q", got)
			}
		})
	}
}

func TestS3KeepsAnEventOnceWithoutALedger(t *testing.T) {
	store := startBucket(t)
	b := startBridge(t, fmt.Sprintf(archive, "0", store.URL))
	reply := ""
	for range 3 { // a sender that never heard our 250
		reply = b.send(t, "ann@sender.example", "a@in.example", []byte(smallMessage))
	}
	id := strings.TrimPrefix(reply, "250 2.0.0 OK ")
	want := []string{"/mail/all/" + id + ".eml", "/mail/all/" + id + ".json"}
	if keys, writes := store.keys(); !slices.Equal(keys, want) || writes != 2 {
		t.Errorf("%q, written %d times, reply %q", keys, writes, reply)
	}
}

func TestAWebhooksPayloadNamesWhatS3Keeps(t *testing.T) {
	store, app := startBucket(t), startApp(t)
	b := startBridge(t, fmt.Sprintf(`
hostname: mx.in.example
sinks:
  files: {type: s3, bucket: mail, endpoint: "%s", path_style: true, access_key_id: AKID, secret_access_key: key-canary}
  app: {type: webhook, url: "%s", include: {raw: "store:files"}}
routes:
  - {recipient: "@in.example", deliver: [app]}
`, store.URL, app.URL))
	if got := b.send(t, "ann@sender.example", "a@in.example", []byte(smallMessage)); !strings.HasPrefix(got, "250 2.0.0 OK msg_") {
		t.Fatal(got)
	}
	body := string(app.next(t).body)
	_, after, _ := strings.Cut(body, `"url":"`+store.URL)
	url, _, found := strings.Cut(after, `"`)
	resp, err := http.Get(store.URL + strings.ReplaceAll(url, `\u0026`, "&"))
	if err != nil || !found {
		t.Fatal(err, body)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || string(text) != smallMessage || !strings.Contains(url, "X-Amz-Expires=604800") {
		t.Errorf("%q at %s", text, url)
	}
	store.set(s3error(403, "AccessDenied"))
	if got := b.send(t, "ann@sender.example", "b@in.example", []byte(smallMessage)); !strings.HasPrefix(got, "451 4.3.5 ") {
		t.Errorf("a store that refuses: %q", got)
	}
}
