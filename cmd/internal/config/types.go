package config

import (
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// typed checks a single value against its key's type and bounds.
func (s *section) typed(k key, v scalar, what string) bool {
	if why := wrongType(k, v); why != "" {
		s.d.fault(v.place, "%s: %s", what, why)
		return false
	}
	return true
}

// wrongType says why v is no value of k's type, "" if it is one.
func wrongType(k key, v scalar) string {
	_, isText := v.node.(*ast.StringNode)
	_, isLiteral := v.node.(*ast.LiteralNode)
	isText = isText || isLiteral
	switch k.kind {
	case kindText:
		if !isText {
			return "must be text, not " + nodeWord(v.node) + "; put it in quotes"
		}
	case kindEnum:
		if !slices.Contains(k.values, v.text) {
			hint := ""
			if near := nearest(v.raw, k.values); near != "" && !v.expanded {
				hint = ", perhaps " + near
			}
			return "must be one of " + strings.Join(k.values, ", ") + ", not " + quote(v.raw) + hint
		}
	case kindBool:
		if _, ok := v.node.(*ast.BoolNode); !ok && !v.expanded || v.text != "true" && v.text != "false" {
			return "must be true or false"
		}
	case kindNumber:
		n, err := strconv.ParseInt(v.text, 10, 64)
		if isText && !v.expanded || err != nil {
			return "must be a whole number"
		}
		return outOfBounds(k, n, func(n int64) string { return strconv.FormatInt(n, 10) })
	case kindDuration:
		n, err := parseDuration(v.text)
		if err != nil {
			return err.Error()
		}
		return outOfBounds(k, n, showDuration)
	case kindSize:
		n, err := parseSize(v.text)
		if err != nil {
			return err.Error()
		}
		return outOfBounds(k, n, showSize)
	}
	return ""
}

func outOfBounds(k key, n int64, show func(int64) string) string {
	switch {
	case n < k.min:
		return "must be at least " + show(k.min)
	case k.max > 0 && n > k.max:
		return "must be at most " + show(k.max)
	}
	return ""
}
