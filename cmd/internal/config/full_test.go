package config

import (
	"os"
	"testing"

	"github.com/goccy/go-yaml/ast"
)

// TestTheFullExampleHasEveryKey wants examples/configs/full.yaml to show each key of the
// table where it belongs.
func TestTheFullExampleHasEveryKey(t *testing.T) {
	const file = "../../../examples/configs/full.yaml"
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	d := &decoder{file: file}
	have := map[string]bool{}
	collect(have, "", d.parse(data))
	for _, k := range keys {
		if !have[k.section+"."+k.name] && !have[k.section+"."+k.name+"_file"] {
			t.Errorf("%s lacks %s of %q; add it", file, k.name, k.section)
		}
	}
}

// collect notes the keys of a mapping by the names of their sections in the table.
func collect(have map[string]bool, section string, n ast.Node) {
	for _, v := range childrenOf(n) {
		name := nameOf(v)
		have[section+"."+name] = true
		list, isList := v.Value.(*ast.SequenceNode)
		switch k, _ := find(section, name); {
		case k.kind == kindNames && section == "" && name == "sinks":
			for _, sink := range childrenOf(v.Value) {
				kind, _ := child(sink.Value, "type")
				collect(have, rawOf(kind), sink.Value)
			}
		case k.kind == kindMapping && !isList:
			collect(have, sectionOf(section, name), v.Value)
		case k.kind == kindMappings && isList:
			for _, e := range list.Values {
				collect(have, sectionOf(section, name)+"[]", e)
			}
		}
	}
}
