package cloud

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"sync"
	"time"

	"mxhook/sinks/internal/attempt"
)

// maxAnswer is how many octets of an answer's body are read.
const maxAnswer = 64 << 10

// errEarly stands for a yes that came before the request was written.
var errEarly = errors.New("cloud: a yes came before the request was written")

// client is the SDK's HTTP client. It follows no redirect.
type client struct{ transport *http.Transport }

// Do implements aws.HTTPClient. A request of an attempt is done when it returns: the answer
// is read, and nothing reads the request's body any more. Other requests, whose answers
// may be large, are sent as they are.
func (c *client) Do(req *http.Request) (*http.Response, error) {
	t, _ := req.Context().Value(tryKey{}).(*try)
	if t == nil {
		return c.transport.RoundTrip(req)
	}
	ctx, cancel := context.WithCancel(req.Context())
	tracer := t.request(req.URL.Host, cancel)
	out := req.WithContext(httptrace.WithClientTrace(ctx, tracer.Trace()))
	if req.Body != nil && req.Body != http.NoBody {
		body := tracer.Body(req.Body)
		out.Body = body
		defer func() { <-body.Done() }()
	}
	defer cancel() // before the wait
	resp, err := c.transport.RoundTrip(out)
	if err != nil {
		return nil, err
	}
	t.answered(resp.StatusCode, resp.Header)
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	resp.Body.Close()
	switch {
	case err != nil:
		return nil, err
	case resp.StatusCode/100 == 2 && !tracer.WaitWritten(ctx):
		t.early()
		return nil, errEarly
	}
	resp.Body = io.NopCloser(bytes.NewReader(text))
	return resp, nil
}

type tryKey struct{}

// try is one attempt, of one request or several.
type try struct {
	begin time.Time

	mu      sync.Mutex
	tracer  *attempt.Tracer // of the request under way, or of the last
	cancel  context.CancelFunc
	sent    bool // a request before this one was written whole
	ended   bool // the budget
	tooSoon bool
	host    string
	status  int // of the last answer, 0 without one
	header  http.Header
}

// request notes that a request begins.
func (t *try) request(host string, cancel context.CancelFunc) *attempt.Tracer {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sent = t.written()
	t.tracer, t.cancel, t.host, t.status, t.header = attempt.NewTracer(), cancel, host, 0, nil
	if t.ended && !t.sent {
		t.tracer.End()
		cancel()
	}
	return t.tracer
}

// written tells whether a request of the attempt was written whole. t.mu is held.
func (t *try) written() bool { return t.sent || t.tracer != nil && t.tracer.Written() }

func (t *try) answered(code int, h http.Header) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.status, t.header = code, h
}

func (t *try) early() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.tooSoon = true
}

// end is told the end of the budget. What wasn't sent is given up; an attempt of which a
// request was written goes on to its own end.
func (t *try) end() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ended = true; t.tracer != nil && !t.written() {
		t.tracer.End()
		t.cancel()
	}
}

// failure is what is known of a request without an answer.
func (t *try) failure(err error, ctx context.Context) attempt.Failure {
	t.mu.Lock()
	defer t.mu.Unlock()
	f := t.tracer.Failure(err, ctx, t.begin)
	f.Early = t.tooSoon && !f.TimedOut && !f.Ended && !f.Source
	return f
}
