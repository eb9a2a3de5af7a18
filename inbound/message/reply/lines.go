package reply

import (
	"strings"
	"unicode/utf8"
)

// kind is what a line is by itself.
type kind byte

const (
	isText      kind = iota
	isBlank          // nothing to be seen
	isQuote          // begins with ">"
	isDivider        // only dashes, underscores and the like
	isWrote          // part of a line that introduces a quote, "On … wrote:"
	isOriginal       // "-----Original Message-----": all below is quoted
	isForward        // "Begin forwarded message:"
	isFields         // the block of From, Sent, To, Subject above an old message
	isAbove          // "Please reply above this line"
	isMarked         // the HTML says that a quote begins that is not marked by ">"
	isSignature      // a signature, or the line of a device
)

// part is where a line goes.
type part byte

const (
	inText part = iota
	inQuoted
	inSignature
)

// line is one line of the text, its line end included.
type line struct {
	start, end int32
	kind       kind
	part       part
	fields     uint8 // of the first line of isFields: which fields the block has
}

type document struct {
	text   string
	lines  []line
	tries  int // how many lines may still be tried as the end of an attribution
	blocks int // how many lines may still be tried as the beginning of a block of fields
}

func newDocument(text string) *document {
	d := &document{text: text, tries: maxTries, blocks: maxTries}
	d.lines = make([]line, 0, strings.Count(text, "\n")+1)
	for at := 0; at < len(text); {
		end := len(text)
		if k := strings.IndexByte(text[at:], '\n'); k >= 0 {
			end = at + k + 1
		}
		d.lines = append(d.lines, line{start: int32(at), end: int32(end)})
		at = end
	}
	return d
}

// at is line i without its line end, and without blanks and marks of direction
// around it.
func (d *document) at(i int) string {
	return trim(d.text[d.lines[i].start:d.lines[i].end])
}

// trim cuts blanks and invisible characters at both ends.
func trim(s string) string {
	for s != "" {
		if c := s[0]; c < utf8.RuneSelf {
			if c > ' ' && c != 0x7f {
				break
			}
			s = s[1:]
			continue
		}
		r, n := utf8.DecodeRuneInString(s)
		if !invisible(r) {
			break
		}
		s = s[n:]
	}
	for s != "" {
		if c := s[len(s)-1]; c < utf8.RuneSelf {
			if c > ' ' && c != 0x7f {
				break
			}
			s = s[:len(s)-1]
			continue
		}
		r, n := utf8.DecodeLastRuneInString(s)
		if !invisible(r) {
			break
		}
		s = s[:len(s)-n]
	}
	return s
}

// invisible tells what is not seen: blanks, marks of direction, joiners.
func invisible(r rune) bool {
	switch {
	case r <= ' ' || r == 0x7f || r == 0x85 || r == 0xa0 || r == 0xad:
		return true
	case r < 0x61c:
		return false
	}
	return r >= 0x2000 && r <= 0x200f || r >= 0x2028 && r <= 0x202f || r >= 0x205f && r <= 0x206f ||
		r == 0x61c || r == 0x1680 || r == 0x180e || r == 0x3000 || r == 0xfeff
}

func blank(s string) bool { return trim(s) == "" }

// next returns the first line from i on that is not blank, or len(d.lines).
func (d *document) next(i int) int {
	for i < len(d.lines) && d.lines[i].kind == isBlank {
		i++
	}
	return i
}

// quoteDepth returns the quote marks at the beginning of the trimmed line s and
// what follows them.
func quoteDepth(s string) (depth int, rest string) {
	for {
		switch {
		case strings.HasPrefix(s, ">"):
			s = s[1:]
		case strings.HasPrefix(s, "\uff1e"):
			s = s[3:]
		default:
			return depth, s
		}
		depth++
		s = strings.TrimLeft(s, " \t\u00a0")
	}
}

// initials tells whether the trimmed line s is quoted in the style of "JD> text".
func initials(s string) bool {
	k := strings.IndexByte(s, '>')
	if k < 1 || k > 15 || k+1 < len(s) && s[k+1] != ' ' && s[k+1] != '>' {
		return false
	}
	if s[0] < 'A' || s[0] > 'Z' {
		return false
	}
	for _, c := range []byte(s[:k]) {
		if c|0x20 < 'a' || c|0x20 > 'z' {
			return false
		}
	}
	return true
}

// divider tells whether the trimmed line s is a rule: only characters that draw one.
func divider(s string) bool {
	if len(s) > 300 {
		return false
	}
	for i, r := range s {
		switch r {
		case '-', '_', '=', '~', '#', '*', '+', '\u2014', '\u2013', '\u2500', '\u1427', '\u2015':
		case ' ':
			if i == 0 {
				return false
			}
		default:
			return false
		}
	}
	return s != ""
}

// dashes tells whether s is the line above a signature (RFC 3676 4.3), with or
// without the blank that mail readers often lose.
func dashes(s string) bool { return s == "--" || s == "\u2014" || s == "- --" }
