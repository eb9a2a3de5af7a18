package webhook

import (
	"context"
	"errors"
	"net/http"

	"github.com/hashicorp/go-retryablehttp"

	"mxhook/inbound/status"
	"mxhook/sinks"
	"mxhook/sinks/payload"
)

// Deliver posts the event, see sinks.Sink.
func (s *Sink) Deliver(ctx context.Context, e *sinks.Event) sinks.Outcome {
	if ctx.Err() != nil {
		return s.fail(status.BudgetExceeded, "the budget ended before the request was sent")
	}
	select {
	case s.slots <- struct{}{}:
		defer func() { <-s.slots }()
	case <-ctx.Done():
		return s.fail(status.SinkBusy, "no request slot was free within the budget")
	}
	d, out, ok := s.prepare(ctx, e)
	if !ok {
		return out
	}
	return d.run()
}

func (s *Sink) op() string { return "sink " + s.config.Name }

func (s *Sink) fail(c *status.Condition, detail string) sinks.Outcome {
	return sinks.Outcome{Err: c.Wrap(s.op(), errors.New(detail)), Detail: detail}
}

// unmade is the outcome of an event that has no payload. It is the failure of the store
// where that is the reason, and always temporary: nobody has refused the message.
func (s *Sink) unmade(err error) sinks.Outcome {
	var store *payload.StoreError
	if !errors.As(err, &store) {
		return s.fail(status.LocalError, "the payload can't be made")
	}
	c := status.ConditionOf(err)
	if c.Class() != status.Temporary {
		c = status.LocalError
	}
	return s.fail(c, store.Error())
}

// prepare makes what all attempts share: the URL and the payload, with what it stores.
func (s *Sink) prepare(ctx context.Context, e *sinks.Event) (*delivery, sinks.Outcome, bool) {
	if len(e.Recipients) == 0 || s.config.FanOut == sinks.FanOutRecipient && len(e.Recipients) != 1 {
		return nil, s.fail(status.LocalError, "the event has the wrong number of recipients"), false
	}
	u, err := s.target.expand(e.Recipients[0].Captures)
	if err != nil {
		return nil, s.fail(status.SinkOperator, err.Error()), false
	}
	encoded, err := s.config.Format.Encode(ctx, e)
	if err != nil {
		return nil, s.unmade(err), false
	}
	req, err := retryablehttp.NewRequestWithContext(ctx, http.MethodPost, u.String(), nil)
	if err != nil {
		return nil, s.fail(status.SinkOperator, "the URL is not valid"), false
	}
	return &delivery{sink: s, ctx: ctx, event: e, request: req, encoded: encoded, url: u.String()}, sinks.Outcome{}, true
}

// delivery is one event on its way: the attempts of one Deliver. Its retries run
// on go-retryablehttp, whose body handling, redirects, logger and Retry-After are
// not used (they follow redirects, log URLs, and wait without end).
type delivery struct {
	sink     *Sink
	ctx      context.Context
	event    *sinks.Event
	request  *retryablehttp.Request
	encoded  payload.Encoded
	url      string // with the user of the configuration
	content  content
	attempts int
	renewed  bool // a dead kept connection was replaced
	last     result
}

// run makes the attempts and returns what the last one came to.
func (d *delivery) run() sinks.Outcome {
	client := retryablehttp.Client{
		// The transport is d itself, so that the client sees a bare answer: no Location
		// to follow, no body, and no connections to close after a failure.
		HTTPClient:   &http.Client{Transport: d, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
		Logger:       nil,
		RetryMax:     d.sink.config.Attempts - 1,
		CheckRetry:   func(context.Context, *http.Response, error) (bool, error) { return d.again() },
		Backoff:      d.backoff,
		ErrorHandler: retryablehttp.PassthroughErrorHandler,
	}
	resp, err := client.Do(d.request)
	if resp != nil {
		resp.Body.Close()
	}
	if err != nil && d.last.err == nil { // refused before it came to an attempt
		return d.sink.fail(status.SinkOperator, "the request can't be made")
	}
	return sinks.Outcome{Err: d.last.err, Attempts: d.attempts, Detail: d.last.detail, After: max(0, d.last.after)}
}
