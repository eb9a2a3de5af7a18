package config

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the goldens")

const (
	secretA = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	secretB = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
)

// testEnv is the environment of the files under testdata.
func testEnv(name string) (string, bool) {
	v, ok := map[string]string{
		"MXHOOK_SECRET": secretA,
		"OTHER_SECRET":  secretB,
		"EMPTY":         "",
		"PORT":          "2525",
		"CANARY":        "canary-6e1b",
		"CANARY_URL":    "https://user:canary-6e1b@app.example.com/canary-6e1b?token=canary-6e1b",
		"SHORT":         "q7",
	}[name]
	return v, ok
}

func parse(t testing.TB, text string) (*Config, []Problem) {
	t.Helper()
	d := &decoder{file: "mxhook.yaml", env: testEnv, host: func() (string, error) { return "mx.host.example", nil }}
	c := d.config([]byte(text))
	problems := d.clean()
	if faulty(problems) {
		c = nil
	}
	return c, problems
}

func lines(problems []Problem) string {
	var b strings.Builder
	for _, p := range problems {
		b.WriteString(p.String() + "\n")
	}
	return b.String()
}

// TestProblems reads each testdata/*.yaml, whose name says the rule, and compares
// the problems with its golden.
func TestProblems(t *testing.T) {
	files, err := filepath.Glob("testdata/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal("no testdata", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".yaml"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			_, problems := parse(t, string(text))
			got := lines(problems)
			if strings.Contains(got, "canary") {
				t.Errorf("a secret is told:\n%s", got)
			}
			golden := strings.TrimSuffix(file, ".yaml") + ".problems"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("got\n%swant\n%s", got, want)
			}
		})
	}
}

// TestNoVariableIsEverTold puts a variable in the place of each quoted value of each
// file, by itself and inside the value: its name may be told, its value never.
func TestNoVariableIsEverTold(t *testing.T) {
	files, err := filepath.Glob("testdata/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	quoted := regexp.MustCompile(`"[^"\n]*"`)
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, span := range quoted.FindAllIndex(text, -1) {
			value := string(text[span[0]+1 : span[1]-1])
			for _, with := range []string{"${CANARY_URL}", value + "${CANARY}", "${SHORT}"} {
				changed := string(text[:span[0]]) + `"` + with + `"` + string(text[span[1]:])
				_, problems := parse(t, changed)
				for _, p := range problems {
					if strings.Contains(p.String(), "canary") || strings.Contains(p.Text, `"q7"`) {
						t.Errorf("%s with %s in place of %q: %s", filepath.Base(file), with, value, p)
					}
				}
			}
		}
	}
}
