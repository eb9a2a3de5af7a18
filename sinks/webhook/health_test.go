package webhook

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"syscall"
	"testing"
	"time"

	"mxhook/inbound/status"
	"mxhook/sinks"
)

// TestHealthOfEveryStatus holds the table of ../README.md: what an answer says of the
// sink, beside what it says of the message.
func TestHealthOfEveryStatus(t *testing.T) {
	want := func(code int) sinks.Health {
		switch code {
		case 429, 502, 503, 504:
			return sinks.Unreachable
		case 408, 425:
			return ""
		}
		switch code / 100 {
		case 2, 3, 4: // accepted, too big, refused, or the operator's error
			return sinks.Well
		}
		return sinks.Failing
	}
	for code := 100; code <= 599; code++ {
		r, _ := classify("test", answer{code: code}, []int{406}, time.Now())
		if r.health != want(code) {
			t.Errorf("%d: %q, want %q", code, r.health, want(code))
		}
		for what, a := range map[string]answer{
			"refused by reject_on": {code: code},
			"worded by the app":    {code: code, header: http.Header{"Smtp-Reply": {"450 4.2.1 later"}}},
		} {
			var rejectOn []int
			if what == "refused by reject_on" {
				rejectOn = []int{code}
			}
			if r, _ := classify("test", a, rejectOn, time.Now()); r.health != sinks.Well {
				t.Errorf("%d, %s: %q, want well", code, what, r.health)
			}
		}
	}
}

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
		f    failure
		want sinks.Health
	}{
		{"the message can't be read", failure{source: true, err: io.ErrUnexpectedEOF}, nothing},
		{"the budget ended at once", failure{ended: true, err: context.Canceled, took: 900 * time.Millisecond}, nothing},
		{"the budget ended after a while", failure{ended: true, err: context.Canceled, took: time.Second}, unreachable},
		{"a yes before the request was sent", failure{early: true}, failing},
		{"the look-up timed out", failure{resolving: true, timedOut: true, err: context.DeadlineExceeded}, unreachable},
		{"the look-up failed", failure{err: &net.DNSError{IsTemporary: true}}, unreachable},
		{"the resolver's own time was over", failure{err: &net.DNSError{IsTimeout: true}}, unreachable},
		{"no such host", failure{err: &net.DNSError{IsNotFound: true}}, nothing},
		{"no answer in time", failure{written: true, timedOut: true, err: context.DeadlineExceeded}, unreachable},
		{"not written in time", failure{timedOut: true, err: context.DeadlineExceeded}, unreachable},
		{"no connection in time", failure{err: timeout{errors.New("i/o timeout")}}, unreachable},
		{"TLS handshake timed out", failure{handshaking: true, err: timeout{errors.New("handshake")}}, unreachable},
		{"TLS handshake broke", failure{handshaking: true, err: io.EOF}, unreachable},
		{"TLS handshake met another protocol", failure{handshaking: true, err: tls.RecordHeaderError{}}, unreachable},
		{"certificate expired", failure{handshaking: true, err: x509.CertificateInvalidError{Reason: x509.Expired}}, nothing},
		{"certificate of an unknown authority", failure{handshaking: true, err: x509.UnknownAuthorityError{}}, nothing},
		{"certificate for another name", failure{handshaking: true, err: x509.HostnameError{Certificate: &x509.Certificate{}}}, nothing},
		{"certificate not valid", failure{handshaking: true, err: &tls.CertificateVerificationError{Err: errors.New("x")}}, nothing},
		{"no authorities here", failure{handshaking: true, err: x509.SystemRootsError{}}, nothing},
		{"our certificate refused", failure{err: refused("tls: bad certificate")}, nothing},
		{"our certificate wanted", failure{err: refused("tls: certificate required")}, nothing},
		{"refused", failure{err: dial(syscall.ECONNREFUSED)}, unreachable},
		{"host unreachable", failure{err: dial(syscall.EHOSTUNREACH)}, unreachable},
		{"network unreachable", failure{err: dial(syscall.ENETUNREACH)}, unreachable},
		{"reset", failure{written: true, err: dial(syscall.ECONNRESET)}, failing},
		{"broken", failure{err: dial(syscall.EPIPE)}, failing},
		{"closed without an answer", failure{written: true, err: io.EOF}, failing},
		{"closed within the answer", failure{written: true, answered: true, err: io.ErrUnexpectedEOF}, failing},
		{"too many files of this process", failure{err: dial(syscall.EMFILE)}, nothing},
		{"too many files of this host", failure{err: dial(syscall.ENFILE)}, nothing},
		{"no port left", failure{err: dial(syscall.EADDRNOTAVAIL)}, nothing},
		{"malformed answer", failure{written: true, answered: true, err: errors.New("malformed HTTP")}, failing},
		{"anything else", failure{err: fmt.Errorf("x")}, failing},
	} {
		r := c.f.classify("test", "app.example:443")
		if r.health != c.want {
			t.Errorf("%s: %q, want %q (%s)", c.name, r.health, c.want, r.detail)
		}
		if status.ConditionOf(r.err) == status.SinkOperator && r.health != nothing {
			t.Errorf("%s: an operator's error feeds the circuit", c.name)
		}
	}
}
