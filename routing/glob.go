package routing

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
)

// glob is a local part or a domain with {name} and *.
//
// Anything beyond a literal or a lone * becomes a regular expression of package
// regexp, whose time is linear in the text however many captures there are.
type glob struct {
	literal string // the text itself when there is no {name} and no *, folded
	any     bool   // a lone *
	re      *regexp.Regexp
	prefix  string // folded literal text before the first {name} or *
	suffix  string // and after the last
	names   []string
	normal  string // equal for globs that are written alike
}

// newGlob reads s, which isn't empty. The error says what is wrong with s.
func newGlob(s string) (*glob, error) {
	g := &glob{}
	var expr, literal, normal strings.Builder
	wild := false
	expr.WriteString(`(?is)\A`)
	for i := 0; i < len(s); {
		switch s[i] {
		case '}':
			return nil, errors.New("a brace is closed that was not opened")
		case '*':
			expr.WriteString(regexp.QuoteMeta(literal.String()) + `.*`)
			normal.WriteString(fold(literal.String()) + "*")
			i++
		case '{':
			n := strings.IndexByte(s[i:], '}')
			if n < 0 {
				return nil, errors.New("a brace is not closed")
			}
			name := s[i+1 : i+n]
			if err := g.addName(name); err != nil {
				return nil, err
			}
			expr.WriteString(regexp.QuoteMeta(literal.String()) + `(?P<` + name + `>[^@]+?)`)
			normal.WriteString(fold(literal.String()) + "{}")
			i += n + 1
		default:
			literal.WriteByte(s[i])
			i++
			continue
		}
		if !wild {
			g.prefix, wild = fold(literal.String()), true
		}
		literal.Reset()
	}
	if !wild {
		g.literal = fold(s)
		g.normal = g.literal
		return g, nil
	}
	if strings.Trim(s, "*") == "" {
		g.any, g.normal = true, "*"
		return g, nil
	}
	g.suffix = fold(literal.String())
	g.normal = normal.String() + g.suffix
	expr.WriteString(regexp.QuoteMeta(literal.String()) + `\z`)
	re, err := regexp.Compile(expr.String())
	if err != nil {
		return nil, errors.New("it is not valid UTF-8")
	}
	g.re = re
	return g, nil
}

func (g *glob) addName(name string) error {
	if !isName(name) {
		return fmt.Errorf("{%s} is not a capture: a name is letters, digits and _, and begins with no digit", name)
	}
	if slices.Contains(g.names, name) {
		return fmt.Errorf("the capture {%s} stands twice", name)
	}
	g.names = append(g.names, name)
	return nil
}

// isName tells whether s may name a capture.
func isName(s string) bool {
	for i := range len(s) {
		c := s[i]
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return s != "" && len(s) <= 64
}

// match tells whether g takes text, whose folded form is given too. spans are the
// captures' places in text, a start and an end for each of g.names.
func (g *glob) match(text, folded string) (spans []int, ok bool) {
	switch {
	case g.any:
		return nil, true
	case g.re == nil:
		return nil, g.literal == folded
	case !strings.HasPrefix(folded, g.prefix) || !strings.HasSuffix(folded, g.suffix):
		return nil, false
	}
	m := g.re.FindStringSubmatchIndex(text)
	if m == nil {
		return nil, false
	}
	return m[2:], true
}

// maxProgram bounds what a regular expression may be compiled to, so that a match
// of the longest address stays far below a millisecond.
const maxProgram = 5000

// newExpr compiles the regular expression between the slashes, anchored at both
// ends and without case, and finds the domains in which it can match: those that
// each of its alternatives ends in, written out after an @. There are none if an
// alternative has no such end.
func newExpr(s string) (re *regexp.Regexp, domains []string, err error) {
	tree, err := syntax.Parse(s, syntax.Perl|syntax.FoldCase)
	if err != nil {
		var se *syntax.Error
		if errors.As(err, &se) {
			return nil, nil, fmt.Errorf("the regular expression is wrong: %s", se.Code)
		}
		return nil, nil, errors.New("the regular expression is wrong")
	}
	prog, err := syntax.Compile(tree.Simplify())
	if err != nil || len(prog.Inst) > maxProgram {
		return nil, nil, errors.New("the regular expression is too large; use smaller repeat counts")
	}
	if !mayHoldAt(tree) {
		return nil, nil, errors.New("a regular expression is matched against local-part@domain, and this one has no @")
	}
	re, err = regexp.Compile(`(?i)\A(?:` + s + `)\z`)
	if err != nil {
		return nil, nil, errors.New("the regular expression is wrong")
	}
	domains, ok := literalDomains(tree)
	if !ok {
		domains = nil
	}
	return re, domains, nil
}

// mayHoldAt tells whether re can match a text with an @ in it.
func mayHoldAt(re *syntax.Regexp) bool {
	switch re.Op {
	case syntax.OpLiteral:
		return slices.Contains(re.Rune, '@')
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		return true
	case syntax.OpCharClass:
		for i := 0; i+1 < len(re.Rune); i += 2 {
			if re.Rune[i] <= '@' && '@' <= re.Rune[i+1] {
				return true
			}
		}
	}
	return slices.ContainsFunc(re.Sub, mayHoldAt)
}

// literalDomains returns the domains that re's matches end in.
func literalDomains(re *syntax.Regexp) ([]string, bool) {
	switch re.Op {
	case syntax.OpLiteral:
		_, domain, found := cutLast(string(re.Rune), '@')
		return []string{strings.ToLower(domain)}, found && domain != ""
	case syntax.OpCapture:
		return literalDomains(re.Sub[0])
	case syntax.OpConcat:
		last := len(re.Sub) - 1
		for last > 0 && (re.Sub[last].Op == syntax.OpEndText || re.Sub[last].Op == syntax.OpEndLine) {
			last--
		}
		return literalDomains(re.Sub[last])
	case syntax.OpAlternate:
		var all []string
		for _, sub := range re.Sub {
			d, ok := literalDomains(sub)
			if !ok {
				return nil, false
			}
			all = append(all, d...)
		}
		return all, true
	}
	return nil, false
}

func cutLast(s string, c byte) (before, after string, found bool) {
	if i := strings.LastIndexByte(s, c); i >= 0 {
		return s[:i], s[i+1:], true
	}
	return s, "", false
}
