package config

import (
	"cmp"
	"fmt"
	"slices"
)

// Problem is something wrong with a configuration.
type Problem struct {
	File    string
	Line    int // from 1; 0 when the whole file is meant
	Column  int // from 1, in characters
	Text    string
	Warning bool // the configuration works nevertheless
}

// String returns "file:line:column: text", with "warning: " before a warning's
// text.
func (p Problem) String() string {
	text := p.Text
	if p.Warning {
		text = "warning: " + text
	}
	if p.Line == 0 {
		return p.File + ": " + text
	}
	return fmt.Sprintf("%s:%d:%d: %s", p.File, p.Line, p.Column, text)
}

// faulty tells whether a problem is more than a warning.
func faulty(problems []Problem) bool {
	return slices.ContainsFunc(problems, func(p Problem) bool { return !p.Warning })
}

// byPlace sorts problems as they stand in the file and drops repetitions.
func byPlace(problems []Problem) []Problem {
	slices.SortStableFunc(problems, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return slices.Compact(problems)
}
