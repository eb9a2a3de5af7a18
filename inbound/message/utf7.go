package message

import (
	"encoding/base64"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// decodeUTF7 decodes UTF-7 (RFC 2152). ok is false when something is not as it
// should be; U+FFFD stands in its place.
func decodeUTF7(b []byte) (text string, ok bool) {
	var out strings.Builder
	out.Grow(len(b))
	ok = true
	for i := 0; i < len(b); {
		c := b[i]
		i++
		switch {
		case c >= utf8.RuneSelf:
			out.WriteRune(utf8.RuneError)
			ok = false
		case c != '+':
			out.WriteByte(c)
		default:
			n := i
			for n < len(b) && isBase64(b[n]) {
				n++
			}
			if n == i && n < len(b) && b[n] == '-' {
				out.WriteByte('+')
				i++
				continue
			}
			ok = shiftedUTF7(&out, b[i:n]) && ok
			if i = n; i < len(b) && b[i] == '-' {
				i++
			}
		}
	}
	return out.String(), ok
}

// shiftedUTF7 writes one base64 run, UTF-16 in big-endian order.
func shiftedUTF7(out *strings.Builder, run []byte) bool {
	raw := make([]byte, base64.RawStdEncoding.DecodedLen(len(run)))
	n, err := base64.RawStdEncoding.Decode(raw, run)
	units := make([]uint16, 0, n/2)
	for i := 0; i+1 < n; i += 2 {
		units = append(units, uint16(raw[i])<<8|uint16(raw[i+1]))
	}
	ok := err == nil && len(run) > 0
	for _, r := range utf16.Decode(units) {
		ok = ok && r != utf8.RuneError
		out.WriteRune(r)
	}
	return ok
}

func isBase64(c byte) bool {
	return c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '+' || c == '/'
}
