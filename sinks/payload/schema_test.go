package payload

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// schemaTree returns the schema as it stands.
func schemaTree(t testing.TB) map[string]any {
	t.Helper()
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(Schema()))
	if err != nil {
		t.Fatal(err)
	}
	return v.(map[string]any)
}

// strictSchema compiles the schema with two tightenings for tests: no key that it
// doesn't name, and formats and encodings are asserted.
func strictSchema(t testing.TB) *jsonschema.Schema {
	t.Helper()
	tree := schemaTree(t)
	eachObject(tree, "", func(_ string, o map[string]any) { o["additionalProperties"] = false })
	return compile(t, tree)
}

func compile(t testing.TB, tree any) *jsonschema.Schema {
	t.Helper()
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	c.AssertContent()
	if err := c.AddResource("mxhook.json", tree); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("mxhook.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// eachObject calls f for each schema that lists properties.
func eachObject(v any, path string, f func(path string, o map[string]any)) {
	switch v := v.(type) {
	case map[string]any:
		if _, ok := v["properties"]; ok && v["type"] == "object" {
			f(path, v)
		}
		for _, k := range slices.Sorted(maps.Keys(v)) {
			eachObject(v[k], path+"/"+k, f)
		}
	case []any:
		for i, x := range v {
			eachObject(x, fmt.Sprintf("%s/%d", path, i), f)
		}
	}
}

// validate fails the test if p is not what the strict schema wants.
func validate(t testing.TB, s *jsonschema.Schema, name string, p []byte) {
	t.Helper()
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(p))
	if err != nil {
		t.Fatalf("%s: %v\n%.2000s", name, err, p)
	}
	if err := s.Validate(v); err != nil {
		t.Fatalf("%s: %v\n%.2000s", name, err, p)
	}
}

func TestSchemaIsValidJSONSchema2020(t *testing.T) {
	tree := schemaTree(t)
	if tree["$schema"] != "https://json-schema.org/draft/2020-12/schema" {
		t.Errorf("$schema is %v", tree["$schema"])
	}
	compile(t, tree) // the compiler validates against the metaschema
}

func TestSchemaRequiresAndDescribesEachKey(t *testing.T) {
	n := 0
	eachObject(schemaTree(t), "", func(path string, o map[string]any) {
		properties := o["properties"].(map[string]any)
		var required []string
		for _, r := range o["required"].([]any) {
			required = append(required, r.(string))
		}
		if got, want := slices.Sorted(slices.Values(required)), slices.Sorted(maps.Keys(properties)); !slices.Equal(got, want) {
			t.Errorf("%s: required %v, properties %v", path, got, want)
		}
		if o["description"] == nil {
			t.Errorf("%s has no description", path)
		}
		if _, ok := o["additionalProperties"]; ok {
			t.Errorf("%s: a reader must be ready for new keys", path)
		}
		for name, p := range properties {
			n++
			p := p.(map[string]any)
			if p["description"] == nil && p["$ref"] == nil {
				t.Errorf("%s/%s has no description", path, name)
			}
		}
	})
	if n < 100 {
		t.Errorf("only %d keys seen", n)
	}
}

func TestSchemaRefuses(t *testing.T) {
	s := strictSchema(t)
	whole := readAll(t, native1(t, fullEvent(same), Include{HTML: true, Raw: "inline"}))
	validate(t, s, "the whole", whole)
	for _, c := range []struct{ name, old, new string }{
		{"another schema", `"mxhook.v1"`, `"mxhook.v2"`},
		{"an unknown key", `"route":`, `"more":1,"route":`},
		{"a missing key", `"route":"tickets",`, ``},
		{"an id of another shape", testID, "msg_1"},
		{"a time without milliseconds", `:00.123Z`, `:00Z`},
		{"a time that is none", `2026-11-21T10:00`, `2026-31-21T10:00`},
		{"a date with an offset", `09:59:58Z`, `09:59:58+00:00`},
		{"no recipient", `"recipients":[`, `"recipients":[],"x":[`},
		{"null for an array", `"in_reply_to":["<0@sender.example>"]`, `"in_reply_to":null`},
		{"null for a text", `"subject":"Hello"`, `"subject":null`},
		{"an unknown result", `"result":"softfail"`, `"result":"ok"`},
		{"an unknown class", `"class":"list"`, `"class":"spam"`},
		{"content that is no base64", `"content":"JV`, `"content":"*V`},
		{"no address", `"192.0.2.1"`, `"mail.sender.example"`},
		{"a digest in capitals", `"sha256":"`, `"sha256":"AA`},
		{"a negative size", `"size":`, `"size":-`},
	} {
		p := strings.Replace(string(whole), c.old, c.new, 1)
		if p == string(whole) {
			t.Fatalf("%s: nothing to replace", c.name)
		}
		var v any
		if err := json.Unmarshal([]byte(p), &v); err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if s.Validate(v) == nil {
			t.Errorf("%s is taken", c.name)
		}
	}
}
