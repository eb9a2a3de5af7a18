package authres

import (
	"strings"
	"unicode/utf8"
)

// maxStatements is how many statements of a field are read. A field with more is not
// read at all.
const maxStatements = 100

// Parse reads the body of an Authentication-Results field (RFC 8601 2.2), folded or
// not. It is false for anything that two readers may read in two ways: comments and
// quotes that don't end, control characters, broken UTF-8, text where none may stand.
// Properties without a type ("action=none"), which some write, have an empty Type.
// Methods, results, types and names are in lower case, comments are dropped. What it
// says is a claim of whoever wrote it.
func Parse(body string) (authservID string, statements []Statement, ok bool) {
	if !utf8.ValidString(body) || strings.ContainsFunc(body, func(r rune) bool {
		return r < ' ' && r != '\t' && r != '\r' && r != '\n' || r == 0x7f
	}) {
		return "", nil, false
	}
	p := parser{rest: body}
	if authservID, ok = p.value(); !ok || strings.Contains(authservID, "=") {
		return "", nil, false // a statement where the id should be
	}
	p.skip()
	p.digits() // the version
	for p.skip(); p.rest != ""; p.skip() {
		if !p.take(';') {
			return "", nil, false
		}
		p.skip()
		if p.rest == "" {
			break // a final semicolon is usual
		}
		s, ok := p.statement()
		if !ok || len(statements) == maxStatements {
			return "", nil, false
		}
		if s.Method != "" {
			statements = append(statements, s)
		}
	}
	return authservID, statements, !p.broken
}

// CutInstance reads the instance at the beginning of an ARC-Authentication-Results
// field's body and gives what follows its semicolon (RFC 8617 4.1.1).
func CutInstance(body string) (instance int, rest string, ok bool) {
	p := parser{rest: body}
	p.skip()
	if !strings.EqualFold(p.word(), "i") {
		return 0, "", false
	}
	p.skip()
	if !p.take('=') {
		return 0, "", false
	}
	p.skip()
	n := p.digits()
	p.skip()
	if len(n) == 0 || len(n) > 2 || !p.take(';') || p.broken {
		return 0, "", false
	}
	for _, c := range n {
		instance = 10*instance + int(c-'0')
	}
	return instance, p.rest, true
}

type parser struct {
	rest   string
	broken bool // a comment doesn't end
}

// skip steps over blanks and comments, and reports whether there were any.
func (p *parser) skip() bool {
	rest, ok := skipCFWS(p.rest)
	p.broken = p.broken || !ok
	skipped := len(rest) < len(p.rest)
	p.rest = rest
	return skipped
}

func (p *parser) take(c byte) bool {
	if p.rest == "" || p.rest[0] != c {
		return false
	}
	p.rest = p.rest[1:]
	return true
}

// cut takes the bytes for which ok holds.
func (p *parser) cut(ok func(byte) bool) string {
	n := 0
	for n < len(p.rest) && ok(p.rest[n]) {
		n++
	}
	s := p.rest[:n]
	p.rest = p.rest[n:]
	return s
}

func (p *parser) digits() string { return p.cut(func(c byte) bool { return '0' <= c && c <= '9' }) }

func (p *parser) word() string {
	return p.cut(func(c byte) bool {
		return 'a' <= c|0x20 && c|0x20 <= 'z' || '0' <= c && c <= '9' || c == '-' || c == '_'
	})
}

// value reads what a property may be: pieces of text and quoted-strings without a
// blank between them, such as "a b"@sender.example.
func (p *parser) value() (string, bool) {
	p.skip()
	var b strings.Builder
	for p.rest != "" {
		if p.rest[0] == '"' {
			text, rest, ok := quoted(p.rest)
			if !ok {
				return "", false
			}
			b.WriteString(text)
			p.rest = rest
			continue
		}
		text := p.cut(func(c byte) bool { return c > ' ' && strings.IndexByte(`()",;\`, c) < 0 })
		if text == "" {
			break
		}
		b.WriteString(text)
	}
	return b.String(), b.Len() > 0
}

// statement reads one resinfo, without its semicolon. "none" is one without a method.
func (p *parser) statement() (s Statement, ok bool) {
	method := strings.ToLower(p.word())
	p.skip()
	if p.take('/') {
		p.skip()
		if p.digits() == "" {
			return s, false
		}
		p.skip()
	}
	if method == "none" && (p.rest == "" || p.rest[0] == ';') {
		return s, true
	}
	if method == "" || !p.take('=') {
		return s, false
	}
	p.skip()
	s.Method, s.Result = Method(method), Result(strings.ToLower(p.word()))
	if s.Result == "" {
		return s, false
	}
	for {
		blank := p.skip()
		if p.rest == "" || p.rest[0] == ';' {
			return s, true
		}
		if !blank {
			return s, false // "pass.x": the word was not all of it
		}
		if !p.property(&s) {
			return s, false
		}
	}
}

func (p *parser) property(s *Statement) bool {
	var property Property
	first := strings.ToLower(p.word())
	p.skip()
	if property.Name = first; p.take('.') {
		p.skip()
		property.Type, property.Name = first, strings.ToLower(p.word())
		p.skip()
	}
	if property.Name == "" || !p.take('=') {
		return false
	}
	value, ok := p.value()
	if !ok {
		return false
	}
	if property.Value = value; property.Type == "" && property.Name == "reason" {
		s.Reason = value
		return true
	}
	s.Properties = append(s.Properties, property)
	return true
}
