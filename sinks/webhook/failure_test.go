package webhook_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"mxhook/inbound"
	"mxhook/inbound/status"
	"mxhook/sinks"
	"mxhook/sinks/payload"
	"mxhook/sinks/sinktest"
	"mxhook/sinks/webhook"
)

// check delivers an event of size octets and compares reply, attempts and detail;
// attempts is 0 where the first try may be heard as broken.
func check(t *testing.T, c webhook.Config, size int, reply string, attempts int, detail string) {
	t.Helper()
	c.Backoff = time.Microsecond
	if size > 1<<20 {
		c.Format = payload.RawFormat() // cheaper to make
	}
	o := newSink(t, c).Deliver(context.Background(), sinktest.NewEvent(size))
	if got := status.ReplyOf(o.Err).String(); !strings.HasPrefix(got, reply) || attempts > 0 && o.Attempts != attempts || !strings.Contains(o.Detail, detail) {
		t.Errorf("%q after %d attempts, detail %q, want %q after %d, %q", got, o.Attempts, o.Detail, reply, attempts, detail)
	}
}

func TestBrokenAtEachStage(t *testing.T) {
	t.Parallel()
	t.Run("refused", func(t *testing.T) {
		check(t, webhook.Config{URL: "http://" + refusing(t)}, 10, "451 4.4.1", 2, "connection refused")
	})
	t.Run("closed at once", func(t *testing.T) {
		check(t, webhook.Config{URL: "http://" + rawServer(t, func(net.Conn) {})}, 10, "451 4.4.1", 2, "conn")
	})
	t.Run("closed within the request", func(t *testing.T) {
		check(t, webhook.Config{URL: "http://" + rawServer(t, func(c net.Conn) { io.CopyN(io.Discard, c, 100) })}, 6<<20, "451 4.4.1", 2, "conn")
	})
	t.Run("reset after the request", func(t *testing.T) {
		check(t, webhook.Config{URL: "http://" + rawServer(t, func(c net.Conn) {
			readRequest(bufio.NewReader(c))
			c.(*net.TCPConn).SetLinger(0)
		})}, 10, "451 4.4.1", 2, "conn")
	})
	t.Run("closed after the request", func(t *testing.T) {
		check(t, webhook.Config{URL: "http://" + rawServer(t, saying(""))}, 10, "451 4.4.1", 2, "connection closed without an answer")
	})
	t.Run("silent after the request: not tried again", func(t *testing.T) {
		address := rawServer(t, func(c net.Conn) { io.Copy(io.Discard, c) })
		check(t, webhook.Config{URL: "http://" + address, Timeout: 300 * time.Millisecond}, 10, "451 4.4.1", 1, "no answer in time")
	})
	t.Run("silent within the answer's header section: not tried again", func(t *testing.T) {
		address := rawServer(t, func(c net.Conn) {
			readRequest(bufio.NewReader(c))
			io.WriteString(c, "HTTP/1.1 200 OK\r\nX-")
			io.Copy(io.Discard, c)
		})
		check(t, webhook.Config{URL: "http://" + address, Timeout: 300 * time.Millisecond}, 10, "451 4.4.1", 1, "no answer in time")
	})
	t.Run("a request that can't be written in time is tried again", func(t *testing.T) {
		hold := make(chan struct{})
		address := rawServer(t, func(net.Conn) { <-hold })
		check(t, webhook.Config{URL: "http://" + address, Timeout: 100 * time.Millisecond}, 12<<20, "451 4.4.1", 2, "timed out before")
		close(hold)
	})
}

func TestAYesBeforeTheRequestIsWrittenIsNone(t *testing.T) {
	t.Parallel()
	t.Run("and then the connection breaks", func(t *testing.T) {
		address := rawServer(t, func(c net.Conn) {
			bufio.NewReader(c).ReadString('\n')
			io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
			io.CopyN(io.Discard, c, 1<<20)
			c.(*net.TCPConn).SetLinger(0)
		})
		check(t, webhook.Config{URL: "http://" + address}, 8<<20, "451 4.4.1", 2, "")
	})
	t.Run("and then nothing is read", func(t *testing.T) {
		hold := make(chan struct{})
		address := rawServer(t, func(c net.Conn) {
			bufio.NewReader(c).ReadString('\n')
			io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
			<-hold
		})
		defer close(hold)
		check(t, webhook.Config{URL: "http://" + address, Timeout: 300 * time.Millisecond}, 12<<20, "451 4.4.1", 2, "timed out before")
	})
	t.Run("but one while it is read to the end counts", func(t *testing.T) {
		address := rawServer(t, func(c net.Conn) {
			r := bufio.NewReader(c)
			req, err := http.ReadRequest(r)
			if err != nil {
				return
			}
			io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nhalf")
			io.Copy(io.Discard, req.Body)
			io.Copy(io.Discard, r)
		})
		check(t, webhook.Config{URL: "http://" + address}, 8<<20, "250", 1, "HTTP 200")
	})
	address := rawServer(t, func(c net.Conn) {
		bufio.NewReader(c).ReadString('\n')
		io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
		buf := make([]byte, 1)
		for i := 0; i < 100; i++ { // not the whole
			c.Read(buf)
		}
	})
	check(t, webhook.Config{URL: "http://" + address, Timeout: time.Second}, 8<<20, "451 4.4.1", 2, "")
}

func TestANoBeforeTheRequestIsWrittenCounts(t *testing.T) {
	t.Parallel()
	address := rawServer(t, func(c net.Conn) {
		bufio.NewReader(c).ReadString('\n')
		io.WriteString(c, "HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
		c.(*net.TCPConn).CloseWrite()
		io.Copy(io.Discard, c) // a lingering close, as servers do it
	})
	check(t, webhook.Config{URL: "http://" + address}, 8<<20, "552 5.3.4", 1, "HTTP 413")
}

// TestNothingReadsTheEventAfterDeliver scribbles over the message as soon as Deliver
// has returned, while the server has not taken all of it: the race detector sees a
// reader that is still at work.
func TestNothingReadsTheEventAfterDeliver(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]string{"early no": "HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n", "time-out": "", "broken": "nonsense"} {
		t.Run(name, func(t *testing.T) {
			hold := make(chan struct{})
			address := rawServer(t, func(c net.Conn) {
				bufio.NewReader(c).ReadString('\n')
				io.WriteString(c, answer)
				<-hold
			})
			defer close(hold)
			p := append([]byte("Subject: x\r\n\r\n"), make([]byte, 8<<20)...)
			e := sinktest.NewEvent(10)
			e.Data = inbound.NewMailData(p)
			s := newSink(t, webhook.Config{URL: "http://" + address, Format: payload.RawFormat(), Attempts: 1, Timeout: 500 * time.Millisecond})
			if o := s.Deliver(context.Background(), e); o.Err == nil {
				t.Errorf("%+v", o)
			}
			clear(p)
		})
	}
}

// TestARequestThatWasReadCountsAsAnAttempt: a server that dies on a kept connection
// after it has read the request may have done the work.
func TestARequestThatWasReadCountsAsAnAttempt(t *testing.T) {
	t.Parallel()
	var requests atomic.Int64
	address := rawServer(t, func(c net.Conn) {
		r := bufio.NewReader(c)
		for {
			if _, ok := readRequest(r); !ok {
				return
			}
			if requests.Add(1) > 1 {
				return
			}
			io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
		}
	})
	s := newSink(t, webhook.Config{URL: "http://" + address, Attempts: 2, Backoff: time.Millisecond})
	e := sinktest.NewEvent(10)
	if o := s.Deliver(context.Background(), e); o.Err != nil || o.Attempts != 1 {
		t.Fatalf("%+v", o)
	}
	if o := s.Deliver(context.Background(), e); status.ConditionOf(o.Err) != status.SinkUnavailable || o.Attempts != 2 {
		t.Errorf("%+v", o)
	}
	if n := requests.Load(); n != 3 {
		t.Errorf("%d requests, want 1 and then 2", n)
	}
}

func TestAMessageThatCantBeReadIsOurFault(t *testing.T) {
	t.Parallel()
	address := rawServer(t, saying("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"))
	for name, secrets := range map[string][][]byte{"signing": {[]byte("key")}, "sending": nil} {
		t.Run(name, func(t *testing.T) {
			e := sinktest.NewEvent(10)
			e.Data.Release() // reading fails from now on
			s := newSink(t, webhook.Config{URL: "http://" + address, Format: payload.RawFormat(), Secrets: secrets})
			if o := s.Deliver(context.Background(), e); status.ConditionOf(o.Err) != status.LocalError {
				t.Errorf("%+v", o)
			}
		})
	}
}

var _ sinks.Sink = (*webhook.Sink)(nil)
