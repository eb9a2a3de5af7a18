package verify

import (
	"slices"
	"strings"
	"testing"
)

func TestPrefixesTellValuesApart(t *testing.T) {
	long := strings.Repeat("A", 30)
	for _, c := range []struct{ rule, values, want string }{
		{"eight characters", "abcdefghijkl mnopqrstuvwx", "abcdefgh mnopqrst"},
		{"more where they begin alike", "abcdefghijkl abcdefghXjkl", "abcdefghijkl abcdefghXjkl"},
		{"all of it at most", long + "B " + long, long + "B " + long},
		{"the same twice", "abcdefghijkl abcdefghijkl", "abcdefgh abcdefgh"},
		{"short ones", "abc abcdefghijkl", "abc abcdefgh"},
	} {
		if got := prefixes(strings.Fields(c.values)); !slices.Equal(got, strings.Fields(c.want)) {
			t.Errorf("%s: %q, want %q", c.rule, got, c.want)
		}
	}
	if got := prefixes([]string{"", ""}); !slices.Equal(got, []string{"", ""}) {
		t.Errorf("nothing: %q", got)
	}
}
