package webhook_test

import (
	"bufio"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"mxhook/sinks/sinktest"
	"mxhook/sinks/webhook"
)

// secrets are what a configuration hides: each part of it that nobody else may see.
var secrets = []string{"user-canary", "pass-canary", "path-canary", "query-canary", "header-canary", "key-canary", "answer-canary"}

func TestContract(t *testing.T) {
	sinktest.Run(t, func(t *testing.T, mood sinktest.Mood, log *slog.Logger) sinktest.Destination {
		d := sinktest.Destination{Secrets: secrets}
		address := destination(t, mood, &d)
		s := newSink(t, webhook.Config{
			URL:     "http://user-canary:pass-canary@" + address + "/path-canary?token=query-canary",
			Headers: map[string]string{"X-Token": "header-canary"}, Secrets: [][]byte{[]byte("key-canary")}, Log: log, Backoff: time.Millisecond,
		})
		d.Sink = s
		return d
	})
}

// destination serves in the given mood and fills in what d tells of it.
func destination(t *testing.T, mood sinktest.Mood, d *sinktest.Destination) (address string) {
	var mu sync.Mutex
	stored := map[string]int{}
	d.Stored = func() map[string]int {
		mu.Lock()
		defer mu.Unlock()
		return maps.Clone(stored)
	}
	released := make(chan struct{})
	d.Release = func() { close(released) }
	codes := map[sinktest.Mood]int{sinktest.Later: 503, sinktest.Never: 406, sinktest.TooBig: 413, sinktest.Operate: 401}
	switch mood {
	case sinktest.Dead:
		return refusing(t)
	case sinktest.Garbage:
		return rawServer(t, func(c net.Conn) {
			readRequest(bufio.NewReader(c))
			io.WriteString(c, "answer-canary\r\n\r\n")
		})
	}
	url, _ := receiver(t, func(w http.ResponseWriter, r *http.Request) {
		if mood == sinktest.Hangs {
			<-released
		}
		if code, no := codes[mood]; no {
			w.Header().Set("Content-Type", "text/html")
			w.WriteHeader(code)
			io.WriteString(w, "answer-canary")
			return
		}
		mu.Lock()
		defer mu.Unlock()
		stored[r.Header.Get("Webhook-Id")]++
	})
	return url[len("http://"):]
}
