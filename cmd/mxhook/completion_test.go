package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// program skips the test, or fails it where all programs are wanted.
func program(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		if os.Getenv("MXHOOK_INTEROP") == "require" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	return path
}

// script writes the completion script of a shell.
func script(t *testing.T, shell string) string {
	t.Helper()
	got := runCommand(t, "", "completion", shell)
	if got.status != 0 || got.stderr != "" {
		t.Fatalf("%+v", got)
	}
	return writeFile(t, "mxhook."+shell, got.stdout)
}

func output(t *testing.T, dir, program string, args ...string) string {
	t.Helper()
	cmd := exec.Command(program, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "HOME="+t.TempDir())
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil || stderr.Len() > 0 {
		t.Fatalf("%s %q: %v\n%s", program, args, err, &stderr)
	}
	return string(out)
}

// completions are lines of a command and what a shell must offer for their last word.
var completions = []struct {
	words []string
	want  []string
}{
	{[]string{"ins"}, []string{"inspect"}},
	{[]string{"doctor", "--re"}, []string{"--resolver"}},
	{[]string{"inspect", "--format", "postm"}, []string{"postmark"}},
	{[]string{"check", "-c", "mxho"}, []string{"mxhook one.yaml"}},
	{[]string{"check", "--effective", "mxho"}, []string{"mxhook one.yaml"}},
	{[]string{"completion", "fi"}, []string{"fish"}},
	{[]string{"help", "vers"}, []string{"version"}},
}

// withFile is a folder with a file whose name has a blank.
func withFile(t *testing.T) string {
	return filepath.Dir(writeFile(t, "mxhook one.yaml", ""))
}

func TestCompletionInBash(t *testing.T) {
	bash := program(t, "bash")
	file := script(t, "bash")
	output(t, "", bash, "-n", file)
	dir := withFile(t)
	for _, c := range completions {
		got := output(t, dir, bash, append([]string{"--norc", "-c", `source "$1"; shift
COMP_WORDS=(mxhook "$@"); COMP_CWORD=$#; _mxhook; printf '%s\n' "${COMPREPLY[@]}"`, "bash", file}, c.words...)...)
		if lines := strings.Split(strings.TrimSpace(got), "\n"); !slices.Equal(lines, c.want) {
			t.Errorf("%q: %q, want %q", c.words, lines, c.want)
		}
	}
}

func TestCompletionInFish(t *testing.T) {
	fish := program(t, "fish")
	file := script(t, "fish")
	output(t, "", fish, "--no-config", "--no-execute", file)
	dir := withFile(t)
	for _, c := range completions {
		got := output(t, dir, fish, "--no-config", "-c", `source $argv[1]; complete -C "mxhook $argv[2]"`, file, strings.Join(c.words, " "))
		var words []string
		for line := range strings.Lines(got) {
			word, _, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
			words = append(words, strings.ReplaceAll(word, `\`, ""))
		}
		if !slices.Equal(words, c.want) {
			t.Errorf("%q: %q, want %q", c.words, words, c.want)
		}
	}
}

// TestCompletionInZsh lets zsh read the script with its completion system, and call it
// with the functions that offer something in the place of those that need an editor.
func TestCompletionInZsh(t *testing.T) {
	zsh := program(t, "zsh")
	file := script(t, "zsh")
	output(t, "", zsh, "-n", file)
	got := output(t, "", zsh, "-f", "-c", `autoload -U compinit && compinit -u -D && source "$1" && print -r -- $_comps[mxhook]`, "zsh", file)
	if got != "_mxhook\n" {
		t.Errorf("registered: %q", got)
	}
	got = output(t, "", zsh, "-f", "-c", `compdef() { : }; source "$1"
_describe() { print -rl -- $commands }; _arguments() { print -rl -- "$@" }
words=(mxhook ''); CURRENT=2; _mxhook
words=(mxhook inspect --format ''); CURRENT=4; _mxhook`, "zsh", file)
	for _, want := range []string{"doctor:check DNS", "*--format[", ":NAME:(mxhook raw", "*-c[the configuration FILE]:FILE:_files", "*:file:_files"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
}

func TestManualPage(t *testing.T) {
	got := runCommand(t, "", "man")
	if got.status != 0 || !strings.HasPrefix(got.stdout, ".TH MXHOOK 1 ") {
		t.Fatalf("%+v", got)
	}
	for _, c := range commands() {
		if !strings.Contains(got.stdout, ".SS mxhook "+roff(c.name)) {
			t.Errorf("no %s", c.name)
		}
	}
	for _, d := range describe(t.Context()) {
		help := runCommand(t, "", "help", d.name)
		for _, f := range d.flags {
			for _, name := range f.names {
				if !strings.Contains(got.stdout, `\fB`+roff(name)+`\fR`) || !regexp.MustCompile(`(?m)^  `+regexp.QuoteMeta(name)+` `).MatchString(help.stdout) {
					t.Errorf("%s: %s is missing in the page or in the help", d.name, name)
				}
			}
		}
	}
	page := writeFile(t, "mxhook.1", got.stdout)
	mandoc := program(t, "mandoc")
	lint, _ := exec.Command(mandoc, "-T", "lint", "-W", "warning", page).CombinedOutput()
	for line := range strings.Lines(string(lint)) {
		if !strings.Contains(line, "missing date") { // of a build outside a repository
			t.Error(line)
		}
	}
	if text := output(t, "", mandoc, "-T", "ascii", page); !strings.Contains(text, "a problem that is printed") {
		t.Error(text)
	}
}

func TestCompletionOfAnotherShell(t *testing.T) {
	for _, args := range [][]string{{"completion"}, {"completion", "csh"}, {"completion", "bash", "zsh"}, {"man", "page"}} {
		if got := runCommand(t, "", args...); got.status != 2 || got.stdout != "" {
			t.Errorf("%q: %+v", args, got)
		}
	}
}
