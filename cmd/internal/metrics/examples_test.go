package metrics

import (
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"mxhook/inbound/status"
	"mxhook/verify"
	"mxhook/verify/authres"
)

const monitoring = "../../../examples/deploy/monitoring"

// TestMonitoringExamplesNameMetricsThatExist: an alert on a name that is no more never
// fires.
func TestMonitoringExamplesNameMetricsThatExist(t *testing.T) {
	m := New("1", "c", "go", func() int64 { return 0 })
	m.Spool(func() (int, int, int64) { return 0, 0, 0 })
	m.Deferred(func() time.Duration { return 0 })
	m.AddSink("s")
	m.AddCircuit("s")
	m.AddRoute("r")
	m.AddListener("l")
	m.AddSource("q", "delivered")
	m.Verified(&verify.Results{SPF: verify.SPF{Result: authres.Pass}}, time.Second)
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	exists := map[string]bool{"mxhook_build_info": true}
	for _, name := range regexp.MustCompile(`(?m)^mxhook_[a-z_]+`).FindAllString(w.Body.String(), -1) {
		exists[name] = true
	}
	conditions := map[string]bool{}
	for _, c := range status.All() {
		conditions[c.Name()] = true
	}
	files, _ := filepath.Glob(monitoring + "/*")
	used := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range regexp.MustCompile(`\bmxhook_[a-z_]+`).FindAllString(string(text), -1) {
			used++
			if !exists[name] {
				t.Errorf("%s: %s does not exist", filepath.Base(file), name)
			}
		}
		for _, c := range regexp.MustCompile(`condition!?=\\?"([a-z_]+)`).FindAllStringSubmatch(string(text), -1) {
			if !conditions[c[1]] {
				t.Errorf("%s: condition %s does not exist", filepath.Base(file), c[1])
			}
		}
	}
	if used < 30 {
		t.Errorf("only %d names in %v", used, files)
	}
}

func TestAlertsFireWhenTheyShould(t *testing.T) {
	path, err := exec.LookPath("promtool")
	if err != nil {
		if os.Getenv("MXHOOK_INTEROP") == "require" {
			t.Fatal("promtool is not installed, and MXHOOK_INTEROP=require")
		}
		t.Skip("promtool is not installed")
	}
	for _, arguments := range []string{"check rules alerts.yaml", "test rules alerts_test.yaml"} {
		cmd := exec.Command(path, strings.Fields(arguments)...)
		cmd.Dir = monitoring
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", arguments, err, out)
		}
	}
}
