package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"mxhook/cmd/internal/config"
)

// TestComposeFits: what compose.yaml mounts, publishes and sets is what the configuration
// beside it reads.
func TestComposeFits(t *testing.T) {
	folder := filepath.Join("..", "..", "examples", "deploy", "docker")
	text, err := os.ReadFile(filepath.Join(folder, "compose.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Services map[string]struct {
			Build       struct{ Context, Dockerfile string }
			Environment map[string]string
			Ports       []string
			Volumes     []string
			Command     []string
		}
		Volumes map[string]any
	}
	if err := yaml.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	c, problems := config.Load(filepath.Join(folder, "compose-mxhook.yaml"), func(name string) (string, bool) {
		_, set := file.Services["mxhook"].Environment[name]
		return receiverSecret, set
	})
	if c == nil {
		t.Fatal(problems)
	}
	if _, port, _ := strings.Cut(c.Listeners[0].Address, ":"); !strings.HasSuffix(file.Services["mxhook"].Ports[0], ":"+port) {
		t.Errorf("%v published, %s listened at", file.Services["mxhook"].Ports, port)
	}
	if url := string(c.Sinks[0].Webhook.URL); url != "http://app:3000/inbound" || file.Services["app"].Environment["HOST"] != "0.0.0.0" {
		t.Errorf("the app is not at %s", url)
	}
	for name, s := range file.Services {
		if s.Build.Context != "" {
			if _, err := os.Stat(filepath.Join(folder, s.Build.Context, s.Build.Dockerfile)); err != nil {
				t.Error(name, err)
			}
		}
		for _, v := range s.Volumes {
			from, to, _ := strings.Cut(v, ":")
			if _, named := file.Volumes[from]; !named {
				if _, err := os.Stat(filepath.Join(folder, from)); err != nil {
					t.Error(name, err)
				}
			} else if to != c.State && to != file.Services["app"].Environment["FOLDER"] {
				t.Errorf("%s: nothing is kept in %s", name, to)
			}
		}
	}
	if command := file.Services["app"].Command; !slices.Contains(command, "./examples/receivers/go") {
		t.Errorf("the app is %v", command)
	}
}
