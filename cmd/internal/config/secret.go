package config

import (
	"fmt"
	"io"
	"log/slog"
)

// Secret is a text that is never printed: every way of formatting it gives
// <redacted>, or nothing if it is empty. Its value is string(s).
type Secret string

const redacted = "<redacted>"

// String returns "<redacted>".
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return redacted
}

// GoString returns what String does.
func (s Secret) GoString() string { return s.String() }

// Format implements fmt.Formatter for every verb that package fmt asks it for: all but
// %T and %p, and vet refuses the latter.
func (s Secret) Format(f fmt.State, _ rune) { io.WriteString(f, s.String()) }

// MarshalText returns what String does.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// LogValue returns what String does.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// Format implements fmt.Formatter for every verb: a sink prints as its type and
// name. Package fmt would print what Webhook points to without asking Secret when
// the verb fits no pointer, such as %s.
func (s Sink) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "%s %q", s.Type, s.Name) }
