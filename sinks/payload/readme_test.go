package payload

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the golden files")

const (
	tableStart = "<!-- made of schema.json by go test ./sinks/payload -update -->\n"
	tableEnd   = "<!-- end -->\n"
)

func TestREADMETellsTheSchema(t *testing.T) {
	p, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok1 := strings.Cut(string(p), tableStart)
	_, after, ok2 := strings.Cut(rest, tableEnd)
	if !ok1 || !ok2 {
		t.Fatal("README.md has no place for the table")
	}
	want := before + tableStart + fieldTable(schemaTree(t)) + tableEnd + after
	if string(p) == want {
		return
	}
	if !*update {
		t.Fatal("README.md differs from the schema; go test ./sinks/payload -update writes it")
	}
	if err := os.WriteFile("README.md", []byte(want), 0o644); err != nil {
		t.Fatal(err)
	}
}

// fieldTable returns a row for each key of the payload, in order.
func fieldTable(tree map[string]any) string {
	var b strings.Builder
	b.WriteString("| field | type | where it comes from, when it is empty |\n|---|---|---|\n")
	var walk func(path string, s map[string]any)
	walk = func(path string, s map[string]any) {
		properties, _ := s["properties"].(map[string]any)
		required, _ := s["required"].([]any)
		for _, name := range required {
			own := properties[name.(string)].(map[string]any)
			at := path + name.(string)
			inner, text := resolve(tree, own)
			suffix := "."
			if items, ok := inner["items"].(map[string]any); ok {
				inner, _ = resolve(tree, items)
				suffix = "[]."
			}
			fmt.Fprintf(&b, "| `%s` | %s | %s |\n", at, typeOf(tree, own), strings.NewReplacer("|", `\|`, "<", `\<`).Replace(text))
			walk(at+suffix, inner)
		}
	}
	walk("", tree)
	return b.String()
}

// resolve follows $ref, and anyOf to what isn't null. The description is the
// outermost one.
func resolve(tree, s map[string]any) (inner map[string]any, description string) {
	description, _ = s["description"].(string)
	next := s
	if ref, ok := s["$ref"].(string); ok {
		next = tree["$defs"].(map[string]any)[strings.TrimPrefix(ref, "#/$defs/")].(map[string]any)
	} else if alternatives, ok := s["anyOf"].([]any); ok {
		next = alternatives[len(alternatives)-1].(map[string]any)
	}
	if _, ok := next["$ref"]; !ok && next["anyOf"] == nil {
		if description == "" {
			description, _ = next["description"].(string)
		}
		return next, description
	}
	inner, text := resolve(tree, next)
	if description == "" {
		description = text
	}
	return inner, description
}

// typeOf names the type of a key in words.
func typeOf(tree, s map[string]any) string {
	var names []string
	add := func(v any) { names = append(names, fmt.Sprint(v)) }
	switch t := s["type"].(type) {
	case string:
		add(t)
	case []any:
		for _, x := range t {
			add(x)
		}
	}
	for _, x := range anyList(s["enum"]) {
		add(fmt.Sprintf("`%q`", x))
	}
	if c, ok := s["const"]; ok {
		add(fmt.Sprintf("`%q`", c))
	}
	for _, x := range anyList(s["anyOf"]) {
		x := x.(map[string]any)
		if f, ok := x["format"].(string); ok {
			add(f)
			continue
		}
		add(typeOf(tree, x))
	}
	if _, ok := s["$ref"]; ok {
		inner, _ := resolve(tree, s)
		add(typeOf(tree, inner))
	}
	if f, ok := s["format"].(string); ok {
		names[0] = f
	}
	if f, ok := s["contentEncoding"].(string); ok {
		names[0] = f
	}
	if items, ok := s["items"].(map[string]any); ok {
		return "array of " + typeOf(tree, items)
	}
	return strings.Join(names, " or ")
}

func anyList(v any) []any {
	l, _ := v.([]any)
	return l
}
