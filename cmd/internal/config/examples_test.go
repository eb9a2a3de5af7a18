package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// exampleEnv are the variables of the shipped configurations.
func exampleEnv(cert, key string) map[string]string {
	return map[string]string{
		"CERT_FILE": cert, "KEY_FILE": key, "MXHOOK_SECRET": secretA, "MXHOOK_OLD_SECRET": secretB, "APP_TOKEN": "token", "ADMIN_TOKEN": "token", "MAIL_KEY_ID": "AKIAEXAMPLE", "MAIL_KEY": "a-secret-key", "MXHOOK_CERT_FILE": cert, "MXHOOK_KEY_FILE": key,
		"MXHOOK_SCANNER_HASH": "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
	}
}

// TestExamples wants every shipped configuration to load without a fault, and
// without a warning but the one of a listener without TLS.
func TestExamples(t *testing.T) {
	files, err := filepath.Glob("../../../examples/configs/*.yaml")
	if err != nil || len(files) < 5 {
		t.Fatal("examples are missing", files, err)
	}
	files = append(files, "../../../examples/deploy/systemd/mxhook.yaml", "../../../examples/uses/comments.yaml", "../../../examples/uses/tickets.yaml", "../../../examples/uses/archive.yaml")
	cert, key := writeCertificate(t)
	env := exampleEnv(cert, key)
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			c, problems := Load(file, func(name string) (string, bool) { v, ok := env[name]; return v, ok })
			if c == nil {
				t.Fatal(lines(problems))
			}
			for _, p := range problems {
				if !strings.Contains(p.Text, "has no TLS") && !strings.Contains(p.Text, "an mx without TLS") {
					t.Error(p)
				}
			}
		})
	}
}

// TestSmallestExampleIsThatOfTheREADME keeps the five lines of README.md and the
// shipped file the same.
func TestSmallestExampleIsThatOfTheREADME(t *testing.T) {
	example, err := os.ReadFile("../../../examples/configs/minimal.yaml")
	if err != nil {
		t.Fatal(err)
	}
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(string(example), "hostname:")
	if !strings.Contains(string(readme), "hostname:"+text) {
		t.Error("README.md shows another file than examples/configs/minimal.yaml")
	}
}
