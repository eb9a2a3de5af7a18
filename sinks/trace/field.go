package trace

import (
	"bytes"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Lines of RFC 5322 2.1.1, without CRLF.
const (
	wantLine = 78
	maxLine  = 998
)

// maxBlanks bounds a run of blanks, so that no line consists of blanks alone.
const maxBlanks = 60

// writeField writes "name: body" folded, and CRLF. Folding only puts CRLF before
// blanks that are there, so unfolding gives body back. The exceptions are a run of
// more than 998 octets without a blank, which gets one, and one of more than 60
// blanks, which is cut to them.
func writeField(b *bytes.Buffer, name, body string) {
	b.WriteString(name)
	b.WriteByte(':')
	column := len(name) + 1
	rest := " " + strings.Trim(printable(body), " ")
	for first := true; rest != ""; first = false {
		word := strings.TrimLeft(rest, " ")
		blanks := rest[:min(len(rest)-len(word), maxBlanks)]
		end := strings.IndexByte(word, ' ')
		if end < 0 {
			end = len(word)
		}
		if !first && column+len(blanks)+end > wantLine {
			b.WriteString("\r\n")
			column = 0
		}
		b.WriteString(blanks)
		column = writeWord(b, word[:end], column+len(blanks))
		rest = word[end:]
	}
	b.WriteString("\r\n")
}

// writeWord writes word, broken only where the line would become too long, and
// returns the column after it.
func writeWord(b *bytes.Buffer, word string, column int) int {
	for column+len(word) > maxLine {
		n := maxLine - column
		for n > 0 && !utf8.RuneStart(word[n]) {
			n--
		}
		b.WriteString(word[:n])
		b.WriteString("\r\n ")
		word, column = word[n:], 1
	}
	b.WriteString(word)
	return column + len(word)
}

// printable makes s fit for one header field: blanks for line ends and tabs, "?"
// for other control characters, line separators and what is no UTF-8.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\r', r == '\n', r == '\t':
			return ' '
		case r == utf8.RuneError, unicode.IsControl(r), r == '\u2028', r == '\u2029':
			return '?'
		}
		return r
	}, s)
}
