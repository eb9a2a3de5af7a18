package routing

import (
	"slices"
	"strings"
)

// textGlob is a pattern of free text: * is any text, also none, and everything else
// stands for itself, without case. The zero textGlob takes the empty text.
type textGlob struct {
	pieces []string // folded; between them any text
}

func newTextGlob(s string) textGlob { return textGlob{strings.Split(fold(s), "*")} }

// all tells whether the glob takes every text.
func (g textGlob) all() bool {
	return len(g.pieces) > 1 && !slices.ContainsFunc(g.pieces, func(s string) bool { return s != "" })
}

// takes tells whether the folded text is one of the glob's. The time is that of finding
// each piece once, from left to right: the first place is as good as any.
func (g textGlob) takes(folded string) bool {
	if len(g.pieces) <= 1 {
		return folded == strings.Join(g.pieces, "")
	}
	rest, ok := strings.CutPrefix(folded, g.pieces[0])
	if !ok {
		return false
	}
	last := len(g.pieces) - 1
	for _, piece := range g.pieces[1:last] {
		i := strings.Index(rest, piece)
		if i < 0 {
			return false
		}
		rest = rest[i+len(piece):]
	}
	return strings.HasSuffix(rest, g.pieces[last])
}

// anyTakes tells whether one of the globs takes a text.
func anyTakes(globs []textGlob, text string) bool {
	if slices.ContainsFunc(globs, textGlob.all) {
		return true
	}
	folded := fold(strings.TrimSpace(text))
	return slices.ContainsFunc(globs, func(g textGlob) bool { return g.takes(folded) })
}
