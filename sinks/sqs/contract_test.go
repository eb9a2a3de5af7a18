package sqs_test

import (
	"io"
	"log/slog"
	"net"
	"net/http"
	"testing"
	"time"

	"mxhook/sinks"
	"mxhook/sinks/cloud"
	"mxhook/sinks/sinktest"
	"mxhook/sinks/sqs"
)

var (
	_ sinks.Sink    = (*sqs.Sink)(nil)
	_ sinks.Checker = (*sqs.Sink)(nil)
)

func TestContract(t *testing.T) {
	for name, path := range map[string]string{"standard": "/path-canary/jobs", "fifo": "/path-canary/jobs.fifo"} {
		t.Run(name, func(t *testing.T) {
			sinktest.Run(t, func(t *testing.T, mood sinktest.Mood, log *slog.Logger) sinktest.Destination {
				return destination(t, mood, log, path)
			})
		})
	}
}

// destination is a queue in the given mood.
func destination(t *testing.T, mood sinktest.Mood, log *slog.Logger, path string) sinktest.Destination {
	f := startFake(t)
	released := make(chan struct{})
	c := sqs.Config{Cloud: cloud.Config{Endpoint: f.URL, Log: log}, QueueURL: f.URL + path, Overflow: &shelf{}}
	switch mood {
	case sinktest.Never:
		return sinktest.Destination{}
	case sinktest.Later:
		f.refusing(http.StatusServiceUnavailable, "ServiceUnavailable")
	case sinktest.Operate:
		f.refusing(http.StatusBadRequest, "AccessDeniedException")
	case sinktest.TooBig:
		f.shrink(1 << 10)
		c.MaxSize, c.Overflow = 2<<10, nil
	case sinktest.Hangs:
		f.set(func(http.ResponseWriter, string, request) bool {
			<-released
			return false
		})
	case sinktest.Dead:
		c.Cloud.Endpoint = "http://" + unused(t)
	case sinktest.Garbage:
		c.Cloud.Endpoint = "http://" + garbage(t)
	}
	return sinktest.Destination{
		Sink: newSink(t, c), Stored: f.stored, Release: func() { close(released) },
		Secrets: []string{"path-canary", "key-canary", "AKIDEXAMPLE", "answer-canary"},
	}
}

// unused returns an address at which nobody listens.
func unused(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// garbage answers with what is no HTTP.
func garbage(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			c.SetDeadline(time.Now().Add(10 * time.Second))
			c.Read(make([]byte, 1<<20))
			io.WriteString(c, "answer-canary\r\n\r\n")
			c.Close()
		}
	}()
	return l.Addr().String()
}
