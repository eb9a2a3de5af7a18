package webhook

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"time"

	"mxhook/inbound/status"
	"mxhook/sinks"
	"mxhook/sinks/internal/attempt"
)

const (
	// textTime and drainTime bound how long an answer's body is read after its status
	// is known: for the text of a refusal, or only to keep the connection.
	textTime  = 2 * time.Second
	drainTime = 250 * time.Millisecond
)

// errNoAnswer stands for a failed attempt towards the retry loop; what it was is
// in delivery.last.
var errNoAnswer = errors.New("webhook: no answer")

// again tells the retry loop whether to go on, and backoff how long to wait.
func (d *delivery) again() (bool, error) {
	if !d.last.retry {
		return false, nil
	}
	_, ok := attempt.Pause(d.ctx, d.sink.config.Backoff, d.attempts, d.last.after, 1, time.Now())
	return ok, nil
}

func (d *delivery) backoff(time.Duration, time.Duration, int, *http.Response) time.Duration {
	wait, _ := attempt.Pause(d.ctx, d.sink.config.Backoff, d.attempts, d.last.after, attempt.Jitter(), time.Now())
	return wait
}

// RoundTrip makes one attempt, or two when a connection that was kept alive turns
// out to be dead, once an event. It returns the bare status.
func (d *delivery) RoundTrip(req *http.Request) (*http.Response, error) {
	for {
		if d.ctx.Err() != nil {
			if d.attempts == 0 {
				d.last = failed(attempt.Failure{Ended: true}, d.sink.op(), d.sink.peer)
			}
			d.last.retry = false
			return nil, errNoAnswer
		}
		code, stale := d.attempt(req)
		if stale && !d.renewed {
			d.renewed = true
			continue
		}
		if code == 0 {
			return nil, errNoAnswer
		}
		return &http.Response{StatusCode: code, Header: http.Header{}, Body: http.NoBody, Request: req}, nil
	}
}

// attempt sends the request once and leaves its result in d.last. code is 0 when
// no answer came; stale tells that a kept connection was dead before any answer.
func (d *delivery) attempt(req *http.Request) (code int, stale bool) {
	s := d.sink
	d.attempts++
	start := time.Now()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(d.ctx), s.config.Timeout)
	defer cancel()
	t := attempt.NewTracer()
	stop := context.AfterFunc(d.ctx, func() {
		if !t.Written() {
			t.End()
			cancel()
		}
	})
	defer stop()

	signature, err := d.sign(start)
	if err != nil {
		d.finish(failed(attempt.Failure{Source: true}, s.op(), s.peer), start)
		return 0, false
	}
	out := req.Clone(httptrace.WithClientTrace(ctx, t.Trace()))
	authorization := req.Header.Get("Authorization") // from the URL's userinfo
	out.Header = s.header(d.event, &d.content, d.attempts, start, signature)
	for name, value := range d.content.header {
		out.Header.Set(name, value)
	}
	if authorization != "" && out.Header.Get("Authorization") == "" {
		out.Header.Set("Authorization", authorization)
	}
	if s.host != "" {
		out.Host = s.host
	}
	body := t.Body(d.content.open())
	// Without GetBody net/http can't send the request again behind our back, which it
	// would do for one with an Idempotency-Key.
	out.Body, out.ContentLength, out.GetBody = body, d.content.body.Size(), nil
	defer func() { // nothing may read the event when the attempt is over
		cancel()
		<-body.Done()
	}()

	resp, err := s.transport.RoundTrip(out)
	if err != nil {
		f := t.Failure(err, ctx, start)
		r := failed(f, s.op(), s.peer)
		// A request that was written whole may be at work there: its repeat counts.
		stale = t.Kept() && f.Broken()
		if stale && !d.renewed {
			r.health = "" // how an idle connection died says nothing of the sink now
		}
		d.finish(r, start)
		return 0, stale
	}
	return d.answered(ctx, cancel, t, resp, start), false
}

// answered takes an answer. A yes counts only when the whole request was sent:
// net/http gives up sending once an answer is complete.
func (d *delivery) answered(ctx context.Context, cancel context.CancelFunc, t *attempt.Tracer, resp *http.Response, start time.Time) int {
	s := d.sink
	defer resp.Body.Close()
	if resp.StatusCode/100 == 2 && !t.WaitWritten(ctx) {
		f := t.Failure(errNoAnswer, ctx, start)
		f.Early = !f.TimedOut && !f.Ended && !f.Source
		d.finish(failed(f, s.op(), s.peer), start)
		return 0
	}
	a := answer{code: resp.StatusCode, header: resp.Header}
	limit, wanted := drainTime, needsBody(a.code, a.header, s.config.RejectOn)
	if wanted {
		limit = textTime
	}
	timer := time.AfterFunc(limit, cancel)
	defer timer.Stop()
	if body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer)); err == nil && wanted {
		a.body = body
	}
	r, warning := classify(s.op(), a, s.config.RejectOn, time.Now())
	if s.transport.Proxy != nil && a.code == http.StatusProxyAuthRequired { // the app was not asked, and says nothing
		r, warning = caused(attempt.CredentialsOfProxy, s.op(), s.peer), ""
	}
	if warning != "" {
		s.log.Warn(warning, "event", d.event.ID, "status", a.code)
	}
	d.finish(r, start)
	return a.code
}

// finish notes what an attempt came to.
func (d *delivery) finish(r result, start time.Time) {
	d.last = r
	took := time.Since(start)
	c := status.ConditionOf(r.err)
	if o := d.sink.config.Observer; o != nil {
		o.Attempt(sinks.Attempt{Sink: d.sink.config.Name, Event: d.event.ID, Message: d.event.Likeness(), Condition: c, Health: r.health, Took: took, Detail: r.detail})
	}
	d.sink.log.Debug("attempt", "event", d.event.ID, "attempt", d.attempts, "outcome", c.Name(), "detail", r.detail, "took", took)
}
