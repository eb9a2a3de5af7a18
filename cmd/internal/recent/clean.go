package recent

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Clean returns text of a stranger's as one line of at most max runes that can't disturb
// what stands beside it: octets that are no UTF-8, control characters and the characters
// that turn the direction of what follows (UAX 9 2) become U+FFFD, blanks of any kind a
// blank, and what is invisible is dropped. What was cut ends in "…". The result never
// shares memory with s.
func Clean(s string, max int) string {
	var b strings.Builder
	b.Grow(min(len(s), max+utf8.UTFMax))
	n := 0
	for _, r := range s {
		switch {
		case r == ' ' || r == '\t' || r == '\n' || r == '\r' || unicode.Is(unicode.Zs, r):
			r = ' '
		case r == '\u200e' || r == '\u200f' || r == '\u061c' || r == '\ufeff' || r == '\u00ad' || r >= 0xe0000 && r <= 0xe0fff:
			continue
		case unicode.IsControl(r) || turns(r) || r == '\u2028' || r == '\u2029':
			r = utf8.RuneError
		}
		if n == max {
			b.WriteString("…")
			break
		}
		b.WriteRune(r)
		n++
	}
	return b.String()
}

// turns tells whether a character embeds, overrides or isolates a direction.
func turns(r rune) bool { return r >= '\u202a' && r <= '\u202e' || r >= '\u2066' && r <= '\u2069' }
