package message

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/japanese"
)

// bodyJIS is readJIS for a body, which is copied only if it may be such a text.
func bodyJIS(b []byte) (text string, ok bool) {
	if !bytes.Contains(b, []byte("\x1b$")) {
		return "", false
	}
	return readJIS(string(b))
}

// readJIS reads ISO-2022-JP (RFC 1468) that is sent without a charset: ASCII with escape
// sequences. ok is false for what is nothing of the kind, or damaged.
func readJIS(s string) (text string, ok bool) {
	if !strings.Contains(s, "\x1b$") || !isJIS(s) {
		return "", false
	}
	text, err := japanese.ISO2022JP.NewDecoder().String(s)
	return text, err == nil && !strings.ContainsRune(text, utf8.RuneError)
}

// isJIS tells whether s is ISO-2022-JP to the letter, back in ASCII at its end. The decoder is
// content with less, and takes a line end for half a character.
func isJIS(s string) bool {
	double, found := false, false
	for i := 0; i < len(s); {
		if s[i] == 0x1b {
			switch s[i:min(i+3, len(s))] {
			case "\x1b$B", "\x1b$@":
				double, found = true, true
			case "\x1b(B", "\x1b(J":
				double = false
			default:
				return false
			}
			i += 3
			continue
		}
		if !double {
			if s[i] >= utf8.RuneSelf {
				return false
			}
			i++
			continue
		}
		if i+1 >= len(s) || !graphic(s[i]) || !graphic(s[i+1]) {
			return false
		}
		i += 2
	}
	return found && !double
}

func graphic(c byte) bool { return c > ' ' && c < 0x7f }
