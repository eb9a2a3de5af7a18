package webhook_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"testing"

	"mxhook/inbound/status"
	"mxhook/sinks"
	"mxhook/sinks/payload"
	"mxhook/sinks/sinktest"
	"mxhook/sinks/webhook"
)

func TestAURLWithCapturesMakesOneEventARecipient(t *testing.T) {
	t.Parallel()
	url, got := receiver(t, ok)
	s := newSink(t, webhook.Config{URL: url + "/mail/{ticket}?to={ticket}"})
	if s.FanOut() != sinks.FanOutRecipient || !slices.Equal(s.Captures(), []string{"ticket"}) {
		t.Fatalf("%v, %v", s.FanOut(), s.Captures())
	}
	e := sinktest.NewEvent(10, "support+4/2@in.example")
	e.Recipients[0].Captures = map[string]string{"ticket": "4/2"}
	if o := s.Deliver(context.Background(), e); o.Err != nil {
		t.Fatal(o.Err)
	}
	if r := <-got; r.RequestURI != "/mail/4%2F2?to=4%2F2" {
		t.Errorf("asked for %s", r.RequestURI)
	}
	e.Recipients[0].Captures = nil
	if o := s.Deliver(context.Background(), e); status.ConditionOf(o.Err) != status.SinkOperator || o.Attempts != 0 {
		t.Errorf("without the capture: %+v", o)
	}
}

func TestConfiguredHeadersNeverReplaceOurs(t *testing.T) {
	t.Parallel()
	url, got := receiver(t, ok)
	var log bytes.Buffer
	s := newSink(t, webhook.Config{URL: strings.Replace(url, "http://", "http://ann:pass@", 1), Headers: map[string]string{
		"x-tenant": "7", "user-agent": "evil", "webhook-id": "evil", "Content-Length": "3", "Transfer-Encoding": "chunked", "host": "app.internal",
	}, Log: slog.New(slog.NewTextHandler(&log, nil))})
	e := sinktest.NewEvent(10)
	if o := s.Deliver(context.Background(), e); o.Err != nil {
		t.Fatal(o.Err)
	}
	r := <-got
	if r.Header.Get("X-Tenant") != "7" || r.Header.Get("User-Agent") != "mxhook/devel" || r.Header.Get("Webhook-Id") != e.ID || r.Host != "app.internal" || r.TransferEncoding != nil {
		t.Errorf("%v, Host %s", r.Header, r.Host)
	}
	if user, pass, ok := r.BasicAuth(); !ok || user != "ann" || pass != "pass" {
		t.Errorf("the URL's user didn't become Basic auth: %v", r.Header)
	}
	if !strings.Contains(log.String(), "header=User-Agent") || strings.Contains(log.String(), "evil") {
		t.Errorf("log: %s", log.String())
	}
}

func TestAuthorizationHeaderWinsOverTheURLsUser(t *testing.T) {
	t.Parallel()
	url, got := receiver(t, ok)
	s := newSink(t, webhook.Config{URL: strings.Replace(url, "http://", "http://ann:pass@", 1), Headers: map[string]string{"authorization": "Bearer x"}})
	if o := s.Deliver(context.Background(), sinktest.NewEvent(10)); o.Err != nil {
		t.Fatal(o.Err)
	}
	if r := <-got; r.Header.Get("Authorization") != "Bearer x" {
		t.Errorf("%v", r.Header)
	}
}

func TestNothingOfTheMailStandsInAHeader(t *testing.T) {
	t.Parallel()
	url, got := receiver(t, ok)
	e := sinktest.NewEvent(10)
	e.Route = "röute\r\nX-Evil: 1"
	e.Message.Subject = "x\r\nX-Evil: 1"
	s := newSink(t, webhook.Config{URL: url})
	if o := s.Deliver(context.Background(), e); o.Err != nil {
		t.Fatal(o.Err)
	}
	r := <-got
	if r.Header.Get("X-Evil") != "" || r.Header.Get("X-Mxhook-Route") != "r%C3%B6ute%0D%0AX-Evil:%201" {
		t.Errorf("%v", r.Header)
	}
	for name, values := range r.Header {
		if strings.Contains(strings.Join(values, ""), sinktest.Canary) {
			t.Errorf("%s: %v", name, values)
		}
	}
}

func TestFaultyConfigurations(t *testing.T) {
	t.Parallel()
	good := webhook.Config{Name: "app", URL: "https://app.example/"}
	for name, change := range map[string]func(*webhook.Config){
		"no name":         func(c *webhook.Config) { c.Name = "" },
		"fan_out":         func(c *webhook.Config) { c.FanOut = "domain" },
		"reject_on 200":   func(c *webhook.Config) { c.RejectOn = []int{200} },
		"negative":        func(c *webhook.Config) { c.Timeout = -1 },
		"empty secret":    func(c *webhook.Config) { c.Secrets = [][]byte{{}} },
		"header's name":   func(c *webhook.Config) { c.Headers = map[string]string{"a b": "s3cret"} },
		"header's value":  func(c *webhook.Config) { c.Headers = map[string]string{"X": "s3cret\r\nY: z"} },
		"version":         func(c *webhook.Config) { c.Version = "1\n" },
		"capture in host": func(c *webhook.Config) { c.URL = "https://{s3cret}.example/" },
	} {
		t.Run(name, func(t *testing.T) {
			c := good
			change(&c)
			s, err := webhook.New(c)
			if err == nil {
				s.Close()
				t.Fatal("no error")
			}
			if strings.Contains(err.Error(), "s3cret") {
				t.Error(err)
			}
		})
	}
	for _, secret := range []string{"", "whsec_", "whsec_not base64!", "s3cret-plain-text"} {
		if _, err := webhook.ParseSecret(secret); err == nil || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("secret %q: %v", secret, err)
		}
	}
}

func TestALargePayloadIsStreamed(t *testing.T) {
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	within := make(chan uint64, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		half, _ := io.CopyN(io.Discard, r.Body, r.ContentLength/2)
		within <- heap()
		if n, err := io.Copy(io.Discard, r.Body); err != nil || n+half != r.ContentLength {
			w.WriteHeader(http.StatusBadRequest)
		}
	}))
	defer server.Close()
	const size = 10 << 20
	s := newSink(t, webhook.Config{URL: server.URL, Format: payload.RawFormat(), Secrets: [][]byte{[]byte("key")}})
	e := sinktest.NewEvent(size)
	before := heap()
	if o := s.Deliver(context.Background(), e); o.Err != nil {
		t.Fatal(o.Err)
	}
	if n := int64(<-within) - int64(before); n > 1<<20 {
		t.Errorf("%d octets more on the heap within a payload of %d", n, size)
	}
}
