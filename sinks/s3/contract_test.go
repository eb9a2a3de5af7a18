package s3_test

import (
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"mxhook/sinks/s3"
	"mxhook/sinks/sinktest"
)

func TestContract(t *testing.T) {
	for _, content := range [][]string{{s3.Raw}, {s3.Raw, s3.JSON, s3.Attachments}} {
		t.Run(strings.Join(content, " "), func(t *testing.T) {
			sinktest.Run(t, func(t *testing.T, mood sinktest.Mood, log *slog.Logger) sinktest.Destination {
				return destination(t, mood, content, log)
			})
		})
	}
}

func destination(t *testing.T, mood sinktest.Mood, content []string, log *slog.Logger) sinktest.Destination {
	b := newBucket(t)
	released := make(chan struct{})
	var once sync.Once
	d := sinktest.Destination{
		Secrets: []string{accessKey, secretKey, "answer-canary", "X-Amz", "prefix-canary"},
		Release: func() { once.Do(func() { close(released) }) },
		Stored: func() map[string]int {
			events := map[string]int{}
			for key, n := range b.keys() {
				if id, ok := strings.CutSuffix(key, ".eml"); ok {
					events[strings.TrimPrefix(id, "prefix-canary/")] += n
				}
			}
			return events
		},
	}
	url := b.URL
	answers := map[sinktest.Mood]func(http.ResponseWriter){
		sinktest.Later:   func(w http.ResponseWriter) { refuse(w, 503, "SlowDown") },
		sinktest.TooBig:  func(w http.ResponseWriter) { refuse(w, 400, "EntityTooLarge") },
		sinktest.Operate: func(w http.ResponseWriter) { refuse(w, 403, "SignatureDoesNotMatch") },
		sinktest.Garbage: func(w http.ResponseWriter) { io.WriteString(w, "answer-canary") }, // a yes that is not S3's
	}
	switch mood {
	case sinktest.Never: // nothing that S3 says is about the message
		return sinktest.Destination{}
	case sinktest.Dead:
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		url = "http://" + l.Addr().String()
		l.Close()
	}
	b.before = func(n int, _ string, w http.ResponseWriter, _ *http.Request) bool {
		if mood == sinktest.Hangs && n == 1 {
			<-released
		}
		if say := answers[mood]; say != nil {
			say(w)
			return true
		}
		return false
	}
	d.Sink = newSink(t, url, func(c *s3.Config) {
		c.Content, c.Prefix, c.Cloud.Log, c.Cloud.Timeout = content, "prefix-canary/", log, 10*time.Second
	})
	return d
}
