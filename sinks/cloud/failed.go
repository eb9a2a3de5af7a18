package cloud

import (
	"context"
	"errors"
	"net"

	"mxhook/inbound/status"
)

// Failed says what an error of the SDK means that came of a call outside of Deliver, in
// words of our own; nil stays nil. op names what failed, call the operation. The error wraps
// a Condition, and its text may be logged.
func Failed(op, call string, err error) error {
	code := StatusOf(err)
	var network net.Error
	switch {
	case err == nil:
		return nil
	case code >= 300:
		m := MeaningOf(code, Code(err))
		return m.Condition.Wrap(op, errors.New(call+": "+m.Detail))
	case errors.Is(err, context.Canceled):
		return status.SinkUnavailable.Wrap(op, errors.New(call+": given up"))
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &network) && network.Timeout():
		return status.SinkTimeout.Wrap(op, errors.New(call+": no answer in time"))
	case errors.As(err, &network):
		return status.SinkUnavailable.Wrap(op, errors.New(call+": it can't be reached, or the connection broke"))
	}
	return status.SinkUnavailable.Wrap(op, errors.New(call+": no answer that can be used; look at URL, region, endpoint and credentials"))
}
