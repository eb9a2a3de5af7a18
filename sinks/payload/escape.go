package payload

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf8"
)

// appendString appends the inside of the JSON string s: what newEncoder and
// escapeNonXML make of it, without the quotes, several times as fast. What is no
// UTF-8 becomes U+FFFD, one for each octet.
func appendString[T string | []byte](dst []byte, s T) []byte {
	for len(s) > 0 {
		n := plainRun(s)
		dst = append(dst, s[:n]...)
		if s = s[n:]; len(s) == 0 {
			break
		}
		var size int
		dst, size = appendCharacter(dst, s)
		s = s[size:]
	}
	return dst
}

// appendCharacter appends the first character of s, which is not plain, and returns its
// octets in s.
func appendCharacter[T string | []byte](dst []byte, s T) ([]byte, int) {
	const hex = "0123456789abcdef"
	c := s[0]
	switch c {
	case '"', '\\':
		return append(dst, '\\', c), 1
	case '\n':
		return append(dst, '\\', 'n'), 1
	case '\t':
		return append(dst, '\\', 't'), 1
	case '\r':
		return append(dst, '\\', 'r'), 1
	case '\b':
		return append(dst, '\\', 'b'), 1
	case '\f':
		return append(dst, '\\', 'f'), 1
	}
	if c < utf8.RuneSelf {
		return append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15]), 1
	}
	n := min(len(s), utf8.UTFMax)
	r, size := utf8.DecodeRuneInString(string(s[:n]))
	switch {
	case r == utf8.RuneError && size == 1, r == 0x2028, r == 0x2029, r == 0xFFFE, r == 0xFFFF:
		return append(dst, '\\', 'u', hex[r>>12], hex[r>>8&15], hex[r>>4&15], hex[r&15]), size
	}
	return append(dst, s[:size]...), size
}

// stringSize is the length of what appendString appends.
func stringSize(s string) (size int64) {
	var piece [8]byte
	for len(s) > 0 {
		n := plainRun(s)
		size += int64(n)
		if s = s[n:]; len(s) == 0 {
			break
		}
		out, n := appendCharacter(piece[:0], s)
		size += int64(len(out))
		s = s[n:]
	}
	return size
}

// plainRun is how many octets at the beginning of s are ASCII that needs no escape.
func plainRun[T string | []byte](s T) int {
	n := 0
	for ; len(s)-n >= 8; n += 8 {
		if bad := notPlain(octets(s[n : n+8])); bad != 0 {
			return n + bits.TrailingZeros64(bad)/8
		}
	}
	for n < len(s) && s[n] >= ' ' && s[n] < utf8.RuneSelf && s[n] != '"' && s[n] != '\\' {
		n++
	}
	return n
}

func octets[T string | []byte](s T) uint64 {
	var b [8]byte
	copy(b[:], s)
	return binary.LittleEndian.Uint64(b[:])
}

// notPlain sets the highest bit of the lowest of the eight octets of x that is a control
// character, a quote, a backslash or no ASCII. Octets above that one may be set, too.
func notPlain(x uint64) uint64 {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	// v-1 borrows into the highest bit where v is 0, and x-0x20 where x is below.
	quote, slash := x^ones*'"', x^ones*'\\'
	return (x | (x - ones*' ') | (quote - ones) | (slash - ones)) & highs
}
