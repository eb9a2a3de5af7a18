package attempt

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"mxhook/inbound/status"
	"mxhook/sinks"
)

// timeout is an error of package net that a timer made.
type timeout struct{ error }

func (timeout) Timeout() bool   { return true }
func (timeout) Temporary() bool { return true }

func TestHealthOfEveryFailure(t *testing.T) {
	dial := func(e syscall.Errno) error {
		return &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", e)}
	}
	refused := func(alert string) error { return &net.OpError{Op: "remote error", Err: errors.New(alert)} }
	const unreachable, failing, nothing = sinks.Unreachable, sinks.Failing, sinks.Health("")
	for _, c := range []struct {
		name string
		f    Failure
		want sinks.Health
	}{
		{"the message can't be read", Failure{Source: true, Err: io.ErrUnexpectedEOF}, nothing},
		{"the budget ended at once", Failure{Ended: true, Err: context.Canceled, Took: 900 * time.Millisecond}, nothing},
		{"the budget ended after a while", Failure{Ended: true, Err: context.Canceled, Took: time.Second}, unreachable},
		{"a yes before the request was sent", Failure{Early: true}, failing},
		{"the look-up timed out", Failure{Resolving: true, TimedOut: true, Err: context.DeadlineExceeded}, unreachable},
		{"the look-up failed", Failure{Err: &net.DNSError{IsTemporary: true}}, unreachable},
		{"the resolver's own time was over", Failure{Err: &net.DNSError{IsTimeout: true}}, unreachable},
		{"no such host", Failure{Err: &net.DNSError{IsNotFound: true}}, nothing},
		{"no answer in time", Failure{Written: true, TimedOut: true, Err: context.DeadlineExceeded}, unreachable},
		{"not written in time", Failure{TimedOut: true, Err: context.DeadlineExceeded}, unreachable},
		{"no connection in time", Failure{Err: timeout{errors.New("i/o timeout")}}, unreachable},
		{"TLS handshake timed out", Failure{Handshaking: true, Err: timeout{errors.New("handshake")}}, unreachable},
		{"TLS handshake broke", Failure{Handshaking: true, Err: io.EOF}, unreachable},
		{"TLS handshake met another protocol", Failure{Handshaking: true, Err: tls.RecordHeaderError{}}, unreachable},
		{"certificate expired", Failure{Handshaking: true, Err: x509.CertificateInvalidError{Reason: x509.Expired}}, nothing},
		{"certificate of an unknown authority", Failure{Handshaking: true, Err: x509.UnknownAuthorityError{}}, nothing},
		{"certificate for another name", Failure{Handshaking: true, Err: x509.HostnameError{Certificate: &x509.Certificate{}}}, nothing},
		{"certificate not valid", Failure{Handshaking: true, Err: &tls.CertificateVerificationError{Err: errors.New("x")}}, nothing},
		{"no authorities here", Failure{Handshaking: true, Err: x509.SystemRootsError{}}, nothing},
		{"our certificate refused", Failure{Err: refused("tls: bad certificate")}, nothing},
		{"our certificate wanted", Failure{Err: refused("tls: certificate required")}, nothing},
		{"refused", Failure{Err: dial(syscall.ECONNREFUSED)}, unreachable},
		{"host unreachable", Failure{Err: dial(syscall.EHOSTUNREACH)}, unreachable},
		{"network unreachable", Failure{Err: dial(syscall.ENETUNREACH)}, unreachable},
		{"reset", Failure{Written: true, Err: dial(syscall.ECONNRESET)}, failing},
		{"broken", Failure{Err: dial(syscall.EPIPE)}, failing},
		{"closed without an answer", Failure{Written: true, Err: io.EOF}, failing},
		{"closed within the answer", Failure{Written: true, Answered: true, Err: io.ErrUnexpectedEOF}, failing},
		{"too many files of this process", Failure{Err: dial(syscall.EMFILE)}, nothing},
		{"too many files of this host", Failure{Err: dial(syscall.ENFILE)}, nothing},
		{"no port left", Failure{Err: dial(syscall.EADDRNOTAVAIL)}, nothing},
		{"malformed answer", Failure{Written: true, Answered: true, Err: errors.New("malformed HTTP")}, failing},
		{"proxy refused", Failure{Err: &net.OpError{Op: "proxyconnect", Err: &ProxyError{Err: dial(syscall.ECONNREFUSED)}}}, unreachable},
		{"no such proxy", Failure{Err: &ProxyError{Err: &net.DNSError{IsNotFound: true}}}, nothing},
		{"proxy in time not reached", Failure{Err: &ProxyError{Err: context.DeadlineExceeded}}, unreachable},
		{"proxy's certificate expired", Failure{Err: &ProxyError{Handshaking: true, Err: x509.CertificateInvalidError{Reason: x509.Expired}}}, nothing},
		{"proxy wants other credentials", Failure{Err: &ProxyError{Code: 407}}, nothing},
		{"proxy forbids it", Failure{Err: &ProxyError{Code: 403}}, nothing},
		{"proxy is busy", Failure{Err: &ProxyError{Code: 429}}, unreachable},
		{"proxy can't reach the app", Failure{Err: &ProxyError{Code: 502}}, unreachable},
		{"proxy says no number", Failure{Err: &ProxyError{Code: 0}}, failing},
		{"proxy says another one", Failure{Err: &ProxyError{Code: 101}}, unreachable},
		{"the budget ended at the proxy", Failure{Ended: true, Err: &ProxyError{Err: context.Canceled}}, nothing},
		{"anything else", Failure{Err: fmt.Errorf("x")}, failing},
	} {
		r := c.f.Cause()
		if r.Health != c.want {
			t.Errorf("%s: %q, want %q (%s)", c.name, r.Health, c.want, r.Words)
		}
		if r.Condition == status.SinkOperator && r.Health != nothing {
			t.Errorf("%s: an operator's error feeds the circuit", c.name)
		}
	}
}
