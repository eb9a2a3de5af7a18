package webhook

import (
	"errors"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"mxhook/inbound/status"
	"mxhook/sinks"
	"mxhook/sinks/internal/attempt"
)

// answer is what a server said, as far as it matters.
type answer struct {
	code   int
	header http.Header
	body   []byte // at most maxAnswer octets; only read where needsBody says so
}

// result is what one attempt came to.
type result struct {
	err    error         // nil: accepted; else it wraps a Condition
	detail string        // in words that may be logged
	retry  bool          // another attempt may help
	after  time.Duration // what Retry-After asks for; negative without one
	health sinks.Health  // what it says about the server
}

const maxReplyText = 200

// failed says what a failure means, in words of our own and the sink's host:port alone.
func failed(f attempt.Failure, op, hostPort string) result {
	return caused(f.Cause(), op, hostPort)
}

func caused(c attempt.Cause, op, hostPort string) result {
	words := c.Words + " (" + hostPort + ")"
	return result{err: c.Condition.Wrap(op, errors.New(words)), detail: words, retry: c.Retry, after: -1, health: c.Health}
}

// classify says what an answer means for the sender. warning is not empty when the
// answer had something that was ignored. It is pure; now is for Retry-After.
func classify(op string, a answer, rejectOn []int, now time.Time) (r result, warning string) {
	r = result{detail: "HTTP " + strconv.Itoa(a.code), after: -1, health: sinks.Well}
	replies := a.header.Values("Smtp-Reply")
	if a.code >= 200 && a.code <= 299 {
		if len(replies) > 0 {
			warning = "Smtp-Reply with a 2xx answer is ignored"
		}
		return r, warning
	}
	cause := errors.New(r.detail)
	if len(replies) > 0 {
		if err := replyOf(op, cause, replies); err != nil {
			r.err = err
			return r, ""
		}
		warning = "Smtp-Reply is not a valid reply of class 4 or 5 and is ignored"
	}
	switch {
	case slices.Contains(rejectOn, a.code):
		r.err = status.SinkRefused.Wrap(op, cause)
		if text := plainText(a); text != "" {
			own := status.SinkRefused.Reply()
			own.Text = text
			r.err = status.SinkRefused.WithReply(op, cause, own)
		}
		return r, warning
	default:
		c, retry := conditionOf(a.code)
		r.err, r.retry, r.health = c.Wrap(op, cause), retry, healthOf(a.code)
		if retry {
			r.after = attempt.RetryAfter(a.header.Get("Retry-After"), now)
		}
		return r, warning
	}
}

// conditionOf maps a status that is neither 2xx nor refused by the configuration,
// and says whether another attempt in this transaction may help.
func conditionOf(code int) (c *status.Condition, retry bool) {
	switch code {
	case http.StatusRequestEntityTooLarge:
		return status.SinkTooBig, false
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests, http.StatusServiceUnavailable:
		return status.SinkBusy, true
	case http.StatusGatewayTimeout: // the app may be at work
		return status.SinkTimeout, false
	}
	switch code / 100 {
	case 3, 4:
		return status.SinkOperator, false
	case 5:
		return status.SinkFailed, true
	}
	return status.SinkUnavailable, true // a final 1xx, or no status of HTTP at all
}

// healthOf says what a status that is neither 2xx nor refused by the configuration
// tells about the server, whatever it says of the message.
func healthOf(code int) sinks.Health {
	switch code {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return sinks.Unreachable
	case http.StatusRequestTimeout, http.StatusTooEarly:
		return ""
	}
	if code/100 == 3 || code/100 == 4 {
		return sinks.Well
	}
	return sinks.Failing
}

// replyOf reads the reply that the app words itself; nil when it isn't one valid
// reply.
func replyOf(op string, cause error, values []string) error {
	if len(values) != 1 {
		return nil
	}
	reply, err := status.ParseReply(values[0])
	if err != nil {
		return nil
	}
	if reply.Class() == status.Temporary {
		return status.SinkDeferred.WithReply(op, cause, reply)
	}
	return status.SinkRefused.WithReply(op, cause, reply)
}

// needsBody tells whether classify looks at the body of such an answer.
func needsBody(code int, h http.Header, rejectOn []int) bool {
	return slices.Contains(rejectOn, code) && isPlainText(h)
}

// isPlainText tells whether the body can be read as it stands: text, and not packed.
func isPlainText(h http.Header) bool {
	if encoding := h.Get("Content-Encoding"); encoding != "" && !strings.EqualFold(encoding, "identity") {
		return false
	}
	t, _, err := mime.ParseMediaType(h.Get("Content-Type"))
	return err == nil && t == "text/plain"
}

// plainText returns the first line of a text/plain body, printable ASCII, at most
// 200 characters.
func plainText(a answer) string {
	if !isPlainText(a.header) {
		return ""
	}
	return status.CleanText(string(a.body), maxReplyText)
}
