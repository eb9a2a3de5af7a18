package attempt

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http/httptrace"
	"sync"
	"sync/atomic"
	"time"
)

// Tracer notes how far an attempt came. Its hooks run on net/http's goroutines.
type Tracer struct {
	once     sync.Once
	written  chan struct{} // closed when writing ended
	whole    atomic.Bool   // it ended without error
	answer   atomic.Bool
	kept     atomic.Bool // a connection of HTTP/1 that had been used before
	dnsBegan atomic.Bool
	dnsDone  atomic.Bool
	tlsBegan atomic.Bool
	tlsDone  atomic.Bool
	ended    atomic.Bool
	source   atomic.Bool
}

// NewTracer returns a Tracer for one request.
func NewTracer() *Tracer { return &Tracer{written: make(chan struct{})} }

// End notes that the budget ended before the request was written.
func (t *Tracer) End() { t.ended.Store(true) }

// Kept tells whether the connection had been used before and is one of HTTP/1.
func (t *Tracer) Kept() bool { return t.kept.Load() }

// Trace returns the hooks of net/http.
func (t *Tracer) Trace() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		GotConn:              func(i httptrace.GotConnInfo) { t.kept.Store(i.Reused && !isHTTP2(i.Conn)) },
		GotFirstResponseByte: func() { t.answer.Store(true) },
		DNSStart:             func(httptrace.DNSStartInfo) { t.dnsBegan.Store(true) },
		DNSDone:              func(httptrace.DNSDoneInfo) { t.dnsDone.Store(true) },
		TLSHandshakeStart:    func() { t.tlsBegan.Store(true) },
		TLSHandshakeDone: func(_ tls.ConnectionState, err error) {
			if err == nil {
				t.tlsDone.Store(true)
			}
		},
		WroteRequest: func(i httptrace.WroteRequestInfo) {
			t.once.Do(func() {
				t.whole.Store(i.Err == nil)
				close(t.written)
			})
		},
	}
}

// isHTTP2 tells whether c carries many requests: one that breaks there says nothing
// of the connection.
func isHTTP2(c net.Conn) bool {
	t, ok := c.(*tls.Conn)
	return ok && t.ConnectionState().NegotiatedProtocol == "h2"
}

// Written tells whether the whole request was handed to the connection.
func (t *Tracer) Written() bool { return t.whole.Load() }

// WaitWritten waits until writing has ended and tells whether all was written.
func (t *Tracer) WaitWritten(ctx context.Context) bool {
	select {
	case <-t.written:
	case <-ctx.Done():
	}
	return t.Written()
}

// Failure returns what is known of an attempt under ctx that began at start and ended
// with err.
func (t *Tracer) Failure(err error, ctx context.Context, start time.Time) Failure {
	return Failure{
		Err: err, Written: t.Written(), Answered: t.answer.Load(),
		Resolving:   t.dnsBegan.Load() && !t.dnsDone.Load(),
		Handshaking: t.tlsBegan.Load() && !t.tlsDone.Load(),
		TimedOut:    errors.Is(ctx.Err(), context.DeadlineExceeded),
		Ended:       t.ended.Load(), Source: t.source.Load(), Took: time.Since(start),
	}
}

// Source reads a payload for the connection. It notes when that fails, which is
// then no fault of the sink, and when net/http is done with it, which may be after
// the answer. HTTP/2 closes a request's body while it reads it.
type Source struct {
	failed *atomic.Bool
	done   chan struct{} // closed by the first Close, when no Read is running

	mu     sync.Mutex
	from   io.ReadCloser
	closed bool
}

// Body returns a Source of what from yields; a failure of from is noted in t.
func (t *Tracer) Body(from io.ReadCloser) *Source {
	return &Source{from: from, failed: &t.source, done: make(chan struct{})}
}

// Done is closed when nothing reads from any more.
func (s *Source) Done() <-chan struct{} { return s.done }

// Read implements io.Reader.
func (s *Source) Read(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return 0, net.ErrClosed
	}
	n, err := s.from.Read(p)
	if err != nil && err != io.EOF {
		s.failed.Store(true)
	}
	return n, err
}

// Close implements io.Closer.
func (s *Source) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	close(s.done)
	return s.from.Close()
}
