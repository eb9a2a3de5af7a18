package webhook_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"mxhook/inbound/status"
	"mxhook/sinks/sinktest"
	"mxhook/sinks/webhook"
)

// expected is the contract's table, written down a second time: the reply, and
// whether a second attempt is made.
func expected(code int) (reply string, attempts int) {
	switch {
	case code < 200:
		return "451 4.4.1", 2
	case code < 300:
		return "250 2.0.0", 1
	case code < 400:
		return "451 4.3.5", 1
	case code == 406:
		return "550 5.7.1", 1
	case code == 413:
		return "552 5.3.4", 1
	case code == 408, code == 425, code == 429, code == 503:
		return "451 4.4.5", 2
	case code < 500:
		return "451 4.3.5", 1
	case code == 504:
		return "451 4.4.1", 1
	}
	return "451 4.3.0", 2
}

func TestEveryStatusHasItsReply(t *testing.T) {
	t.Parallel()
	var code atomic.Int64
	address := rawServer(t, func(c net.Conn) {
		if _, ok := readRequest(bufio.NewReader(c)); !ok {
			return
		}
		if n := code.Load(); n < 200 {
			fmt.Fprintf(c, "HTTP/1.1 %d Sure\r\n\r\n", n)
		} else {
			fmt.Fprintf(c, "HTTP/1.1 %d Sure\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", n)
		}
	})
	s := newSink(t, webhook.Config{URL: "http://" + address + "/", Backoff: time.Microsecond})
	e := sinktest.NewEvent(10)
	for n := 100; n <= 599; n++ {
		code.Store(int64(n))
		o := s.Deliver(context.Background(), e)
		reply, attempts := expected(n)
		if got := status.ReplyOf(o.Err).String(); !strings.HasPrefix(got, reply) || o.Attempts != attempts {
			t.Errorf("status %d: %q after %d attempts, want %q after %d", n, got, o.Attempts, reply, attempts)
		}
		var e *status.Error
		if o.Err != nil && !errors.As(o.Err, &e) {
			t.Errorf("status %d: %v wraps no condition", n, o.Err)
		}
		if n >= 200 && o.Detail != fmt.Sprintf("HTTP %d", n) {
			t.Errorf("status %d: detail %q", n, o.Detail)
		}
	}
}

func TestAnswersBeyondHTTP(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("X-Long: "+strings.Repeat("y", 1000)+"\r\n", 70)
	for _, c := range []struct {
		name, answer, reply string
		attempts            int
	}{
		{"a status of three digits beyond 599 is a malformed answer", "HTTP/1.1 700 What\r\nContent-Length: 0\r\n\r\n", "451 4.4.1", 2},
		{"status 000 is a malformed answer", "HTTP/1.1 000 What\r\nContent-Length: 0\r\n\r\n", "451 4.4.1", 2},
		{"something else than HTTP is a malformed answer", "220 mail.example ESMTP\r\n", "451 4.4.1", 2},
		{"half a status line is a malformed answer", "HTTP/1.1 2", "451 4.4.1", 2},
		{"half a header section is a malformed answer", "HTTP/1.1 200 OK\r\nContent-Le", "451 4.4.1", 2},
		{"a field without a name is a malformed answer", "HTTP/1.1 200 OK\r\n: x\r\n\r\n", "451 4.4.1", 2},
		{"two lengths are a malformed answer", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx", "451 4.4.1", 2},
		{"a header section beyond 64 KiB is a malformed answer", "HTTP/1.1 200 OK\r\n" + long + "\r\n", "451 4.4.1", 2},
		{"no answer is a broken connection", "", "451 4.4.1", 2},
		{"only 103 is a broken connection", "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", "451 4.4.1", 2},
		{"103 before 200 is a yes", "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "250 2.0.0", 1},
		{"100 before 406 is a no", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 406 No\r\nContent-Length: 0\r\n\r\n", "550 5.7.1", 1},
		{"200 with a body cut short is a yes", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort", "250 2.0.0", 1},
		{"406 with a body cut short is a no", "HTTP/1.1 406 No\r\nContent-Type: text/plain\r\nContent-Length: 100\r\n\r\nshort", "550 5.7.1 refused by the destination", 1},
		{"302 is not followed", "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/x\r\nContent-Length: 0\r\n\r\n", "451 4.3.5", 1},
		{"307 is not followed", "HTTP/1.1 307 Temporary Redirect\r\nLocation: /\r\nContent-Length: 0\r\n\r\n", "451 4.3.5", 1},
		{"301 to a place that is no URL is like any 301", "HTTP/1.1 301 Moved\r\nLocation: http://[::1\r\nContent-Length: 0\r\n\r\n", "451 4.3.5", 1},
		{"HTTP/1.0 is as good", "HTTP/1.0 204 No Content\r\n\r\n", "250 2.0.0", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSink(t, webhook.Config{URL: "http://" + rawServer(t, saying(c.answer)) + "/", Backoff: time.Microsecond})
			o := s.Deliver(context.Background(), sinktest.NewEvent(10))
			if got := status.ReplyOf(o.Err).String(); !strings.HasPrefix(got, c.reply) || o.Attempts != c.attempts {
				t.Errorf("%q after %d attempts (%v), want %q after %d", got, o.Attempts, o.Err, c.reply, c.attempts)
			}
		})
	}
}

func TestAnEndlessAnswerIsReadTo64KiB(t *testing.T) {
	t.Parallel()
	written := make(chan int, 1)
	address := rawServer(t, func(c net.Conn) {
		if _, ok := readRequest(bufio.NewReader(c)); !ok {
			return
		}
		io.WriteString(c, "HTTP/1.1 406 No\r\nContent-Type: text/plain; charset=utf-8\r\nTransfer-Encoding: chunked\r\n\r\n")
		total := 0
		for {
			n, err := fmt.Fprintf(c, "%x\r\n%s\r\n", 32<<10, strings.Repeat("no ", 32<<10/3)+"..")
			if total += n; err != nil {
				break
			}
		}
		written <- total
	})
	s := newSink(t, webhook.Config{URL: "http://" + address})
	o := s.Deliver(context.Background(), sinktest.NewEvent(10))
	r := status.ReplyOf(o.Err)
	if r.Code != 550 || !strings.HasPrefix(r.Text, "no no no") || len(r.Text) > 200 {
		t.Errorf("reply %v", r)
	}
	if n := <-written; n > 32<<20 { // the kernel's buffers, not the whole
		t.Errorf("%d octets were taken", n)
	}
}

func TestTheAppWordsTheReply(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, head, body, reply string
		rejectOn                []int
	}{
		{"first line of a text/plain body", "406 No\r\nContent-Type: text/plain; charset=utf-8", "no such ticket\nsecond line", "550 5.7.1 no such ticket", nil},
		{"the text is filtered to printable ASCII", "406 No\r\nContent-Type: text/plain", "n\x00o\x1b[31m t\xc3\xa9st\r\nQUIT", "550 5.7.1 no[31m tst", nil},
		{"the text is cut to 200 characters", "406 No\r\nContent-Type: text/plain", strings.Repeat("a", 300), "550 5.7.1 " + strings.Repeat("a", 200), nil},
		{"an empty text is the table's", "406 No\r\nContent-Type: text/plain", "\n\n", "550 5.7.1 refused by the destination", nil},
		{"a body of another type is not shown", "406 No\r\nContent-Type: text/html", "<b>no</b>", "550 5.7.1 refused by the destination", nil},
		{"another code of reject_on", "422 No\r\nContent-Type: text/plain", "bad ticket", "550 5.7.1 bad ticket", []int{422}},
		{"reject_on replaces 406", "406 No", "", "451 4.3.5", []int{422}},
		{"reject_on empty refuses nothing", "406 No", "", "451 4.3.5", []int{}},
		{"the text of other codes is not shown", "500 No\r\nContent-Type: text/plain", "panic: secret", "451 4.3.0 destination failed", nil},
		{"Smtp-Reply 5xx", "500 No\r\nSmtp-Reply: 554 5.6.0 broken invoice", "", "554 5.6.0 broken invoice", nil},
		{"Smtp-Reply 4xx", "406 No\r\nSmtp-Reply: 450 4.2.1 mailbox is moving", "", "450 4.2.1 mailbox is moving", nil},
		{"Smtp-Reply on a 3xx", "302 No\r\nSmtp-Reply: 550 5.1.1 gone", "", "550 5.1.1 gone", nil},
		{"Smtp-Reply on 2xx is ignored", "200 OK\r\nSmtp-Reply: 550 5.1.1 gone", "", "250 2.0.0", nil},
		{"Smtp-Reply 421 is ignored", "503 No\r\nSmtp-Reply: 421 4.3.2 closing", "", "451 4.4.5", nil},
		{"Smtp-Reply 2xx is ignored", "503 No\r\nSmtp-Reply: 250 2.0.0 fine", "", "451 4.4.5", nil},
		{"Smtp-Reply of two classes is ignored", "406 No\r\nSmtp-Reply: 550 4.7.1 hm", "", "550 5.7.1 refused by the destination", nil},
		{"Smtp-Reply without enhanced code is ignored", "406 No\r\nSmtp-Reply: 550 hm", "", "550 5.7.1 refused by the destination", nil},
		{"two Smtp-Reply are ignored", "406 No\r\nSmtp-Reply: 550 5.1.1 a\r\nSmtp-Reply: 450 4.1.1 b", "", "550 5.7.1 refused by the destination", nil},
		{"Smtp-Reply is filtered", "406 No\r\nSmtp-Reply: 550 5.7.1 caf\xc3\xa9 \t closed", "", "550 5.7.1 caf closed", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			answer := fmt.Sprintf("HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s", c.head, len(c.body), c.body)
			s := newSink(t, webhook.Config{URL: "http://" + rawServer(t, saying(answer)), RejectOn: c.rejectOn, Backoff: time.Microsecond})
			o := s.Deliver(context.Background(), sinktest.NewEvent(10))
			if got := status.ReplyOf(o.Err).String(); !strings.HasPrefix(got, c.reply) {
				t.Errorf("reply %q, want %q", got, c.reply)
			}
			if strings.Contains(c.head, "Smtp-Reply: 450") && o.Attempts != 1 {
				t.Errorf("%d attempts after a reply that the app worded", o.Attempts)
			}
		})
	}
}
