package main

import (
	"fmt"
	"os"
	"strconv"
	"testing"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// function is a tag of CloudFormation with what follows it: !Ref Queue.
type function struct {
	name  string
	value any
}

// readYAML reads a file into maps, lists, texts and functions.
func readYAML(t *testing.T, name string) any {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	file, err := parser.ParseBytes(text, 0)
	if err != nil || len(file.Docs) != 1 {
		t.Fatal(name, err)
	}
	return (&yamlReader{t: t, anchors: map[string]any{}}).read(file.Docs[0].Body)
}

type yamlReader struct {
	t       *testing.T
	anchors map[string]any
}

func (y *yamlReader) read(n ast.Node) any {
	switch n := n.(type) {
	case *ast.MappingNode:
		m := map[string]any{}
		for _, v := range n.Values {
			m[v.Key.String()] = y.read(v.Value)
		}
		return m
	case *ast.MappingValueNode:
		return map[string]any{n.Key.String(): y.read(n.Value)}
	case *ast.SequenceNode:
		list := []any{}
		for _, v := range n.Values {
			list = append(list, y.read(v))
		}
		return list
	case *ast.TagNode:
		return function{n.Start.Value, y.read(n.Value)}
	case *ast.AnchorNode:
		v := y.read(n.Value)
		y.anchors[n.Name.String()] = v
		return v
	case *ast.AliasNode:
		v, ok := y.anchors[n.Value.String()]
		if !ok {
			y.t.Errorf("no anchor %s", n.Value)
		}
		return v
	case *ast.StringNode:
		return n.Value
	case *ast.IntegerNode:
		return fmt.Sprint(n.Value)
	case *ast.BoolNode:
		return strconv.FormatBool(n.Value)
	case *ast.LiteralNode:
		return n.Value.Value
	case nil, *ast.NullNode:
		return nil
	}
	y.t.Errorf("a node of type %T", n)
	return nil
}

// at follows a path of keys and of numbers.
func at(t *testing.T, v any, path ...any) any {
	t.Helper()
	for _, p := range path {
		switch p := p.(type) {
		case string:
			m, ok := v.(map[string]any)
			if !ok || m[p] == nil {
				t.Fatalf("no %q in %.200v", p, v)
			}
			v = m[p]
		case int:
			list, ok := v.([]any)
			if !ok || p >= len(list) {
				t.Fatalf("no element %d in %.200v", p, v)
			}
			v = list[p]
		}
	}
	return v
}
