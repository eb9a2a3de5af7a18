package dns

import (
	"errors"
	"net"
)

// Texts of the errors, also what tells NXDOMAIN from an empty answer.
const (
	textNoDomain = "no such domain"
	textNoData   = "no such record"
	textBudget   = "this message has asked all the questions that it may"
	textLate     = "no time is left for it"
)

// goNoHost is what net.Resolver says for both kinds of absence.
const goNoHost = "no such host"

func noDomain(name string) *net.DNSError {
	return &net.DNSError{Err: textNoDomain, Name: name, IsNotFound: true}
}

func noData(name string) *net.DNSError {
	return &net.DNSError{Err: textNoData, Name: name, IsNotFound: true}
}

func temporary(name, text string) *net.DNSError {
	return &net.DNSError{Err: text, Name: name, IsTemporary: true}
}

func timedOut(name, text string) *net.DNSError {
	return &net.DNSError{Err: text, Name: name, IsTimeout: true, IsTemporary: true}
}

// IsNotFound reports whether err says that what was asked for does not exist.
func IsNotFound(err error) bool {
	var e *net.DNSError
	return errors.As(err, &e) && e.IsNotFound
}

// IsNoDomain reports whether err says that the name itself does not exist (NXDOMAIN,
// RFC 8020). An empty answer is not meant, except from a net.Resolver, which doesn't
// tell the two apart.
func IsNoDomain(err error) bool {
	var e *net.DNSError
	return errors.As(err, &e) && e.IsNotFound && (e.Err == textNoDomain || e.Err == goNoHost)
}

// IsTemporary reports whether err leaves the question open: a later try may be
// answered. An error that is no *net.DNSError, such as an expired context, is
// temporary too: nothing was learned from it.
func IsTemporary(err error) bool {
	if err == nil {
		return false
	}
	var e *net.DNSError
	if errors.As(err, &e) {
		return e.IsTemporary || e.IsTimeout
	}
	return true
}

// IsOverBudget reports whether err is that of a budget used up (WithBudget).
func IsOverBudget(err error) bool {
	var e *net.DNSError
	return errors.As(err, &e) && e.Err == textBudget
}
