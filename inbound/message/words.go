package message

import (
	"encoding/base64"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
)

// unfold returns a field body as one line, without its folds and the blanks around
// it.
func unfold(s string) string {
	s = strings.Trim(s, " \t\r\n")
	if strings.IndexByte(s, '\n') < 0 && strings.IndexByte(s, '\r') < 0 {
		return s
	}
	var out strings.Builder
	out.Grow(len(s))
	for i := 0; i < len(s); {
		k := strings.IndexAny(s[i:], "\r\n")
		if k < 0 {
			out.WriteString(s[i:])
			break
		}
		out.WriteString(s[i : i+k])
		i += k
		for i < len(s) && (s[i] == '\r' || s[i] == '\n') {
			i++
		}
		// The blank after a fold is part of the field; a tab there is as good as a
		// space, and a CR that is no fold separates too.
		if i < len(s) && s[i] == '\t' {
			i++
			out.WriteByte(' ')
		} else if i < len(s) && s[i] != ' ' {
			out.WriteByte(' ')
		}
	}
	return out.String()
}

// headerText returns octets of a header section as valid UTF-8: they are read as
// UTF-8, if most of them are, else as windows-1252.
func (p *parser) headerText(b []byte, num string) string {
	if isASCII(b) {
		return string(b)
	}
	if utf8.Valid(b) {
		if !p.opts.SMTPUTF8 {
			p.defect(num, Defect8BitHeader, "UTF-8 in the header section of a message without SMTPUTF8")
		}
		return string(b)
	}
	if mostlyUTF8(b) {
		p.defect(num, Defect8BitHeader, "UTF-8 that is cut off or damaged")
		return validUTF8(b)
	}
	p.defect(num, Defect8BitHeader, "8-bit octets that are no UTF-8; read as windows-1252")
	out, _ := charmap.Windows1252.NewDecoder().Bytes(b)
	return validUTF8(out)
}

// mostlyUTF8 tells whether b has more characters beyond ASCII than octets that are
// none: UTF-8 that was cut within a character. Text of an 8-bit charset has hardly
// any sequence that is UTF-8.
func mostlyUTF8(b []byte) bool {
	good, bad := 0, 0
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		switch {
		case r == utf8.RuneError && n == 1:
			bad++
		case n > 1:
			good++
		}
		b = b[n:]
	}
	return good > bad
}

// word is one RFC 2047 encoded word.
type word struct {
	charset string
	enc     byte // 'b' or 'q'
	text    string
	next    int // offset after the word
}

// wordScanner finds encoded words in s in linear time: the place of the next "?="
// is remembered.
type wordScanner struct {
	s   string
	end int
}

// at reads the word that begins at s[i]. Real mailers write words longer than 75
// octets, with blanks, and without blanks between them; all that is taken.
func (w *wordScanner) at(i int) (word, bool) {
	s := w.s
	if i+1 >= len(s) || s[i] != '=' || s[i+1] != '?' {
		return word{}, false
	}
	j := i + 2
	for j < len(s) && j-i < 66 && s[j] > ' ' && s[j] != '?' && s[j] < 0x7f {
		j++
	}
	if j == i+2 || j+2 >= len(s) || s[j] != '?' || s[j+2] != '?' {
		return word{}, false
	}
	enc := lower(s[j+1])
	if enc != 'b' && enc != 'q' {
		return word{}, false
	}
	text := j + 3
	if w.end < text {
		if k := strings.Index(s[text:], "?="); k >= 0 {
			w.end = text + k
		} else {
			w.end = len(s)
		}
	}
	if w.end >= len(s) {
		return word{}, false
	}
	name, _, _ := strings.Cut(s[i+2:j], "*")
	return word{charset: name, enc: enc, text: s[text:w.end], next: w.end + 2}, true
}

// decodeWords decodes the encoded words of an unfolded field (RFC 2047) and takes
// control characters out of the result. A character whose octets are spread over
// two words of one charset is put together.
func (p *parser) decodeWords(s, num string) string {
	if !strings.Contains(s, "=?") {
		if text, ok := readJIS(s); ok {
			p.defect(num, DefectCharsetGuessed, "a field in ISO-2022-JP without encoded words")
			return neutral(text)
		}
		return neutral(s)
	}
	var out joiner
	var run []byte // octets of the words that stand side by side
	var runCharset string
	flush := func() {
		if run == nil {
			return
		}
		text, defect := decodeCharset(run, runCharset)
		if defect != "" {
			p.defect(num, DefectEncodedWord, "charset "+quoteShort(runCharset))
		}
		out.add(text)
		run = nil
	}
	scan := wordScanner{s: s}
	words, literal := 0, 0
	for i := 0; i < len(s); {
		k := strings.Index(s[i:], "=?")
		if k < 0 {
			break
		}
		i += k
		w, ok := scan.at(i)
		if !ok {
			i += 2
			continue
		}
		if words++; words > p.lim.EncodedWords {
			p.defect(num, DefectWordLimit, "too many encoded words in a field")
			break
		}
		gap := s[literal:i]
		if run == nil || strings.Trim(gap, " \t") != "" {
			flush()
			out.add(gap)
		}
		if !strings.EqualFold(w.charset, runCharset) {
			flush()
		}
		runCharset = w.charset
		if w.enc == 'q' && !isASCII(w.text) {
			flush()
			run = []byte{}
			out.add(p.decodeRaw(w, num))
			i, literal = w.next, w.next
			continue
		}
		b, good := w.bytes()
		if !good {
			p.defect(num, DefectEncodedWord, "damaged encoding")
		}
		if run == nil {
			run = b
		} else {
			run = append(run, b...)
		}
		i, literal = w.next, w.next
	}
	flush()
	out.add(s[literal:])
	return neutral(out.string())
}

// joiner joins strings. A single one is not copied.
type joiner struct {
	first string
	all   strings.Builder // empty as long as there is but one
}

func (j *joiner) add(s string) {
	switch {
	case j.all.Len() > 0:
	case j.first == "":
		j.first = s
		return
	case s != "":
		j.all.WriteString(j.first)
	}
	j.all.WriteString(s)
}

func (j *joiner) string() string {
	if j.all.Len() > 0 {
		return j.all.String()
	}
	return j.first
}

// decodeRaw decodes a word in Q encoding with characters that should have been
// encoded. They have been made UTF-8 together with the field, whatever the word's charset.
func (p *parser) decodeRaw(w word, num string) string {
	p.defect(num, DefectEncodedWord, "octets that are not encoded")
	var out strings.Builder
	for s := w.text; s != ""; {
		n := strings.IndexFunc(s, func(r rune) bool { return r >= utf8.RuneSelf })
		if n < 0 {
			n = len(s)
		}
		b, _ := decodeQ(s[:n])
		text, _ := decodeCharset(b, w.charset)
		out.WriteString(text)
		s = s[n:]
		n = strings.IndexFunc(s, func(r rune) bool { return r < utf8.RuneSelf })
		if n < 0 {
			n = len(s)
		}
		out.WriteString(s[:n])
		s = s[n:]
	}
	return out.String()
}

// bytes undoes the word's encoding.
func (w word) bytes() ([]byte, bool) {
	if w.enc == 'q' {
		return decodeQ(w.text)
	}
	clean := strings.Map(func(r rune) rune {
		if r == ' ' || r == '\t' || r == '=' {
			return -1
		}
		return r
	}, w.text)
	b, err := base64.RawStdEncoding.DecodeString(clean)
	return b, err == nil
}

// decodeQ decodes the Q encoding (RFC 2047 4.2); what encodes nothing stays.
func decodeQ(s string) ([]byte, bool) {
	out := make([]byte, 0, len(s))
	ok := true
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '_':
			out = append(out, ' ')
		case c == '=' && i+2 < len(s) && unhex(s[i+1]) < 16 && unhex(s[i+2]) < 16:
			out = append(out, unhex(s[i+1])<<4|unhex(s[i+2]))
			i += 2
		default:
			ok = ok && c != '='
			out = append(out, c)
		}
	}
	return out, ok
}

// unhex returns the value of a hexadecimal digit, 16 if c is none.
func unhex(c byte) byte {
	switch {
	case c >= '0' && c <= '9':
		return c - '0'
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10
	}
	return 16
}

// neutral takes the sting out of control characters: line ends become a space,
// others U+FFFD; a tab stays.
func neutral(s string) string {
	clean := true
	for i := range len(s) {
		if s[i] < ' ' && s[i] != '\t' || s[i] == 0x7f {
			clean = false
			break
		}
	}
	if clean {
		return s
	}
	s = strings.ReplaceAll(s, "\r\n", " ")
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\r' || r == '\n':
			return ' '
		case r < ' ' && r != '\t' || r == 0x7f:
			return utf8.RuneError
		}
		return r
	}, s)
}
