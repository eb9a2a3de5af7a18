package config

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"mxhook/routing"
)

// FuzzParse wants every text to give either a configuration that can be used or
// faults with places, in order, and without anything secret.
func FuzzParse(f *testing.F) {
	files, err := filepath.Glob("testdata/*.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 20_000 || strings.Contains(text, "canary") || strings.Contains(text, "/proc") || strings.Contains(text, "/dev") {
			return // a file may name any other file as its secret's
		}
		c, problems := parse(t, text)
		if (c == nil) != faulty(problems) {
			t.Errorf("config %v with problems %v", c != nil, lines(problems))
		}
		total := strings.Count(text, "\n") + strings.Count(text, "\r") + 1 // a lone CR ends a line in YAML
		last := Problem{}
		for _, p := range problems {
			if p.Line > total+1 || p.Line > 0 && p.Column < 1 || p.Text == "" {
				t.Errorf("place of %s", p)
			}
			if strings.Contains(p.Text, "canary") || strings.Contains(p.Text, secretA) {
				t.Errorf("told: %s", p)
			}
			if p.Line < last.Line || p.Line == last.Line && p.Column < last.Column {
				t.Errorf("%s after %s", p, last)
			}
			last = p
		}
		if c == nil {
			return
		}
		if table, faults := routing.Compile(c.Routes, routing.Options{Hostname: c.Hostname}); table == nil {
			t.Errorf("routing faults: %v", faults)
		}
		if s := fmt.Sprintf("%+v %#v", c.Sinks, c.Admin); strings.Contains(s, secretA) {
			t.Errorf("printed: %s", s)
		}
		want, out, with := effective(t, text, testEnv)
		d := &decoder{file: "effective.yaml", env: with, host: func() (string, error) { return "another.host.example", nil }}
		if got := d.config([]byte(out)); !reflect.DeepEqual(got, want) || faulty(d.clean()) {
			t.Errorf("written out it is another configuration:\n%s\n%s", out, lines(d.clean()))
		}
	})
}

func BenchmarkParse(b *testing.B) {
	for _, n := range []int{1, 1000, 10_000} {
		var text strings.Builder
		text.WriteString("hostname: mx.example.com\nsinks: {disk: {type: dir, path: ./mail}}\nroutes:\n")
		for i := range n {
			fmt.Fprintf(&text, "  - {name: r%d, recipient: \"user%d@in.example.com\", deliver: [disk]}\n", i, i)
		}
		b.Run(fmt.Sprintf("routes=%d", n), func(b *testing.B) {
			for b.Loop() {
				if c, problems := parse(b, text.String()); c == nil {
					b.Fatal(lines(problems))
				}
			}
		})
	}
}
