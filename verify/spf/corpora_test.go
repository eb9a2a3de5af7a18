package spf_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

// corpus is a file of cases, each scenario with a zone of its own.
type corpus struct {
	label     string
	scenarios []scenario
}

type scenario struct {
	zone  source
	cases []trial
}

type trial struct {
	Name          string `json:"name"`
	IP            string `json:"ip"`
	HELO          string `json:"helo"`
	Local         string `json:"local"`
	Domain        string `json:"domain"`
	want          []string
	explanation   string // "" where the case says nothing of it
	noExplanation bool
}

// document is one of an openspf suite.
type document struct {
	Tests map[string]struct {
		HELO        string `json:"helo" yaml:"helo"`
		Host        string `json:"host" yaml:"host"`
		MailFrom    string `json:"mailfrom" yaml:"mailfrom"`
		Result      any    `json:"result" yaml:"result"`
		Explanation string `json:"explanation" yaml:"explanation"`
	} `json:"tests" yaml:"tests"`
	Zone map[string][]any `json:"zonedata" yaml:"zonedata"`
}

func (d document) scenario() scenario {
	s := scenario{zone: openspf(d.Zone)}
	for name, c := range d.Tests {
		at := strings.LastIndexByte(c.MailFrom, '@')
		t := trial{Name: name, IP: c.Host, HELO: c.HELO, Local: c.MailFrom[:max(at, 0)], Domain: c.MailFrom[at+1:]}
		if c.MailFrom == "" {
			t.Domain = c.HELO // RFC 7208 2.4
		}
		for _, r := range list(c.Result) {
			t.want = append(t.want, fmt.Sprint(r))
		}
		if t.noExplanation = c.Explanation == "DEFAULT"; !t.noExplanation {
			t.explanation = c.Explanation
		}
		s.cases = append(s.cases, t)
	}
	slices.SortFunc(s.cases, func(a, b trial) int { return strings.Compare(a.Name, b.Name) })
	return s
}

// corpora finds the suites: those in a folder beside the module, and what comes with the
// module blitiri.com.ar/go/spf.
func corpora(t *testing.T) []corpus {
	var found []corpus
	const shared = "../../../shared/corpora/"
	for _, path := range glob(t, shared+"spf-rfc7208/*.json") {
		var documents []document
		if err := json.Unmarshal(read(t, path), &documents); err != nil {
			t.Fatal(path, err)
		}
		found = append(found, openspfCorpus(filepath.Base(path), documents))
	}
	if paths := glob(t, shared+"spf-mail-auth/*.yml"); len(paths) > 0 {
		c := corpus{label: "spf-mail-auth"}
		for _, path := range paths {
			c.scenarios = append(c.scenarios, mailAuth(filepath.Base(path), string(read(t, path)))...)
		}
		found = append(found, c)
	}
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "blitiri.com.ar/go/spf").Output()
	if err != nil {
		return found
	}
	base := filepath.Join(strings.TrimSpace(string(dir)), "testdata")
	for _, file := range []string{"rfc7208-tests.yml", "pyspf-tests.yml", "blitirispf-tests.yml"} {
		for _, path := range glob(t, filepath.Join(base, file)) {
			var documents []document
			decoder := yaml.NewDecoder(bytes.NewReader(read(t, path)))
			for {
				var d document
				if err := decoder.Decode(&d); err == io.EOF {
					break
				} else if err != nil {
					t.Fatal(path, err)
				}
				documents = append(documents, d)
			}
			found = append(found, openspfCorpus("module "+file, documents))
		}
	}
	return found
}

func openspfCorpus(label string, documents []document) corpus {
	c := corpus{label: label}
	for _, d := range documents {
		s := d.scenario()
		if strings.Contains(label, "blitiri") {
			s.lengthen()
		}
		c.scenarios = append(c.scenarios, s)
	}
	return c
}

var singleLabel = regexp.MustCompile(`((?:include|a|mx|ptr|exists):|redirect=)([a-z0-9]+)( |/|$)`)

// lengthen gives the names of one label a second one. That module's own cases have such
// names, which have no policy (RFC 7208 4.3) and can't stand in one (12).
func (s *scenario) lengthen() {
	const suffix = ".label.example"
	name := func(v any) string {
		if n := fmt.Sprint(v); n != "" && !strings.Contains(n, ".") {
			return n + suffix
		}
		return fmt.Sprint(v)
	}
	for i := range s.cases {
		s.cases[i].Domain = name(s.cases[i].Domain)
	}
	names := map[string]map[string][]any{}
	for owner, kinds := range s.zone.Names {
		for kind, values := range kinds {
			for i, v := range values {
				switch kind {
				case "MX":
					values[i] = []any{v.([]any)[0], name(v.([]any)[1])}
				case "PTR", "CNAME":
					values[i] = name(v)
				case "TXT":
					for j, text := range v.([]any) {
						v.([]any)[j] = singleLabel.ReplaceAllString(fmt.Sprint(text), "$1$2"+suffix+"$3")
					}
				}
			}
		}
		names[name(owner)] = kinds
	}
	s.zone.Names = names
	for i, n := range s.zone.Trouble {
		s.zone.Trouble[i] = name(n)
	}
}

func glob(t *testing.T, pattern string) []string {
	t.Helper()
	paths, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
