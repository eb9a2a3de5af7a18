package inbound_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestTheThreatsNameTestsThatExist keeps the threat model of README.md from naming a test
// that is gone: each row has tests, and each of them is declared somewhere.
func TestTheThreatsNameTestsThatExist(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, begun := strings.Cut(string(readme), "<!-- threats -->\n")
	text, _, ended := strings.Cut(text, "<!-- /threats -->\n")
	if !begun || !ended {
		t.Fatal("README.md has no threats")
	}
	tests := declaredTests(t)
	name := regexp.MustCompile("`((?:Test|Fuzz)[A-Za-z0-9_]+)`")
	rows := 0
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "| ") || strings.HasSuffix(line, "| tried by |\n") {
			continue
		}
		rows++
		cells := strings.Split(line, "|")
		named := name.FindAllStringSubmatch(cells[len(cells)-2], -1)
		if len(named) == 0 {
			t.Errorf("no test tries: %s", line)
		}
		for _, n := range named {
			if !tests[n[1]] {
				t.Errorf("%s does not exist", n[1])
			}
		}
	}
	if rows < 30 {
		t.Errorf("only %d rows were found", rows)
	}
}

// declaredTests are the tests and fuzz targets of the whole module.
func declaredTests(t *testing.T) map[string]bool {
	t.Helper()
	declared := map[string]bool{}
	function := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)[A-Za-z0-9_]+)\(`)
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		source, err := os.ReadFile(path)
		for _, m := range function.FindAllSubmatch(source, -1) {
			declared[string(m[1])] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return declared
}
