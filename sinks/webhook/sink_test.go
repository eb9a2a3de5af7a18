package webhook_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"mxhook/sinks/sinktest"
	"mxhook/sinks/webhook"
)

// request is what a receiver got.
type request struct {
	*http.Request
	body []byte
}

// receiver answers with handle, after it has read the request.
func receiver(t *testing.T, handle http.HandlerFunc) (url string, got chan request) {
	t.Helper()
	got = make(chan request, 1000)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Errorf("receiver: %v", err)
		}
		got <- request{r, body}
		handle(w, r)
	}))
	t.Cleanup(server.Close)
	return server.URL, got
}

func newSink(t *testing.T, c webhook.Config) *webhook.Sink {
	t.Helper()
	if c.Name == "" {
		c.Name = "app"
	}
	s, err := webhook.New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func ok(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) }

func TestAnEventIsPostedSigned(t *testing.T) {
	t.Parallel()
	url, got := receiver(t, ok)
	keys := [][]byte{[]byte("first key of thirty-two octets.."), []byte("second key of thirty-two octets.")}
	s := newSink(t, webhook.Config{URL: url + "/mail", Secrets: keys, Version: "1.2.3"})
	e := sinktest.NewEvent(100)
	if o := s.Deliver(context.Background(), e); o.Err != nil || o.Attempts != 1 || o.Detail != "HTTP 200" {
		t.Fatalf("outcome %+v", o)
	}
	r := <-got
	want := map[string]string{
		"User-Agent": "mxhook/1.2.3", "Webhook-Id": e.ID, "Idempotency-Key": e.ID, "Accept": "*/*",
		"X-Mxhook-Attempt": "1", "X-Mxhook-Route": "tickets", "Content-Type": "application/json",
	}
	for name, value := range want {
		if v := r.Header.Get(name); v != value {
			t.Errorf("%s: %q, want %q", name, v, value)
		}
	}
	sum := sha256.Sum256(r.body)
	if d := "sha-256=:" + base64.StdEncoding.EncodeToString(sum[:]) + ":"; r.Header.Get("Content-Digest") != d {
		t.Errorf("Content-Digest %q, want %q", r.Header.Get("Content-Digest"), d)
	}
	if r.Method != http.MethodPost || r.ContentLength != int64(len(r.body)) || r.TransferEncoding != nil {
		t.Errorf("%s, Content-Length %d of %d, %v", r.Method, r.ContentLength, len(r.body), r.TransferEncoding)
	}
	for _, key := range keys {
		wh, err := standardwebhooks.NewWebhookRaw(key)
		if err != nil {
			t.Fatal(err)
		}
		if err := wh.Verify(r.body, r.Header); err != nil {
			t.Errorf("a published library doesn't verify: %v", err)
		}
	}
	other, _ := standardwebhooks.NewWebhookRaw([]byte("another"))
	if other.Verify(r.body, r.Header) == nil {
		t.Error("another key verifies")
	}
}
