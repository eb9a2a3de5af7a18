package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestTheUnitsOfSystemdAreSuch: systemd reads them without a complaint, and finds little
// that the service could do.
func TestTheUnitsOfSystemdAreSuch(t *testing.T) {
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("systemd-analyze is not installed")
	}
	folder := t.TempDir()
	for _, name := range []string{"mxhook.service", "mxhook.socket"} {
		text, err := os.ReadFile(filepath.Join("..", "..", "examples", "deploy", "systemd", name))
		if err != nil {
			t.Fatal(err)
		}
		text = []byte(strings.ReplaceAll(string(text), "/usr/local/bin/mxhook", "/bin/true"))
		if err := os.WriteFile(filepath.Join(folder, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, arguments := range [][]string{
		{"verify", "--man=no", filepath.Join(folder, "mxhook.service"), filepath.Join(folder, "mxhook.socket")},
		{"security", "--offline=true", "--threshold=20", filepath.Join(folder, "mxhook.service")},
	} {
		if out, err := exec.Command(analyze, arguments...).CombinedOutput(); err != nil || arguments[0] == "verify" && len(out) > 0 {
			t.Errorf("%s: %v\n%s", arguments[0], err, out)
		}
	}
}
