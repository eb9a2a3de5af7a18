package webhook

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"slices"
	"syscall"
	"time"

	"mxhook/inbound/status"
	"mxhook/sinks"
)

// failure is an attempt that got no answer.
type failure struct {
	err         error // of net/http; its text is never used
	written     bool  // the whole request was handed to the connection
	answered    bool  // the first octet of an answer came
	resolving   bool  // the look-up of the host had begun and was not done
	handshaking bool  // the TLS handshake had begun and was not done
	early       bool  // a yes came before the request was written
	timedOut    bool  // the attempt's own time was over
	ended       bool  // the budget ended before the request was written
	source      bool  // the payload could not be read
	took        time.Duration
}

// classify says what a failure means, in words of our own and the sink's host:port
// alone. It is pure.
func (f failure) classify(op, hostPort string) result {
	c := f.cause()
	words := c.words + " (" + hostPort + ")"
	return result{err: c.condition.Wrap(op, errors.New(words)), detail: words, retry: c.retry, after: -1, health: c.health}
}

// cause is what was behind a failure.
type cause struct {
	condition *status.Condition
	words     string
	retry     bool // another attempt in this transaction may help
	health    sinks.Health
}

// tellingTime is how long an attempt that the budget ended must have lasted to say
// something about the server.
const tellingTime = time.Second

func (f failure) cause() cause {
	switch {
	case f.source:
		return cause{status.LocalError, "the message can't be read", false, ""}
	case f.ended:
		c := cause{status.BudgetExceeded, "the budget ended before the request was sent", false, ""}
		if f.took >= tellingTime {
			c.health = sinks.Unreachable
		}
		return c
	case f.early:
		return cause{status.SinkUnavailable, "an answer came before the request was sent", true, sinks.Failing}
	case f.resolving && f.timedOut:
		return cause{status.SinkDNS, "the host can't be resolved now", true, sinks.Unreachable}
	case f.timedOut || isTimeout(f.err):
		if f.written { // the app may be at work: another request would double it
			return cause{status.SinkTimeout, "no answer in time", false, sinks.Unreachable}
		}
		return cause{status.SinkTimeout, "timed out before the request was sent", true, sinks.Unreachable}
	}
	if words := certificateCause(f.err); words != "" {
		return cause{status.SinkOperator, words, false, ""}
	}
	if dns := (*net.DNSError)(nil); errors.As(f.err, &dns) {
		if dns.IsNotFound {
			return cause{status.SinkOperator, "the host has no address", false, ""}
		}
		return cause{status.SinkDNS, "the host can't be resolved now", true, sinks.Unreachable}
	}
	if f.handshaking {
		return cause{status.SinkTLS, "TLS handshake failed", true, sinks.Unreachable}
	}
	for _, row := range systemCauses {
		if errors.Is(f.err, row.err) {
			return cause{row.condition, row.words, true, row.health}
		}
	}
	if f.answered {
		return cause{status.SinkUnavailable, "malformed answer", true, sinks.Failing}
	}
	return cause{status.SinkUnavailable, "connection broken", true, sinks.Failing}
}

// isTimeout tells whether a timer ended the attempt; the resolver's has a row of
// its own.
func isTimeout(err error) bool {
	var dns *net.DNSError
	if errors.As(err, &dns) {
		return false
	}
	var t net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, &t) && t.Timeout()
}

var systemCauses = []struct {
	err       error
	condition *status.Condition
	words     string
	health    sinks.Health
}{
	{syscall.ECONNREFUSED, status.SinkUnavailable, "connection refused", sinks.Unreachable},
	{syscall.ECONNRESET, status.SinkUnavailable, "connection reset", sinks.Failing},
	{syscall.EPIPE, status.SinkUnavailable, "connection broken", sinks.Failing},
	{syscall.EHOSTUNREACH, status.SinkUnavailable, "host unreachable", sinks.Unreachable},
	{syscall.ENETUNREACH, status.SinkUnavailable, "network unreachable", sinks.Unreachable},
	{syscall.EMFILE, status.LocalError, "too many open files", ""},
	{syscall.ENFILE, status.LocalError, "too many open files", ""},
	{syscall.EADDRNOTAVAIL, status.LocalError, "no local port left", ""},
	{io.EOF, status.SinkUnavailable, "connection closed without an answer", sinks.Failing},
	{io.ErrUnexpectedEOF, status.SinkUnavailable, "connection closed within the answer", sinks.Failing},
}

// certificateCause knows what only the operator can mend: their certificate, or
// ours. words is "" for any other error.
func certificateCause(err error) (words string) {
	var (
		invalid  x509.CertificateInvalidError
		unknown  x509.UnknownAuthorityError
		hostname x509.HostnameError
		roots    x509.SystemRootsError
		verify   *tls.CertificateVerificationError
	)
	switch {
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		words = "certificate expired or not yet valid"
	case errors.As(err, &unknown):
		words = "certificate signed by an unknown authority"
	case errors.As(err, &hostname):
		words = "certificate for another name"
	case errors.As(err, &roots):
		words = "no trusted authorities on this system"
	case errors.As(err, &invalid), errors.As(err, &verify):
		words = "certificate not valid"
	case certificateRefused(err):
		words = "our certificate was refused"
	}
	return words
}

// certificateAlerts are the alerts by which a server refuses a client's
// certificate (RFC 8446 6.2). crypto/tls has no exported type for a remote alert.
var certificateAlerts = []string{
	"tls: bad certificate", "tls: unsupported certificate", "tls: revoked certificate", "tls: expired certificate",
	"tls: unknown certificate", "tls: unknown certificate authority", "tls: certificate required", "tls: access denied",
}

func certificateRefused(err error) bool {
	var remote *net.OpError
	return errors.As(err, &remote) && remote.Op == "remote error" && slices.Contains(certificateAlerts, remote.Err.Error())
}
