package cloud

import (
	"context"
	"errors"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"mxhook/inbound/status"
	"mxhook/sinks"
	"mxhook/sinks/internal/attempt"
)

// Deliver makes the attempts of an event, as sinks.Sink wants it: inside the budget, which
// is ctx, each for at most Config.Timeout. send makes one, with the requests of the SDK
// under the context that it gets and not of goroutines that outlive it; what it stored it
// may leave out in the next. Its error is one of the SDK, or wraps a Condition, whose text
// may be logged. An attempt of which a request was written whole goes on when the budget
// ends. A connection that was kept and turns out to be dead costs no attempt, once.
func (c *Client) Deliver(ctx context.Context, e *sinks.Event, send func(ctx context.Context, sdk *aws.Config) error) sinks.Outcome {
	if ctx.Err() != nil {
		return c.Fail(status.BudgetExceeded, "the budget ended before the request was sent")
	}
	select {
	case c.slots <- struct{}{}:
		defer func() { <-c.slots }()
	case <-ctx.Done():
		return c.Fail(status.SinkBusy, "no request slot was free within the budget")
	}
	renewed := false
	for n := 1; ; n++ {
		r := c.attempt(ctx, e, n, send)
		if r.stale && !renewed && ctx.Err() == nil {
			renewed = true
			continue
		}
		if r.err == nil || !r.retry || n >= c.config.Attempts || !c.wait(ctx, n, r.after) {
			return sinks.Outcome{Err: r.err, Attempts: n, Detail: r.detail, After: max(0, r.after)}
		}
	}
}

// wait waits for the next attempt; false when that doesn't fit into the budget.
func (c *Client) wait(ctx context.Context, n int, after time.Duration) bool {
	wait, ok := attempt.Pause(ctx, c.config.Backoff, n, after, attempt.Jitter(), time.Now())
	if !ok {
		return false
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// result is what one attempt came to.
type result struct {
	err    error
	detail string
	retry  bool
	stale  bool // a kept connection was dead before anything was sent
	after  time.Duration
	health sinks.Health
}

// attempt makes one attempt and tells of it.
func (c *Client) attempt(budget context.Context, e *sinks.Event, n int, send func(context.Context, *aws.Config) error) result {
	t := &try{begin: time.Now()}
	ctx, cancel := context.WithTimeout(context.WithValue(context.WithoutCancel(budget), tryKey{}, t), c.config.Timeout)
	defer cancel()
	stop := context.AfterFunc(budget, t.end)
	defer stop()
	r := c.made(ctx, budget, t, send)
	took, condition := time.Since(t.begin), status.ConditionOf(r.err)
	if c.config.Observer != nil {
		c.config.Observer.Attempt(sinks.Attempt{Sink: c.config.Name, Event: e.ID, Message: e.Likeness(), Condition: condition, Health: r.health, Took: took, Detail: r.detail})
	}
	c.log.Debug("attempt", "event", e.ID, "attempt", n, "outcome", condition.Name(), "detail", r.detail, "took", took)
	return r
}

// made is one attempt's result. Credentials are waited for inside the budget: nothing was
// sent yet.
func (c *Client) made(ctx, budget context.Context, t *try, send func(context.Context, *aws.Config) error) result {
	sdk, err := c.SDK(budget)
	if err == nil {
		err = c.credentials(budget, sdk)
	}
	if err != nil {
		return own(err)
	}
	if err = send(ctx, sdk); err == nil {
		return result{detail: "stored", after: -1, health: sinks.Well}
	}
	if s := (*status.Error)(nil); errors.As(err, &s) {
		return own(err)
	}
	return c.judge(ctx, t, err)
}

// own is the result of an error of ours. Credentials that couldn't be fetched may come the
// next time.
func own(err error) result {
	r := result{err: err, detail: status.ConditionOf(err).Name(), after: -1, retry: errors.Is(err, errNoCredentials)}
	if s := (*status.Error)(nil); errors.As(err, &s) && s.Err != nil {
		r.detail = s.Err.Error()
	}
	return r
}

// judge says what an error of the SDK means.
func (c *Client) judge(ctx context.Context, t *try, err error) result {
	t.mu.Lock()
	code, header, host, tracer := t.status, t.header, t.host, t.tracer
	t.mu.Unlock()
	switch {
	case tracer == nil && ctx.Err() != nil:
		return own(status.SinkTimeout.Wrap(c.Op(), errors.New("timed out before a request was made")))
	case tracer == nil: // it came to no request
		return own(status.SinkOperator.Wrap(c.Op(), errors.New("the request can't be made: look at bucket, region and endpoint")))
	case code >= 300:
		m := MeaningOf(code, Code(err))
		if m.Credentials {
			c.distrust()
		}
		return m.result(c.Op(), host, header, time.Now())
	}
	f := t.failure(err, ctx)
	cause := f.Cause()
	words := cause.Words + " (" + host + ")"
	return result{err: cause.Condition.Wrap(c.Op(), errors.New(words)), detail: words, retry: cause.Retry, after: -1,
		health: cause.Health, stale: tracer.Kept() && f.Broken()}
}

// Check makes one attempt that is no event's and is told to nobody, until ctx ends. The
// error wraps a Condition.
func (c *Client) Check(ctx context.Context, send func(ctx context.Context, sdk *aws.Config) error) error {
	t := &try{begin: time.Now()}
	r := c.made(context.WithValue(ctx, tryKey{}, t), ctx, t, send)
	return r.err
}
