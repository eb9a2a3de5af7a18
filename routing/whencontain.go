package routing

import (
	"slices"
	"strings"
)

// when tells whether the conditions of outer surely hold for every message for which
// those of inner hold.
func (c *containment) when(outer, inner *When) bool {
	for _, method := range Methods() {
		if !within(outer.results(method), inner.results(method)) {
			return false
		}
	}
	return (outer.FromVerified == nil || inner.FromVerified != nil && *inner.FromVerified == *outer.FromVerified) &&
		within(outer.Class, inner.Class) &&
		within(folded(outer.Subject), folded(inner.Subject)) &&
		c.from(outer.From, inner.From) &&
		withinHeader(outer.Header, inner.Header) &&
		withinSize(outer.Size, inner.Size)
}

// within tells whether what satisfies one of inner satisfies one of outer; an empty list
// is satisfied by everything.
func within[T comparable](outer, inner []T) bool {
	if len(outer) == 0 {
		return true
	}
	return len(inner) > 0 && !slices.ContainsFunc(inner, func(x T) bool { return !slices.Contains(outer, x) })
}

func folded(list []string) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = fold(s)
	}
	return out
}

func (c *containment) from(outer, inner []string) bool {
	if len(outer) == 0 {
		return true
	}
	for _, s := range inner {
		p, err := parseSender(s)
		if err != nil || !slices.ContainsFunc(outer, func(s string) bool {
			q, err := parseSender(s)
			return err == nil && c.sender(q, p)
		}) {
			return false
		}
	}
	return len(inner) > 0
}

func withinHeader(outer, inner []HeaderCondition) bool {
	for _, o := range outer {
		if !slices.ContainsFunc(inner, func(i HeaderCondition) bool {
			return strings.EqualFold(o.Name, i.Name) &&
				(slices.Contains(o.Values, "*") || within(folded(o.Values), folded(i.Values)))
		}) {
			return false
		}
	}
	return true
}

func withinSize(outer, inner *SizeBound) bool {
	if outer == nil || inner == nil {
		return outer == nil
	}
	first, last := outer.span()
	from, to := inner.span()
	return first <= from && to <= last
}
