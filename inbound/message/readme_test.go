package message

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
)

// The table of defects in README.md is that of DefectCodes; -update rewrites it.
func TestREADMEListsTheDefects(t *testing.T) {
	b, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	var table strings.Builder
	table.WriteString("<!-- defects -->\n| code | meaning |\n|---|---|\n")
	for _, d := range DefectCodes() {
		fmt.Fprintf(&table, "| `%s` | %s |\n", d.Code, d.Meaning)
	}
	table.WriteString("<!-- /defects -->")
	want := regexp.MustCompile(`(?s)<!-- defects -->.*<!-- /defects -->`).ReplaceAllLiteralString(string(b), table.String())
	if *update {
		if err := os.WriteFile("README.md", []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if want != string(b) {
		t.Error("the table of defects differs; rewrite it with -update")
	}
}

// Every constant stands in the table, once, and every code that Parse lists for
// the examples is one of them.
func TestDefectCodesAreAClosedSet(t *testing.T) {
	src, err := os.ReadFile("defects.go")
	if err != nil {
		t.Fatal(err)
	}
	constants := regexp.MustCompile(`(?m)^\t(Defect\w+) += "`).FindAllSubmatch(src, -1)
	codes := make(map[string]bool)
	for _, d := range DefectCodes() {
		if codes[d.Code] || d.Meaning == "" {
			t.Errorf("%q stands twice or says nothing", d.Code)
		}
		codes[d.Code] = true
	}
	if len(constants) != len(codes) {
		t.Errorf("%d constants, %d rows", len(constants), len(codes))
	}
	seen := make(map[string]bool)
	for _, file := range exampleFiles(t) {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range parse(t, string(b)).Defects {
			seen[d.Code] = true
			if !codes[d.Code] {
				t.Errorf("%s: %q is no code", file, d.Code)
			}
		}
	}
	t.Logf("the examples show %d of %d codes", len(seen), len(codes))
}
