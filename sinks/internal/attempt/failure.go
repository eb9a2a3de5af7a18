package attempt

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

// Failure is an attempt that got no answer.
type Failure struct {
	Err         error // of net/http; its text is never used
	Written     bool  // the whole request was handed to the connection
	Answered    bool  // the first octet of an answer came
	Resolving   bool  // the look-up of the host had begun and was not done
	Handshaking bool  // the TLS handshake had begun and was not done
	Early       bool  // a yes came before the request was written
	TimedOut    bool  // the attempt's own time was over
	Ended       bool  // the budget ended before the request was written
	Source      bool  // the payload could not be read
	Took        time.Duration
}

// Cause is what was behind a failure, in words of our own.
type Cause struct {
	Condition *status.Condition
	Words     string
	Retry     bool // another attempt in this transaction may help
	Health    sinks.Health
}

// tellingTime is how long an attempt that the budget ended must have lasted to say
// something about the server.
const tellingTime = time.Second

// Cause says what a failure means. It is pure; nothing of the error's text is told.
func (f Failure) Cause() Cause {
	switch {
	case f.Source:
		return Cause{status.LocalError, "the message can't be read", false, ""}
	case f.Ended:
		c := Cause{status.BudgetExceeded, "the budget ended before the request was sent", false, ""}
		if f.Took >= tellingTime {
			c.Health = sinks.Unreachable
		}
		return c
	case f.Early:
		return Cause{status.SinkUnavailable, "an answer came before the request was sent", true, sinks.Failing}
	}
	if p := (*ProxyError)(nil); errors.As(f.Err, &p) {
		return p.cause(f)
	}
	switch {
	case f.Resolving && f.TimedOut:
		return Cause{status.SinkDNS, "the host can't be resolved now", true, sinks.Unreachable}
	case f.TimedOut || isTimeout(f.Err):
		if f.Written { // the app may be at work: another request would double it
			return Cause{status.SinkTimeout, "no answer in time", false, sinks.Unreachable}
		}
		return Cause{status.SinkTimeout, "timed out before the request was sent", true, sinks.Unreachable}
	}
	if words := certificateCause(f.Err); words != "" {
		return Cause{status.SinkOperator, words, false, ""}
	}
	if dns := (*net.DNSError)(nil); errors.As(f.Err, &dns) {
		if dns.IsNotFound {
			return Cause{status.SinkOperator, "the host has no address", false, ""}
		}
		return Cause{status.SinkDNS, "the host can't be resolved now", true, sinks.Unreachable}
	}
	if f.Handshaking {
		return Cause{status.SinkTLS, "TLS handshake failed", true, sinks.Unreachable}
	}
	for _, row := range systemCauses {
		if errors.Is(f.Err, row.err) {
			return Cause{row.condition, row.words, true, row.health}
		}
	}
	if f.Answered {
		return Cause{status.SinkUnavailable, "malformed answer", true, sinks.Failing}
	}
	return Cause{status.SinkUnavailable, "connection broken", true, sinks.Failing}
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
	case CertificateRefused(err):
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

// CertificateRefused tells whether a server refused our certificate, or that we have none.
func CertificateRefused(err error) bool {
	var remote *net.OpError
	return errors.As(err, &remote) && remote.Op == "remote error" && slices.Contains(certificateAlerts, remote.Err.Error())
}

// Broken tells whether the connection broke before the request was written, by nobody's
// timer and no fault of the payload: where it had been kept, that is how it was found dead.
func (f Failure) Broken() bool {
	return !f.Written && !f.Answered && !f.TimedOut && !f.Ended && !f.Source && !isTimeout(f.Err)
}
