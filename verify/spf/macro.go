package spf

import "strings"

// macro is one "%…" of a macro-string (RFC 7208 7.1). A literal ("%%", "%_", "%-") has
// its second character as letter and nothing else.
type macro struct {
	letter    byte
	keep      int // how many parts, from the right; 0 is all
	reverse   bool
	split     bool   // a transformer or delimiter is there
	delimiter string // "" is "."
}

// cutMacro reads the macro at the beginning of s, which is a "%". n is its length, 0 for
// what is none.
func cutMacro(s string) (m macro, n int) {
	if len(s) < 2 {
		return m, 0
	}
	if c := s[1]; c == '%' || c == '_' || c == '-' {
		return macro{letter: c}, 2
	}
	if len(s) < 4 || s[1] != '{' || !letter(s[2]) {
		return m, 0
	}
	m.letter = s[2]
	i := 3
	for ; i < len(s) && digit(s[i]); i++ {
		m.keep = min(10*m.keep+int(s[i]-'0'), 1<<10)
	}
	if i > 3 && m.keep == 0 {
		return m, 0
	}
	if i < len(s) && s[i]|0x20 == 'r' {
		m.reverse = true
		i++
	}
	start := i
	for i < len(s) && strings.IndexByte(".-+,/_=", s[i]) >= 0 {
		i++
	}
	m.delimiter = s[start:i]
	m.split = i > 3
	if i == len(s) || s[i] != '}' {
		return m, 0
	}
	return m, i + 1
}

// checkMacros checks all macros of s and says where the last one ends. The letters c, r
// and t are for explanations alone (RFC 7208 7.2).
func checkMacros(s string, explanation bool) (end int, ok bool) {
	for {
		at := strings.IndexByte(s[end:], '%')
		if at < 0 {
			return end, true
		}
		m, n := cutMacro(s[end+at:])
		if n == 0 {
			return end, false
		}
		if n > 2 {
			c := m.letter | 0x20
			if strings.IndexByte("slodiphv", c) < 0 && (!explanation || strings.IndexByte("crt", c) < 0) {
				return end, false
			}
		}
		end += at + n
	}
}

func isMacroString(s string, explanation bool) bool {
	_, ok := checkMacros(s, explanation)
	return ok
}

// append splits, turns and shortens a value as the macro says, and escapes it for a URL
// if its letter is a capital.
func (m *macro) append(b []byte, value string) []byte {
	start := len(b)
	if !m.split {
		b = append(b, value...)
	} else {
		b = m.transform(b, value)
	}
	if m.letter >= 'a' {
		return b
	}
	escaped := string(b[start:])
	b = b[:start]
	for i := range len(escaped) {
		const hex = "0123456789ABCDEF"
		if c := escaped[i]; letter(c) || digit(c) || strings.IndexByte("-._~", c) >= 0 {
			b = append(b, c)
		} else {
			b = append(b, '%', hex[c>>4], hex[c&15])
		}
	}
	return b
}

func (m *macro) transform(b []byte, value string) []byte {
	delimiter := m.delimiter
	if delimiter == "" {
		delimiter = "."
	}
	var room [40]string
	parts := room[:0]
	start := 0
	for i := range len(value) {
		if strings.IndexByte(delimiter, value[i]) >= 0 {
			parts = append(parts, value[start:i])
			start = i + 1
		}
	}
	parts = append(parts, value[start:])
	if m.reverse {
		for i, j := 0, len(parts)-1; i < j; i, j = i+1, j-1 {
			parts[i], parts[j] = parts[j], parts[i]
		}
	}
	if m.keep > 0 && m.keep < len(parts) {
		parts = parts[len(parts)-m.keep:]
	}
	for i, p := range parts {
		if i > 0 {
			b = append(b, '.')
		}
		b = append(b, p...)
	}
	return b
}
