package reply

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// place is a place in HTML, known by the letters and digits before it.
type place struct {
	n    int    // how many
	hash uint64 // FNV-1a over them
}

func (p *place) add(r rune) {
	if p.n == 0 {
		p.hash = 14695981039346656037
	}
	p.n++
	p.hash = (p.hash ^ uint64(r)) * 1099511628211
}

func (p *place) addText(s string) {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c < utf8.RuneSelf {
			if ascii[c] {
				p.add(rune(c))
			}
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		if wordRune(r) {
			p.add(r)
		}
		i += n - 1
	}
}

// ascii are the letters and digits of ASCII.
var ascii = func() (set [256]bool) {
	for c := range 128 {
		set[c] = c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9'
	}
	return set
}()

func wordRune(r rune) bool {
	if r < utf8.RuneSelf {
		return ascii[byte(r)]
	}
	return unicode.IsLetter(r) || unicode.IsDigit(r)
}

// find returns the first line that is not blank with p's letters and digits above
// it, and first's at its beginning, or -1. The end of the text is line len(d.lines).
func (d *document) find(p place, first string) int {
	var have place
	for i := range d.lines {
		if d.lines[i].kind == isBlank {
			continue
		}
		if have.n >= p.n {
			if have == p && d.begins(i, first) {
				return i
			}
			if have.n > p.n {
				return -1
			}
		}
		have.addText(withoutLinks(d.text[d.lines[i].start:d.lines[i].end]))
	}
	if have == p && first == "" {
		return len(d.lines)
	}
	return -1
}

// begins tells whether the text from line i on begins with the letters and digits
// first.
func (d *document) begins(i int, first string) bool {
	for ; i < len(d.lines) && first != ""; i++ {
		for _, r := range withoutLinks(d.text[d.lines[i].start:d.lines[i].end]) {
			if !wordRune(r) {
				continue
			}
			rest, ok := strings.CutPrefix(first, string(r))
			if !ok {
				return false
			}
			if first = rest; first == "" {
				return true
			}
		}
	}
	return first == ""
}

// withoutLinks cuts what mail readers put into the plain text beside the words of the
// HTML: addresses of links and pictures.
func withoutLinks(s string) string {
	if !strings.ContainsAny(s, "<[") {
		return s
	}
	var b strings.Builder
	for s != "" {
		k := strings.IndexAny(s, "<[")
		if k < 0 {
			break
		}
		end := -1
		for _, scheme := range [...]string{"<http", "<mailto:", "<tel:", "[cid:", "[image: ", "[http"} {
			if strings.HasPrefix(s[k:], scheme) {
				end = strings.IndexAny(s[k+1:], ">]")
			}
		}
		if end < 0 {
			b.WriteString(s[:k+1])
			s = s[k+1:]
			continue
		}
		b.WriteString(s[:k])
		s = s[k+1+end+1:]
	}
	b.WriteString(s)
	return b.String()
}
