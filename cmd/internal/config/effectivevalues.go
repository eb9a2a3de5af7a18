package config

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// child returns the value of a key of a mapping.
func child(n ast.Node, name string) (ast.Node, bool) {
	for _, v := range childrenOf(n) {
		if nameOf(v) == name {
			return v.Value, true
		}
	}
	return nil, false
}

// nameOf returns the text of a key.
func nameOf(v *ast.MappingValueNode) string {
	if s, ok := v.Key.(*ast.StringNode); ok {
		return s.Value
	}
	return v.Key.GetToken().Value
}

func childrenOf(n ast.Node) []*ast.MappingValueNode {
	switch n := n.(type) {
	case *ast.MappingNode:
		return n.Values
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{n}
	}
	return nil
}

// elements writes a list of mappings.
func (w *writer) elements(s scope, k key, list *ast.SequenceNode, section string) {
	w.line(s, k.name+":", "")
	for i, n := range list.Values {
		e := scope{section: section, indent: s.indent + "    ", path: append(slices.Clone(s.path), k.name, strconv.Itoa(i+1))}
		switch section {
		case "listeners[]":
			e.tls = &w.c.Listeners[i].TLS
		case "listeners[].tls":
			e.fixed = s.tls.fixed()
		case "sources[]":
			e.fixed = map[string]fixed{"name": {text: quoteYAML(w.c.Sources[i].Name), comment: "default"}}
		case "routes[]":
			e.fixed = map[string]fixed{"name": {text: quoteYAML(w.c.Routes[i].Name), comment: "default"}}
		}
		before := w.b.Len()
		w.mapping(e, n)
		w.b.Bytes()[before+len(s.indent)+2] = '-' // in the first line's indentation
	}
}

// names writes a mapping whose keys are the user's: sinks, each by the keys of its type,
// or texts.
func (w *writer) names(s scope, k key, n ast.Node) {
	w.line(s, k.name+":", "")
	for _, v := range childrenOf(n) {
		name := nameOf(v)
		inner := scope{indent: s.indent + "  ", section: s.section, path: append(slices.Clone(s.path), k.name, name)}
		if k.section == "" && k.name == "sinks" {
			w.under(inner, nameYAML(name)+":", func() { w.sink(inner, name, v.Value) })
			continue
		}
		secret := k.name == "headers" && !strings.HasSuffix(name, "_file")
		text, comment := w.scalarOrList(inner, key{section: s.section, kind: kindTexts, secret: secret}, v.Value)
		w.line(inner, nameYAML(name)+": "+text, comment)
	}
}

func (w *writer) sink(s scope, name string, n ast.Node) {
	i := slices.IndexFunc(w.c.Sinks, func(c Sink) bool { return c.Name == name })
	sink := w.c.Sinks[i]
	s.section, s.indent = sink.Type, s.indent+"  "
	s.fixed = map[string]fixed{}
	if p, _ := sink.Payload(); p.FanOut == "recipient" {
		if v, ok := child(n, "fan_out"); !ok || rawOf(v) != p.FanOut {
			s.fixed["fan_out"] = fixed{text: p.FanOut, comment: "as its url, queue or format wants it", always: true}
		}
	}
	if sink.SQS != nil {
		s.fixed["include.raw"] = fixed{text: quoteYAML(sink.SQS.Include.Raw), comment: "default of the format"}
	}
	w.mapping(s, n)
}

// scalarOrList returns a value as it was written, but for secrets.
func (w *writer) scalarOrList(s scope, k key, n ast.Node) (text, comment string) {
	list, isList := n.(*ast.SequenceNode)
	if !isList {
		return w.scalar(s, k, n, "")
	}
	var all []string
	for i, e := range list.Values {
		text, why := w.scalar(s, elementKey(k), e, "_"+strconv.Itoa(i+1))
		if k.secret {
			text, why = w.scalar(s, key{name: k.name, kind: kindText, secret: true}, e, "_"+strconv.Itoa(i+1))
		}
		if why != "" {
			comment = why
		}
		all = append(all, text)
	}
	return "[" + strings.Join(all, ", ") + "]", comment
}

// redactedComment stands beside a variable in the place of a secret.
const redactedComment = redacted + ", which the file has in this variable's place"

func (w *writer) scalar(s scope, k key, n ast.Node, suffix string) (text, comment string) {
	raw := rawOf(n)
	shown := raw
	switch {
	case k.secret:
		shown = w.secret(s, k.name+suffix, raw)
	case k.name == "url", k.name == "proxy":
		shown = w.url(s, k.name, raw)
	}
	if shown != raw {
		comment = redactedComment
	}
	switch k.kind {
	case kindNumber, kindDuration, kindSize, kindBool, kindEnum, kindNumbers, kindEnums:
		if plainYAML.MatchString(shown) {
			return shown, comment
		}
	}
	return quoteYAML(shown), comment
}

// rawOf returns a single value as it was written.
func rawOf(n ast.Node) string {
	switch n := n.(type) {
	case *ast.StringNode:
		return n.Value
	case *ast.LiteralNode:
		return n.Value.Value
	case nil:
		return ""
	}
	return n.GetToken().Value
}

var (
	plainYAML   = regexp.MustCompile(`^([0-9]+(\.[0-9]+)? ?[A-Za-zµ]*|([0-9.]+[a-zµ]+)+|[a-z][a-z0-9_-]*)$`)
	plainName   = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_-]*$`)
	notAName    = regexp.MustCompile(`^(?i:y|n|yes|no|on|off|true|false|null)$`)
	variableRef = regexp.MustCompile(`\$\{([A-Za-z_][A-Za-z0-9_]*)(:-[^}]*)?\}`)
	harmless    = regexp.MustCompile(`^(\$\{[^}]*\}|\{[^}]*\})?$`)
	notInName   = regexp.MustCompile(`[^A-Z0-9]+`)
)

// secret returns what stands for a secret: the variables that it is made of, without
// their defaults, or a variable that is not set yet.
func (w *writer) secret(s scope, name, raw string) string {
	if variableRef.MatchString(raw) && !strings.Contains(raw, "$${") {
		return variableRef.ReplaceAllStringFunc(raw, func(r string) string {
			m := variableRef.FindStringSubmatch(r)
			if len(m[2]) > len(":-") {
				return "${" + m[1] + "}"
			}
			return r
		})
	}
	if raw == "" {
		return raw
	}
	return w.variable(s, name, raw)
}

// variable makes a variable's name of where a value stands.
func (w *writer) variable(s scope, name, value string) string {
	path := slices.DeleteFunc(append(slices.Clone(s.path), name), func(p string) bool { return p == "" || p == "sinks" })
	v := "MXHOOK_" + strings.Trim(notInName.ReplaceAllString(strings.ToUpper(strings.Join(path, "_")), "_"), "_")
	for i := 2; w.hidden[v] != "" && w.hidden[v] != value; i++ {
		v = fmt.Sprintf("%s_%d", strings.TrimRight(v, "0123456789_"), i)
	}
	w.hidden[v] = value
	return "${" + v + "}"
}

// url hides, in the value of the key name, the user and password of a URL and the values of its query that are neither
// variables nor captures.
func (w *writer) url(s scope, name, raw string) string {
	scheme, rest, found := strings.Cut(raw, "://")
	if !found {
		if variableRef.MatchString(raw) || raw == "" {
			return raw
		}
		return w.variable(s, name, raw)
	}
	authority := authorityOf(raw)
	path := rest[len(authority):]
	if i := strings.LastIndexByte(authority, '@'); i >= 0 && !variableRef.MatchString(authority[:i]) {
		authority = w.variable(s, name+"_user", authority[:i]) + authority[i:]
	}
	if path, query, has := strings.Cut(path, "?"); has && !harmlessQuery(query) {
		return scheme + "://" + authority + path + "?" + w.variable(s, name+"_query", query)
	}
	return scheme + "://" + authority + path
}

func harmlessQuery(query string) bool {
	for pair := range strings.SplitSeq(query, "&") {
		if _, value, _ := strings.Cut(pair, "="); !harmless.MatchString(value) {
			return false
		}
	}
	return true
}

// quoteYAML writes a text in double quotes, whose escapes YAML shares with JSON.
func quoteYAML(s string) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(s); err != nil {
		return strconv.Quote(s)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// nameYAML writes a key.
func nameYAML(s string) string {
	if plainName.MatchString(s) && !notAName.MatchString(s) {
		return s
	}
	return quoteYAML(s)
}

// defaultYAML writes the default of a key.
func defaultYAML(k key) string {
	if k.kind == kindText {
		return quoteYAML(k.byDefault)
	}
	if k.kind == kindEnum && !plainYAML.MatchString(k.byDefault) {
		return quoteYAML(k.byDefault)
	}
	return k.byDefault
}
