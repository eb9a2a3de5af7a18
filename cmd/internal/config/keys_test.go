package config

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mxhook/sinks/payload/formats"
)

// TestKeysAreSound checks what the table says of itself: defaults are values of
// their type and inside their bounds, and the formats those that are built.
func TestKeysAreSound(t *testing.T) {
	seen := map[string]bool{}
	for _, k := range keys {
		full := k.section + "." + k.name
		if seen[full] {
			t.Errorf("%s stands twice", full)
		}
		seen[full] = true
		if (k.kind == kindEnum || k.kind == kindEnums) != (k.values != nil) {
			t.Errorf("%s: kind and values do not fit", full)
		}
		if k.name == "format" && k.section != "log" && !slices.Equal(slices.Sorted(slices.Values(k.values)), slices.Sorted(slices.Values(formats.Names()))) {
			t.Errorf("%s: the formats are %v", full, formats.Names())
		}
		if k.byDefault == "" || k.kind == kindNumbers {
			continue
		}
		if why := wrongType(k, scalar{text: k.byDefault, expanded: true}); why != "" && k.kind != kindText {
			t.Errorf("%s: default %q: %s", full, k.byDefault, why)
		}
	}
}

// TestEveryKeyIsInTheTestdata wants each key of the table to stand in a file, and those
// of no mapping below in one that loads.
func TestEveryKeyIsInTheTestdata(t *testing.T) {
	var good, all strings.Builder
	files, err := filepath.Glob("testdata/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(text)
		if c, _ := parse(t, string(text)); c != nil {
			good.Write(text)
		}
	}
	files, err = filepath.Glob("../../../examples/configs/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		good.Write(text)
	}
	for _, k := range keys {
		text := &good
		switch {
		case k.name == "spool", strings.Contains(k.section, "."):
			text = &all
		}
		if !strings.Contains(text.String(), k.name+":") {
			t.Errorf("no file has %s.%s", k.section, k.name)
		}
	}
}

func TestSuggestions(t *testing.T) {
	for s, want := range map[string]string{
		"recipent": "recipient", "recipients": "recipient", "delivr": "deliver", "sinks": "", "Discard": "discard", "x": "", "": "", "optinal": "optional",
	} {
		if got := nearest(s, names("routes[]")); got != want {
			t.Errorf("%q: got %q, want %q", s, got, want)
		}
	}
}

const (
	beginKeys = "<!-- keys: written by go test ./cmd/internal/config -update -->\n"
	endKeys   = "<!-- end of keys -->\n"
)

// TestReference keeps README.md's reference at what the table says.
func TestReference(t *testing.T) {
	data, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok1 := strings.Cut(string(data), beginKeys)
	old, after, ok2 := strings.Cut(rest, endKeys)
	if !ok1 || !ok2 {
		t.Fatal("README.md has no place for the keys")
	}
	want := reference()
	if *update && old != want {
		if err := os.WriteFile("README.md", []byte(before+beginKeys+want+endKeys+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if old != want {
		t.Error("README.md's keys are not those of the table; run go test ./cmd/internal/config -update")
	}
}

var sectionTitles = map[string]string{
	"": "At the top", "sources[]": "`sources`, each", "listeners[]": "`listeners`, each", "listeners[].tls": "`listeners`: `tls`", "listeners[].users[]": "`listeners`: `users`, each",
	"webhook": "`sinks`, type `webhook`", "s3": "`sinks`, type `s3`", "sqs": "`sinks`, type `sqs`", "dir": "`sinks`, type `dir`",
	"routes[]": "`routes`, each", "routes[].when": "`routes`: `when`", "routes[].accept": "`routes`: `accept`",
}

func reference() string {
	var b strings.Builder
	section := "none yet"
	for _, k := range keys {
		if k.section != section {
			section = k.section
			title := sectionTitles[section]
			if title == "" {
				title = "`" + strings.ReplaceAll(section, ".", "`: `") + "`"
			}
			fmt.Fprintf(&b, "\n### %s\n\n| key | value | default | |\n|---|---|---|---|\n", title)
		}
		name := "`" + k.name + "`"
		if k.secret {
			name += ", `" + k.name + "_file`"
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", name, valueText(k), code(k.byDefault), k.text)
	}
	return b.String() + "\n"
}

func valueText(k key) string {
	s := string(k.kind)
	if k.values != nil {
		s += " `" + strings.Join(k.values, "`, `") + "`"
	}
	show := map[kind]func(int64) string{kindDuration: showDuration, kindSize: showSize}[k.kind]
	if show == nil {
		show = func(n int64) string { return fmt.Sprint(n) }
	}
	if k.max > 0 {
		s += ", " + show(k.min) + " to " + show(k.max)
	}
	return s
}

func code(s string) string {
	if s == "" {
		return ""
	}
	return "`" + s + "`"
}
