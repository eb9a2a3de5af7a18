package webhook_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"mxhook/inbound/status"
	"mxhook/sinks"
	"mxhook/sinks/payload"
	"mxhook/sinks/sinktest"
	"mxhook/sinks/webhook"
)

// stamped is a format of which every attempt has another body.
type stamped struct {
	count int
	fail  bool
}

func (s *stamped) Encode(context.Context, *sinks.Event) (payload.Encoded, error) { return s, nil }

func (s *stamped) Request(a payload.Attempt) (payload.Request, error) {
	if s.fail {
		return payload.Request{}, errors.New("the file is gone")
	}
	s.count++
	var f payload.Form
	f.Add("count", fmt.Sprint(s.count))
	f.Add("url", a.URL)
	f.Add("recent", fmt.Sprint(time.Since(a.Time) < time.Hour))
	return payload.Request{Body: f.Body(), Header: map[string]string{"X-Provider-Signature": fmt.Sprint("number ", s.count), "Authorization": "Basic own"}}, nil
}

func TestAFormatIsFreshAtEachAttempt(t *testing.T) {
	t.Parallel()
	var answers atomic.Int32
	url, got := receiver(t, func(w http.ResponseWriter, _ *http.Request) {
		if answers.Add(1) == 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	at := strings.Replace(url, "http://", "http://ann:pass@", 1) + "/in/{ticket}?a=b"
	s := newSink(t, webhook.Config{URL: at, Format: &stamped{}, Backoff: time.Millisecond, FanOut: sinks.FanOutRecipient})
	e := sinktest.NewEvent(100)
	e.Recipients = e.Recipients[:1]
	e.Recipients[0].Captures = map[string]string{"ticket": "4 2"}
	if o := s.Deliver(context.Background(), e); o.Err != nil || o.Attempts != 2 {
		t.Fatalf("outcome %+v", o)
	}
	for i := 1; i <= 2; i++ {
		r := <-got
		want := fmt.Sprintf("count=%d&url=http%%3A%%2F%%2Fann%%3Apass%%40%s%%2Fin%%2F4%%252520%%3Fa%%3Db", i, strings.ReplaceAll(strings.TrimPrefix(url, "http://"), ":", "%3A"))
		want = strings.Replace(want, "4%252520", "4%25202", 1) + "&recent=true"
		if string(r.body) != want {
			t.Errorf("attempt %d: %s, want %s", i, r.body, want)
		}
		sum := sha256.Sum256(r.body)
		for name, value := range map[string]string{
			"Content-Digest":       "sha-256=:" + base64.StdEncoding.EncodeToString(sum[:]) + ":",
			"X-Provider-Signature": fmt.Sprint("number ", i), "Authorization": "Basic own",
			"Content-Type": "application/x-www-form-urlencoded", "Webhook-Signature": "",
		} {
			if r.Header.Get(name) != value {
				t.Errorf("attempt %d: %s: %q, want %q", i, name, r.Header.Get(name), value)
			}
		}
	}
}

func TestAPayloadThatCannotBeReadIsNoFaultOfTheSink(t *testing.T) {
	t.Parallel()
	url, _ := receiver(t, ok)
	s := newSink(t, webhook.Config{URL: url, Format: &stamped{fail: true}})
	o := s.Deliver(context.Background(), sinktest.NewEvent(100))
	if status.ClassOf(o.Err) != status.Temporary || strings.Contains(o.Detail, "gone") {
		t.Errorf("outcome %+v", o)
	}
}
