package dkim_test

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"mxhook/verify/dkim"
)

var update = flag.Bool("update", false, "write the tables of README.md anew")

// TestTheTablesOfTheReadme: they are made of the constants and of the tests' own list.
func TestTheTablesOfTheReadme(t *testing.T) {
	limits := "| limit | value |\n|---|---|\n"
	for _, l := range dkim.Limits() {
		limits += fmt.Sprintf("| %s | %s |\n", l[0], l[1])
	}
	table := "| message | the set says | here | why |\n|---|---|---|---|\n"
	for _, d := range deviations {
		table += fmt.Sprintf("| %s | %s | %s | %s |\n", d.name, d.theirs, d.ours, d.why)
	}
	content, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	readme := string(content)
	for name, table := range map[string]string{"limits": limits, "deviations": table} {
		begin, end := "<!-- "+name+": go test ./verify/dkim -update -->\n", "<!-- end "+name+" -->\n"
		before, rest, found := strings.Cut(readme, begin)
		_, after, closed := strings.Cut(rest, end)
		if !found || !closed {
			t.Fatalf("README.md has no table of %s", name)
		}
		readme = before + begin + table + end + after
	}
	if readme == string(content) {
		return
	}
	if !*update {
		t.Fatal("README.md differs: go test ./verify/dkim -update")
	}
	if err := os.WriteFile("README.md", []byte(readme), 0o644); err != nil {
		t.Fatal(err)
	}
}
