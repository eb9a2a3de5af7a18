package config

import (
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// section is a mapping whose keys are those of one section of the table. Its values
// have the types of the table; the others are gone after a fault.
type section struct {
	d      *decoder
	name   string // in the table
	what   string // in problems, "" at the top
	place  place
	keys   map[string]place // of all keys that stand in the file
	values map[string]ast.Node
	single map[string]scalar // of the values that are single ones
	meant  []string          // the keys that unknown ones are perhaps meant for
}

// section reads n, which may be nil where the mapping is missing. The second result
// is false after a fault that leaves nothing to read.
func (d *decoder) section(n ast.Node, name, what string) (*section, bool) {
	s := &section{d: d, name: name, what: what, place: at(n),
		keys: map[string]place{}, values: map[string]ast.Node{}, single: map[string]scalar{}}
	if n == nil {
		return s, true
	}
	list, ok := d.pairs(n, s.title())
	if !ok {
		return s, false
	}
	s.take(list)
	return s, true
}

// take puts pairs into the section and checks them against the table.
func (s *section) take(list []pair) {
	for _, p := range list {
		k, known := find(s.name, p.name)
		if !known {
			s.unknown(p)
			continue
		}
		s.keys[p.name] = p.place
		s.check(k, p)
	}
}

func (s *section) unknown(p pair) {
	known := names(s.name)
	hint := ""
	if near := nearest(p.name, known); near != "" {
		hint = "; did you mean " + strconv.Quote(near) + "?"
		s.meant = append(s.meant, near)
	} else {
		hint = ";"
	}
	in := s.title()
	s.d.fault(p.place, "unknown key %s in %s%s known keys: %s", quote(p.name), in, hint, strings.Join(known, ", "))
}

// title names the section.
func (s *section) title() string {
	if s.what == "" {
		return "the file"
	}
	return s.what
}

// key names a key of the section.
func (s *section) key(name string) string {
	if s.what == "" {
		return name
	}
	return s.what + ": " + name
}

// check keeps a value that has the type of its key.
func (s *section) check(k key, p pair) {
	what := s.key(p.name)
	switch k.kind {
	case kindMapping, kindMappings, kindNames, kindTexts, kindList, kindNumbers, kindEnums:
		if _, ok := p.value.(*ast.NullNode); ok {
			s.d.fault(at(p.value), "%s has no value; give it one or remove the key", what)
			return
		}
		s.values[p.name] = p.value
	default:
		v := s.d.scalar(p.value, what, k.secret)
		if v.ok = v.ok && s.typed(k, v, what); v.ok {
			s.values[p.name], s.single[p.name] = p.value, v
		}
	}
}

// has tells whether the key stands in the file, rightly or wrongly.
func (s *section) has(name string) bool {
	_, ok := s.keys[name]
	return ok
}

// at returns where the value of a key is, else the key, else the section.
func (s *section) at(name string) place {
	if n := s.values[name]; n != nil {
		return at(n)
	}
	if p, ok := s.keys[name]; ok {
		return p
	}
	return s.place
}

// text returns the value of a single-valued key as text, or its default.
func (s *section) text(name string) string {
	if v, ok := s.single[name]; ok {
		return v.text
	}
	k, ok := find(s.name, name)
	if !ok {
		panic("config: no key " + s.name + "." + name) // a misspelling in this package
	}
	return k.byDefault
}

// flag, number, duration and size return the value of a key of their type. The
// texts were checked, and those of the table are checked by a test.
func (s *section) flag(name string) bool { return s.text(name) == "true" }

func (s *section) number(name string) int64 {
	n, _ := strconv.ParseInt(s.text(name), 10, 64)
	return n
}

func (s *section) duration(name string) int64 {
	n, _ := parseDuration(s.text(name))
	return n
}

func (s *section) size(name string) int64 {
	n, _ := parseSize(s.text(name))
	return n
}

// texts returns the elements of a list of texts, or the one text where the key
// takes one. An element with a fault is there, with ok false.
func (s *section) texts(name string) []scalar {
	n := s.values[name]
	if n == nil {
		return nil
	}
	k, _ := find(s.name, name)
	return s.d.list(n, k, s.key(name))
}

// list reads the elements of a list of k's type.
func (d *decoder) list(n ast.Node, k key, what string) []scalar {
	if d.plain(n) == nil {
		return []scalar{{place: at(n)}}
	}
	list, isList := n.(*ast.SequenceNode)
	var nodes []ast.Node
	switch {
	case isList:
		nodes = list.Values
	case k.kind == kindTexts:
		nodes = []ast.Node{n}
	default:
		d.fault(at(n), "%s must be a list, [a, b], not %s", what, nodeWord(n))
		return []scalar{{place: at(n)}}
	}
	var all []scalar
	for _, n := range nodes {
		v := d.scalar(n, what, k.secret)
		if v.ok {
			if why := wrongType(elementKey(k), v); why != "" {
				d.fault(v.place, "%s: %s", what, why)
				v.ok = false
			}
		}
		all = append(all, v)
	}
	return all
}

// elementKey is the type of a list's element.
func elementKey(k key) key {
	switch k.kind {
	case kindNumbers:
		k.kind = kindNumber
	case kindEnums:
		k.kind = kindEnum
	default:
		k.kind = kindText
	}
	return k
}

// secrets returns the values of a secret key, from the file itself or from the
// files that NAME_file names.
func (s *section) secrets(name string) []scalar {
	file := name + "_file"
	if s.has(name) && s.has(file) {
		s.d.fault(s.keys[file], "%s and %s contradict each other; keep one", s.key(name), file)
	}
	if k, _ := find(s.name, name); k.kind != kindTexts {
		return s.secret(name, file)
	}
	if !s.has(file) {
		return s.texts(name)
	}
	var all []scalar
	for _, v := range s.texts(file) {
		all = append(all, s.fromFile(v, file))
	}
	return all
}

func (s *section) secret(name, file string) []scalar {
	if v, ok := s.single[file]; ok {
		return []scalar{s.fromFile(v, file)}
	}
	if v, ok := s.single[name]; ok {
		return []scalar{v}
	}
	return nil
}

// fromFile replaces a file's name by its content.
func (s *section) fromFile(v scalar, name string) scalar {
	if !v.ok {
		return v
	}
	text, err := readFile(v.text, maxSecretFile)
	if err != nil {
		s.d.fault(v.place, "%s %s: %v", s.key(name), quote(v.raw), err)
		v.ok = false
		return v
	}
	s.d.hide(text, redacted)
	v.text, v.raw = text, redacted
	return v
}
