package doctor

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
	"unicode"
	"unicode/utf8"
)

// findings collects the checks of one subject.
type findings struct {
	section, subject string
	checks           []Check
}

// Limits of what is shown of a stranger's text, and of a check's.
const (
	maxShown = 200
	maxText  = 4000
)

func (f *findings) add(s Severity, name, found, why, fix string) {
	f.checks = append(f.checks, Check{
		Name: name, Subject: f.subject, Severity: s, section: f.section,
		Found: printable(found), Why: printable(why), Fix: printableLines(fix),
	})
}

func (f *findings) ok(name, format string, args ...any) {
	f.add(OK, name, fmt.Sprintf(format, args...), "", "")
}

// unknown says why something could not be found out.
func (f *findings) unknown(name string, err error, why string) {
	f.add(Unknown, name, "could not be found out: "+reason(err), why, "find out why there is no answer (a firewall, verify.resolver, /etc/resolv.conf), then run doctor again")
}

// silent says that a listener left a question open.
func (f *findings) silent(name string, err error, why string) {
	f.add(Unknown, name, "could not be found out: "+reason(err), why, "see the log of mxhook serve, and with ss -ltnp who listens there, then run doctor again")
}

// reason is why a look-up or a connection failed, in words and without the ports of ours.
func reason(err error) string {
	var e *net.DNSError
	if errors.As(err, &e) && e.Err != "" {
		return e.Err + " (asked for " + e.Name + ")"
	}
	var (
		timeout net.Error
		errno   syscall.Errno
	)
	switch {
	case errors.As(err, &timeout) && timeout.Timeout(), errors.Is(err, os.ErrDeadlineExceeded):
		return "no answer in time"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "the connection is closed"
	case errors.As(err, &errno):
		return errno.Error()
	}
	return err.Error()
}

// printable is a text on one line without control characters and such as turn the
// direction of writing, which could make a terminal show something else.
func printable(s string) string {
	s = strings.Map(func(r rune) rune {
		if r == utf8.RuneError || unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp) {
			return '?'
		}
		return r
	}, s)
	return cut(s, maxText)
}

func printableLines(s string) string {
	lines := strings.Split(cut(s, 4*maxText), "\n")
	for i := range lines {
		lines[i] = printable(lines[i])
	}
	return strings.Join(lines, "\n")
}

func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "") + "…"
}

// quoted shows what a stranger wrote: its beginning, with everything but printable ASCII
// escaped.
func quoted(s string) string {
	if len(s) > maxShown {
		return strconv.QuoteToASCII(s[:maxShown]) + fmt.Sprintf(" (the first %d of %d octets)", maxShown, len(s))
	}
	return strconv.QuoteToASCII(s)
}

// list shows names, the first ten of them.
func list[T any](all []T, show func(T) string) string {
	var shown []string
	for i, v := range all {
		if i == 10 {
			shown = append(shown, fmt.Sprintf("and %d more", len(all)-i))
			break
		}
		shown = append(shown, show(v))
	}
	return strings.Join(shown, ", ")
}
