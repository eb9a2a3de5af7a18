package spf

import (
	"context"
	"strconv"
	"strings"
)

// Limits of what an expansion holds while it grows. Of a name the right end counts.
const (
	maxName      = 253
	maxExpansion = 1 << 10
)

// name expands a domain-spec (RFC 7208 7.3). It is false for what can't be a name in
// the DNS, and for one that depends on a local part beyond ASCII, which matches nothing
// (RFC 8616 4).
func (e *evaluation) name(ctx context.Context, spec, domain string) (name string, ok bool, stop *halt) {
	if spec == "" {
		return domain, true, nil
	}
	name, foreign := spec, false
	if strings.IndexByte(spec, '%') >= 0 {
		b := make([]byte, 0, 2*len(spec)+64)
		if b, foreign, stop = e.expand(ctx, b, spec, domain, false); stop != nil {
			return "", false, stop
		}
		name = string(b)
	}
	name = shorten(strings.TrimSuffix(name, "."))
	return name, !foreign && isName(name), nil
}

// shorten drops labels from the left until a name fits (RFC 7208 7.3).
func shorten(name string) string {
	for len(name) > maxName {
		_, rest, dot := strings.Cut(name, ".")
		if !dot {
			return ""
		}
		name = rest
	}
	return name
}

// isName tells whether the DNS could be asked for name: labels of 1 to 63 octets, which
// may hold any visible character, and blanks, which "%_" makes.
func isName(name string) bool {
	label := 0
	for i := range len(name) {
		switch c := name[i]; {
		case c == '.':
			if label == 0 {
				return false
			}
			label = 0
			continue
		case c < ' ' || c > '~' || c == '\\':
			return false
		}
		if label++; label > 63 {
			return false
		}
	}
	return label > 0 && len(name) <= maxName
}

// expand appends the expansion of a macro-string without syntax errors. foreign is
// whether it holds a local part beyond ASCII.
func (e *evaluation) expand(ctx context.Context, b []byte, s, domain string, explanation bool) (_ []byte, foreign bool, stop *halt) {
	for s != "" {
		at := strings.IndexByte(s, '%')
		if at < 0 {
			return append(b, s...), foreign, nil
		}
		b = append(b, s[:at]...)
		m, n := cutMacro(s[at:])
		if n == 0 {
			return b, foreign, nil // checked before
		}
		s = s[at+n:]
		switch {
		case n > 2:
			c := m.letter | 0x20
			value, stop := e.value(ctx, c, domain, explanation)
			if stop != nil {
				return b, foreign, stop
			}
			foreign = foreign || (c == 'l' || c == 's') && !isASCII(e.local)
			b = m.append(b, value)
		case m.letter == '%':
			b = append(b, '%')
		case m.letter == '_':
			b = append(b, ' ')
		default:
			b = append(b, "%20"...)
		}
		switch {
		case len(b) <= maxExpansion:
		case explanation:
			return b, foreign, nil // it is cut off anyway
		default:
			b = append(b[:0], b[len(b)-maxExpansion/2:]...)
		}
	}
	return b, foreign, nil
}

// value is what a macro letter stands for (RFC 7208 7.2).
func (e *evaluation) value(ctx context.Context, c byte, domain string, explanation bool) (string, *halt) {
	switch c {
	case 's':
		return e.local + "@" + e.sender, nil
	case 'l':
		return e.local, nil
	case 'o':
		return e.sender, nil
	case 'd':
		return domain, nil
	case 'h':
		return e.helo, nil
	case 'p':
		return e.validated(ctx, domain, explanation)
	case 'i':
		return e.dotted(), nil
	case 'c':
		return e.ip.String(), nil
	case 'v':
		if e.ip.Is4() {
			return "in-addr", nil
		}
		return "ip6", nil
	case 'r':
		if e.client.Receiver != "" {
			return e.client.Receiver, nil
		}
		return "unknown", nil
	case 't':
		return strconv.FormatInt(e.client.Now.Unix(), 10), nil
	}
	return "", nil
}

// dotted is the client's address as "%{i}" has it: IPv6 as 32 nibbles.
func (e *evaluation) dotted() string {
	if e.ip.Is4() {
		return e.ip.String()
	}
	const hex = "0123456789abcdef"
	b := make([]byte, 0, 64)
	for _, octet := range e.ip.As16() {
		b = append(b, hex[octet>>4], '.', hex[octet&15], '.')
	}
	return string(b[:63])
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}
