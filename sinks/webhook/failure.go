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

	"mxhook/inbound/status"
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
}

// classify says what a failure means, in words of our own and the sink's host:port
// alone. It is pure.
func (f failure) classify(op, hostPort string) result {
	c, words, retry := f.condition()
	words += " (" + hostPort + ")"
	return result{err: c.Wrap(op, errors.New(words)), detail: words, retry: retry, after: -1}
}

func (f failure) condition() (c *status.Condition, words string, retry bool) {
	switch {
	case f.source:
		return status.LocalError, "the message can't be read", false
	case f.ended:
		return status.BudgetExceeded, "the budget ended before the request was sent", false
	case f.early:
		return status.SinkUnavailable, "an answer came before the request was sent", true
	case f.resolving && f.timedOut:
		return status.SinkDNS, "the host can't be resolved now", true
	case f.timedOut || isTimeout(f.err):
		if f.written { // the app may be at work: another request would double it
			return status.SinkTimeout, "no answer in time", false
		}
		return status.SinkTimeout, "timed out before the request was sent", true
	}
	if c, words, retry := certificateCause(f.err); c != nil {
		return c, words, retry
	}
	if dns := (*net.DNSError)(nil); errors.As(f.err, &dns) {
		if dns.IsNotFound {
			return status.SinkOperator, "the host has no address", false
		}
		return status.SinkDNS, "the host can't be resolved now", true
	}
	if f.handshaking {
		return status.SinkTLS, "TLS handshake failed", true
	}
	for _, row := range systemCauses {
		if errors.Is(f.err, row.err) {
			return row.condition, row.words, true
		}
	}
	if f.answered {
		return status.SinkUnavailable, "malformed answer", true
	}
	return status.SinkUnavailable, "connection broken", true
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
}{
	{syscall.ECONNREFUSED, status.SinkUnavailable, "connection refused"},
	{syscall.ECONNRESET, status.SinkUnavailable, "connection reset"},
	{syscall.EPIPE, status.SinkUnavailable, "connection broken"},
	{syscall.EHOSTUNREACH, status.SinkUnavailable, "host unreachable"},
	{syscall.ENETUNREACH, status.SinkUnavailable, "network unreachable"},
	{syscall.EMFILE, status.LocalError, "too many open files"},
	{syscall.ENFILE, status.LocalError, "too many open files"},
	{syscall.EADDRNOTAVAIL, status.LocalError, "no local port left"},
	{io.EOF, status.SinkUnavailable, "connection closed without an answer"},
	{io.ErrUnexpectedEOF, status.SinkUnavailable, "connection closed within the answer"},
}

// certificateCause knows what only the operator can mend: their certificate, or
// ours. c is nil for any other error.
func certificateCause(err error) (c *status.Condition, words string, retry bool) {
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
	default:
		return nil, "", false
	}
	return status.SinkOperator, words, false
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
