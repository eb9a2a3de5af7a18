package config

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// LoadEffective reads the file at path as Load does, and returns it as Effective does.
func LoadEffective(path string, env func(string) (string, bool)) (text []byte, problems []Problem) {
	c, problems := Load(path, env)
	if c == nil {
		return nil, problems
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, []Problem{{File: path, Text: "can't be read"}}
	}
	return Effective(path, data, env)
}

// Effective reads a configuration as Parse does and writes it out with every default
// filled in, as YAML that gives the same Config. Variables stand as they were written,
// and in the place of a secret that was written out stands a variable, so that the text
// may be shown: a comment says so. Without a Config the text is nil.
func Effective(name string, data []byte, env func(string) (string, bool)) (text []byte, problems []Problem) {
	d := &decoder{file: name, env: env, host: os.Hostname}
	c := d.config(data)
	problems = d.clean()
	if c == nil || faulty(problems) {
		return nil, problems
	}
	w := newWriter(c)
	w.file((&decoder{file: name, env: env}).parse(data))
	return w.b.Bytes(), problems
}

// writer writes a configuration that has no fault. The table of the keys leads it, so
// that a new key needs nothing here.
type writer struct {
	c      *Config
	b      bytes.Buffer
	hidden map[string]string // what the variables stand for that were put in the place of secrets
}

func newWriter(c *Config) *writer { return &writer{c: c, hidden: map[string]string{}} }

// scope is the mapping that is being written.
type scope struct {
	section string // in the table
	indent  string
	path    []string         // names above it, of which variables are made
	fixed   map[string]fixed // by key; one with a dot is of a mapping below
	tls     *TLS             // of the listener
}

// fixed is a value that does not come from the file or the table alone.
type fixed struct {
	text, comment string
	always        bool // also in the place of one in the file
}

func (w *writer) line(s scope, text, comment string) {
	text = strings.Replace(text, ": \n", ":\n", 1)
	if comment != "" {
		text += "  # " + comment
	}
	w.b.WriteString(s.indent + text + "\n")
}

// file writes the whole file.
func (w *writer) file(body ast.Node) {
	top := scope{fixed: map[string]fixed{"hostname": {text: quoteYAML(w.c.Hostname), comment: "this host's name"}}}
	if _, has := child(body, "listeners"); !has && len(w.c.Listeners) > 0 {
		l := w.c.Listeners[0]
		top.fixed["listeners"] = fixed{comment: "default", text: fmt.Sprintf("\n  - address: %s\n    kind: %s\n    tls:\n      mode: %s\n      min_version: %s",
			quoteYAML(l.Address), l.Kind, l.TLS.Mode, l.TLS.MinVersion)}
	}
	w.mapping(top, body)
}

// mapping writes the keys of a section, in the table's order: those of the file as they
// were written, and the defaults of the others.
func (w *writer) mapping(s scope, n ast.Node) {
	for _, k := range keys {
		if k.section != s.section {
			continue
		}
		if k.secret {
			if file, ok := child(n, k.name+"_file"); ok {
				w.value(s, key{section: s.section, name: k.name + "_file", kind: k.kind}, file)
				continue
			}
		}
		f, isFixed := s.fixed[k.name]
		v, given := child(n, k.name)
		switch {
		case given && !f.always:
			w.value(s, k, v)
		case isFixed:
			w.line(s, k.name+": "+f.text, f.comment)
		case k.byDefault != "":
			w.line(s, k.name+": "+defaultYAML(k), "default")
		case k.kind == kindMapping && !meansSomething(s.section, k.name):
			w.sub(s, k, nil)
		}
	}
}

// meansSomething tells whether a mapping says something by being there, so that its
// defaults can't stand alone.
func meansSomething(section, name string) bool { return section == "routes[]" && name == "accept" }

// value writes a key that stands in the file.
func (w *writer) value(s scope, k key, n ast.Node) {
	switch k.kind {
	case kindMapping:
		if list, ok := n.(*ast.SequenceNode); ok { // tls
			w.elements(s, k, list, sectionOf(s.section, k.name))
			return
		}
		w.sub(s, k, n)
	case kindMappings:
		if list, ok := n.(*ast.SequenceNode); ok {
			w.elements(s, k, list, sectionOf(s.section, k.name)+"[]")
		}
	case kindNames:
		w.names(s, k, n)
	default:
		text, comment := w.scalarOrList(s, k, n)
		w.line(s, k.name+": "+text, comment)
	}
}

func sectionOf(section, name string) string {
	if section == "" {
		return name
	}
	return section + "." + name
}

// sub writes a mapping under its name, and nothing where it would be empty.
func (w *writer) sub(s scope, k key, n ast.Node) {
	inner := scope{section: sectionOf(s.section, k.name), indent: s.indent + "  ", path: append(slices.Clone(s.path), k.name)}
	if s.tls != nil && k.name == "tls" {
		inner.fixed = s.tls.fixed()
	}
	for name, f := range s.fixed {
		if below, ok := strings.CutPrefix(name, k.name+"."); ok {
			inner.fixed = map[string]fixed{below: f}
		}
	}
	w.under(s, k.name+":", func() { w.mapping(inner, n) })
}

// fixed is what a certificate's keys are where the file doesn't say it.
func (t *TLS) fixed() map[string]fixed {
	return map[string]fixed{"mode": {text: t.Mode, comment: "default"}, "min_version": {text: t.MinVersion, comment: "default"}}
}

// under writes a title and what body writes beneath it, or neither.
func (w *writer) under(s scope, title string, body func()) {
	before := w.b.Len()
	w.line(s, title, "")
	with := w.b.Len()
	if body(); w.b.Len() == with {
		w.b.Truncate(before)
	}
}
