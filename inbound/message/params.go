package message

import (
	"path"
	"strconv"
	"strings"
	"unicode/utf8"
)

// params are the parameters of a MIME field in their order (RFC 2045 5.1), RFC 2231
// put together.
type params []param

type param struct{ name, value string }

// get returns the first parameter of that name, which is lower case.
func (ps params) get(name string) string {
	for _, p := range ps {
		if p.name == name {
			return p.value
		}
	}
	return ""
}

// segment is a parameter as written: name, name*, name*3 or name*3*.
type segment struct {
	name  string
	index int // -1 without one
	ext   bool
	value string
}

// parseParams splits an unfolded field into its first word, in lower case, and its
// parameters. It takes what mailers write: no quotes around blanks, no semicolon,
// no closing quote.
func (p *parser) parseParams(s, num string) (string, params) {
	i := 0
	for i < len(s) && s[i] != ';' && s[i] != ' ' && s[i] != '\t' && s[i] != '(' {
		i++
	}
	head := strings.ToLower(strings.Trim(neutral(s[:i]), `"`))
	if strings.Contains(head, "=") && !strings.Contains(head, "/") {
		head, i = "", 0 // the first word is missing
	}
	var few [4]segment
	segs := few[:0]
	for i < len(s) {
		var seg segment
		var ok bool
		if seg, i, ok = nextParam(s, i); !ok {
			continue
		}
		if len(segs) >= p.lim.Parameters {
			p.defect(num, DefectParamLimit, "too many parameters")
			break
		}
		segs = append(segs, seg)
	}
	return head, p.join(segs, num)
}

// nextParam reads one parameter at s[i:] and returns where the next may begin.
func nextParam(s string, i int) (segment, int, bool) {
	for i < len(s) && (s[i] == ';' || s[i] == ' ' || s[i] == '\t') {
		i++
	}
	if i < len(s) && s[i] == '(' {
		return segment{}, skipComment(s, i), false
	}
	start := i
	end := len(s) // of the name
	for i < len(s) && s[i] != '=' && s[i] != ';' {
		if s[i] == '(' { // a comment stands where a blank may, so before the = too
			end = min(end, i)
			i = skipComment(s, i)
			continue
		}
		i++
	}
	name := strings.ToLower(strings.TrimSpace(s[start:min(end, i)]))
	if i == len(s) || s[i] == ';' {
		return segment{}, i, false
	}
	for i++; i < len(s) && (s[i] == ' ' || s[i] == '\t'); i++ {
	}
	value, i := paramValue(s, i)
	seg := segment{name: name, index: -1, value: value}
	if base, rest, found := strings.Cut(name, "*"); found {
		seg.name = base
		seg.ext = rest == "" || strings.HasSuffix(rest, "*")
		if rest = strings.TrimSuffix(rest, "*"); rest != "" {
			n, err := strconv.Atoi(rest)
			if err != nil || n < 0 {
				return segment{}, i, false
			}
			seg.index = n
		}
	}
	return seg, i, seg.name != ""
}

// paramValue reads a token or quoted string at s[i:] up to the next semicolon.
func paramValue(s string, i int) (string, int) {
	if i >= len(s) || s[i] != '"' {
		n := strings.IndexByte(s[i:], ';')
		if n < 0 {
			n = len(s) - i
		}
		return strings.TrimSpace(s[i : i+n]), i + n
	}
	var b strings.Builder
	for i++; i < len(s) && s[i] != '"'; i++ {
		// A backslash before anything else is one of a Windows path.
		if s[i] == '\\' && i+1 < len(s) && (s[i+1] == '"' || s[i+1] == '\\') {
			i++
		}
		b.WriteByte(s[i])
	}
	for i < len(s) && s[i] != ';' && !(s[i] == ' ' || s[i] == '\t') {
		i++
	}
	return b.String(), i
}

func skipComment(s string, i int) int {
	for depth := 0; i < len(s); i++ {
		switch s[i] {
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return i
}

// join puts RFC 2231 segments together in their order, whatever the order in which
// they stand; of two with one number the first counts. An encoded parameter wins
// over a plain one of its name.
func (p *parser) join(segs []segment, num string) params {
	var out params
	for i, s := range segs {
		if out.has(s.name) {
			continue
		}
		if !hasExtended(segs[i:], s.name) {
			out = append(out, param{s.name, s.value})
			continue
		}
		out = append(out, param{s.name, p.joined(segs[i:], s.name, num)})
	}
	return out
}

func (ps params) has(name string) bool {
	for _, p := range ps {
		if p.name == name {
			return true
		}
	}
	return false
}

func hasExtended(segs []segment, name string) bool {
	for _, s := range segs {
		if s.name == name && (s.ext || s.index >= 0) {
			return true
		}
	}
	return false
}

func (p *parser) joined(segs []segment, name, num string) string {
	byIndex := make(map[int]segment)
	last := -1
	for _, s := range segs {
		if s.name != name || (s.index < 0 && !s.ext) {
			continue
		}
		if s.index < 0 {
			// name*= holds all of it.
			charset, b := extended(s.value, true)
			return p.fromCharset(b, charset, num)
		}
		if _, dup := byIndex[s.index]; !dup && s.index < p.lim.Parameters {
			byIndex[s.index] = s
			last = max(last, s.index)
		}
	}
	var charset string
	var all []byte
	first := true
	for i := 0; i <= last; i++ {
		s, ok := byIndex[i]
		if !ok {
			continue
		}
		if !s.ext {
			all = append(all, s.value...)
		} else {
			cs, b := extended(s.value, first)
			if first {
				charset = cs
			}
			all = append(all, b...)
		}
		first = false
	}
	return p.fromCharset(all, charset, num)
}

// extended undoes the percent encoding of one segment, of which the first begins
// with charset'language' (RFC 2231 4).
func extended(s string, first bool) (charset string, b []byte) {
	if first {
		if cs, rest, ok := strings.Cut(s, "'"); ok {
			if _, text, ok := strings.Cut(rest, "'"); ok {
				charset, s = cs, text
			}
		}
	}
	b = make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) && unhex(s[i+1]) < 16 && unhex(s[i+2]) < 16 {
			b = append(b, unhex(s[i+1])<<4|unhex(s[i+2]))
			i += 2
			continue
		}
		b = append(b, s[i])
	}
	return charset, b
}

func (p *parser) fromCharset(b []byte, charset, num string) string {
	text, defect := decodeCharset(b, charset)
	if defect != "" {
		p.defect(num, DefectEncodedWord, "parameter in charset "+quoteShort(charset))
	}
	return text
}

// filename returns the name that a part's sender gave it, decoded, control
// characters neutralised, at most as long as the limit; "" without one.
func (p *parser) filename(pt *part) string {
	name := pt.dispParams.get("filename")
	if name == "" {
		name = pt.params.get("name")
	}
	return p.fitName(strings.TrimSpace(p.decodeWords(name, pt.num)), pt.num)
}

// fitName cuts a file name that is too long, before its extension.
func (p *parser) fitName(name, num string) string {
	if len(name) <= p.lim.Filename {
		return name
	}
	p.defect(num, DefectFilenameLimit, "the file name is longer than the limit")
	ext := path.Ext(name)
	if len(ext) > 16 || len(ext) >= p.lim.Filename {
		ext = ""
	}
	stem := name[:p.lim.Filename-len(ext)]
	for len(stem) > 0 && !utf8.RuneStart(name[len(stem)]) {
		stem = stem[:len(stem)-1]
	}
	return stem + ext
}
