package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// decoder walks a file and collects what is wrong with it. What it hides never
// stands in a problem's text.
type decoder struct {
	file       string
	env        func(string) (string, bool)
	host       func() (string, error)
	problems   []Problem
	stores     []storeUse // the sinks that others store in
	overflows  []storeUse // the sinks that take what a queue can't
	sourceUses []sourceUse
	hidden     []hidden
}

// hidden is a value and what stands for it in a problem.
type hidden struct{ value, instead string }

func (d *decoder) fault(p place, format string, args ...any) {
	d.problems = append(d.problems, Problem{File: d.file, Line: p.line, Column: p.column, Text: fmt.Sprintf(format, args...)})
}

func (d *decoder) warn(p place, format string, args ...any) {
	d.fault(p, format, args...)
	d.problems[len(d.problems)-1].Warning = true
}

// hide keeps a value out of every problem. One of one or two characters would
// garble the texts and tells nothing; those are never quoted in the first place.
func (d *decoder) hide(value, instead string) {
	if len(value) > 2 {
		d.hidden = append(d.hidden, hidden{value, instead})
	}
}

// clean returns the problems in order, without what is hidden. The longest values
// go first, so that one that holds another leaves nothing of it.
func (d *decoder) clean() []Problem {
	slices.SortStableFunc(d.hidden, func(a, b hidden) int { return len(b.value) - len(a.value) })
	for i := range d.problems {
		p := &d.problems[i]
		for _, h := range d.hidden {
			if h.value != h.instead && strings.Contains(p.Text, h.value) {
				p.Text = strings.ReplaceAll(p.Text, h.value, h.instead)
			}
		}
	}
	return byPlace(d.problems)
}

// pair is a key with its value.
type pair struct {
	name  string
	place place // of the key
	value ast.Node
}

// pairs returns what a mapping holds, without repetitions; false if n is none.
func (d *decoder) pairs(n ast.Node, what string) ([]pair, bool) {
	var values []*ast.MappingValueNode
	switch n := d.plain(n).(type) {
	case nil:
		return nil, false
	case *ast.MappingNode:
		values = n.Values
	case *ast.MappingValueNode:
		values = []*ast.MappingValueNode{n}
	default:
		d.fault(at(n), "%s must be a mapping, {key: value}, not %s", what, nodeWord(n))
		return nil, false
	}
	var list []pair
	seen := make(map[string]place, len(values))
	for _, v := range values {
		name, ok := d.keyName(v.Key, what)
		if !ok {
			continue
		}
		p := at(v.Key)
		if first, twice := seen[name]; twice {
			d.fault(p, "key %s stands twice in %s; the first is in line %d", quote(name), what, first.line)
			continue
		}
		seen[name] = p
		list = append(list, pair{name, p, v.Value})
	}
	return list, true
}

// keyName returns the text of a key.
func (d *decoder) keyName(n ast.MapKeyNode, what string) (string, bool) {
	switch n := n.(type) {
	case *ast.StringNode:
		return n.Value, true
	case *ast.MergeKeyNode:
		d.fault(at(n), "merge keys are not taken; write the keys out")
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.NullNode, *ast.LiteralNode:
		return n.GetToken().Value, true
	default:
		d.fault(at(n), "a key of %s must be a plain word", what)
	}
	return "", false
}

// plain returns n unless it is something that YAML has and a configuration does
// not need, nil after the fault.
func (d *decoder) plain(n ast.Node) ast.Node {
	switch n := n.(type) {
	case *ast.AnchorNode:
		d.fault(at(n), "anchors are not taken; write the value out where it is needed")
	case *ast.AliasNode:
		d.fault(at(n), "aliases are not taken; write the value out")
	case *ast.TagNode:
		d.fault(at(n), "tags are not taken; remove it")
	default:
		return n
	}
	return nil
}

// nodeWord says what a node is, for the text of a fault.
func nodeWord(n ast.Node) string {
	switch n.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
		return "a mapping"
	case *ast.SequenceNode:
		return "a list"
	case *ast.NullNode:
		return "nothing"
	case *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		return "a number"
	case *ast.BoolNode:
		return "true or false"
	}
	return "text"
}

// scalar is a single value.
type scalar struct {
	raw      string // as it stands in the file
	text     string // with its variables expanded
	expanded bool
	place    place
	node     ast.Node
	ok       bool // false after a fault
}

// quote returns a text for a problem, shortened.
func quote(s string) string {
	if len(s) > 100 {
		s = strings.ToValidUTF8(s[:100], "") + "…"
	}
	return strconv.Quote(s)
}

// scalar reads a single value. A secret's text is hidden from all problems.
func (d *decoder) scalar(n ast.Node, what string, secret bool) scalar {
	s := scalar{place: at(n), node: d.plain(n)}
	switch n := s.node.(type) {
	case nil:
		return s
	case *ast.StringNode:
		s.raw = n.Value
	case *ast.LiteralNode:
		s.raw = n.Value.Value
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		s.raw = n.GetToken().Value
	case *ast.NullNode:
		d.fault(s.place, "%s has no value; give it one or remove the key", what)
		return s
	default:
		d.fault(s.place, "%s must be a single value, not %s", what, nodeWord(n))
		return s
	}
	s.text, s.expanded, s.ok = d.expand(s.raw, s.place)
	if secret && s.ok {
		d.hide(s.text, redacted)
	}
	return s
}
