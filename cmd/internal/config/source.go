package config

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// Bounds of a file. The parser's time grows with the square of nesting and of a
// mapping's width.
const (
	maxFile    = 4 << 20
	maxNesting = 32
	maxTopKeys = 1000
)

// place is where something stands, counted from 1, in characters.
type place struct{ line, column int }

func placeOf(t *token.Token) place {
	if t == nil || t.Position == nil {
		return place{1, 1}
	}
	return place{max(t.Position.Line, 1), max(t.Position.Column, 1)}
}

// at returns where a node begins. A block mapping begins at its first key.
func at(n ast.Node) place {
	switch n := n.(type) {
	case nil:
		return place{1, 1}
	case *ast.MappingNode:
		if !n.IsFlowStyle && len(n.Values) > 0 {
			return at(n.Values[0].Key)
		}
	case *ast.MappingValueNode:
		return at(n.Key)
	}
	return placeOf(n.GetToken())
}

// parse reads the text of a file into the body of its one document, nil after a
// fault.
func (d *decoder) parse(data []byte) ast.Node {
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	switch {
	case len(data) > maxFile:
		d.fault(place{}, "the file is larger than %d MiB", maxFile>>20)
		return nil
	case !utf8.Valid(data):
		d.fault(invalidAt(data), "the file is not UTF-8 here; save it as UTF-8")
		return nil
	}
	f, err := parseYAML(string(data))
	var fault *shapeFault
	var syntax yaml.Error
	switch {
	case errors.As(err, &fault):
		d.fault(fault.place, "%s", fault.text)
		return nil
	case errors.As(err, &syntax):
		d.syntaxFault(placeOf(syntax.GetToken()), syntax.GetMessage(), data)
		return nil
	case err != nil:
		d.fault(place{}, "this is no YAML that can be read")
		return nil
	}
	return d.document(f)
}

// document returns the body of the one document of f.
func (d *decoder) document(f *ast.File) ast.Node {
	var body ast.Node
	for _, doc := range f.Docs {
		switch {
		case doc.Body == nil:
		case doc.Body.Type() == ast.DirectiveType:
			d.fault(at(doc.Body), "YAML directives are not taken; remove the line")
		case body != nil:
			d.fault(at(doc.Body), "a second document begins here; a configuration is one document, without ---")
			return body
		default:
			body = doc.Body
		}
	}
	if body == nil && len(d.problems) == 0 {
		d.fault(place{1, 1}, "the file is empty; it needs at least hostname, sinks and routes")
	}
	return body
}

type shapeFault struct {
	place place
	text  string
}

func (f *shapeFault) Error() string { return f.text }

// parseYAML parses what the bounds allow. The parser is not ours and the file may
// be anything, so that a panic of it becomes an error.
func parseYAML(s string) (f *ast.File, err error) {
	defer func() {
		if recover() != nil {
			f, err = nil, errors.New("the YAML parser panicked")
		}
	}()
	tokens := lexer.Tokenize(s)
	if err := checkShape(tokens); err != nil {
		return nil, err
	}
	return parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
}

// checkShape refuses what would take the parser too long.
func checkShape(tokens token.Tokens) error {
	depth, top, line, dashes := 0, 0, 0, 0
	for _, t := range tokens {
		if l := t.Position.Line; l != line {
			line, dashes = l, 0
		}
		switch t.Type {
		case token.SequenceStartType, token.MappingStartType:
			depth++
		case token.SequenceEndType, token.MappingEndType:
			depth = max(0, depth-1)
		case token.SequenceEntryType, token.MappingKeyType, token.TagType, token.AnchorType:
			dashes++
		case token.MappingValueType:
			if t.Prev != nil && t.Prev.Position.Column == 1 {
				top++
			}
		}
		switch {
		case depth > maxNesting || dashes > maxNesting || t.Position.IndentNum > 8*maxNesting:
			return &shapeFault{placeOf(t), fmt.Sprintf("nested deeper than %d levels", maxNesting)}
		case top > maxTopKeys:
			return &shapeFault{placeOf(t), "too many keys at the top of the file"}
		}
	}
	return nil
}

// syntaxFault words an error of the parser, whose text holds nothing of the file.
func (d *decoder) syntaxFault(p place, text string, data []byte) {
	line := lineOf(data, p.line)
	switch {
	case strings.Contains(text, `\t`) || strings.Contains(text, "\t"):
		text = "a tab can't indent in YAML; use spaces"
	case strings.Contains(line, "${") && strings.Contains(text, "must be specified"):
		text += `; inside { } and [ ] put "${NAME}" in quotes`
	case strings.ContainsAny(text, "\"\n"):
		text = "this is not valid here"
	}
	d.fault(p, "YAML: %s", text)
}

func lineOf(data []byte, n int) string {
	for line := range bytes.Lines(data) {
		if n--; n == 0 {
			return string(line)
		}
	}
	return ""
}

// invalidAt returns where data stops being UTF-8.
func invalidAt(data []byte) place {
	p := place{1, 1}
	for len(data) > 0 {
		r, n := utf8.DecodeRune(data)
		if r == utf8.RuneError && n == 1 {
			break
		}
		p.column++
		if r == '\n' {
			p = place{p.line + 1, 1}
		}
		data = data[n:]
	}
	return p
}
