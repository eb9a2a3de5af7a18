package doctor

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"mxhook/cmd/internal/config"
)

// Report is what a run found.
type Report struct {
	Checks []Check `json:"checks"`
}

func (r *Report) add(checks []Check) { r.Checks = append(r.Checks, checks...) }

// Unread is the report of a configuration that can't be used: with it nothing can be
// looked at.
func Unread(problems []config.Problem) (r Report) {
	for _, p := range problems {
		f := findings{section: "Configuration", subject: printable(p.File)}
		found := p.Text
		if p.Line > 0 {
			found = fmt.Sprintf("line %d, column %d: %s", p.Line, p.Column, p.Text)
		}
		if p.Warning {
			f.add(Warning, "config", found, "it works nevertheless", "mxhook check --config "+p.File+" tells when it is good")
		} else {
			f.add(Error, "config", found, "mxhook serve does not start with it, and doctor can look at nothing else", "mend it; mxhook check --config "+p.File+" tells when it is good")
		}
		r.add(f.checks)
	}
	return r
}

// Healthy tells that there is no error and nothing that could not be found out.
func (r Report) Healthy() bool { return r.count(Error) == 0 && r.count(Unknown) == 0 }

func (r Report) count(s Severity) (n int) {
	for _, c := range r.Checks {
		if c.Severity == s {
			n++
		}
	}
	return n
}

// WriteJSON writes the report as one JSON object, {"checks": […]}.
func (r Report) WriteJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if r.Checks == nil {
		r.Checks = []Check{}
	}
	return e.Encode(r)
}

// marks are what stands before a severity, and the colour of both (ECMA-48 SGR).
var marks = map[Severity]struct{ sign, colour string }{
	OK: {"✓", "32"}, Info: {"·", "36"}, Warning: {"!", "33"}, Unknown: {"?", "35"}, Error: {"✗", "31"},
}

// WriteText writes the report for people, section by section; the words say all that the
// colours do.
func (r Report) WriteText(w io.Writer, colour bool) error {
	var b strings.Builder
	for _, section := range r.sections() {
		b.WriteString(paint(section, "1", colour) + "\n")
		for _, c := range r.Checks {
			if c.section == section {
				c.write(&b, colour, section == sinksSection)
			}
		}
		b.WriteString("\n")
	}
	b.WriteString(r.summary() + "\n")
	_, err := io.WriteString(w, b.String())
	return err
}

func (r Report) sections() (all []string) {
	for _, c := range r.Checks {
		if !slices.Contains(all, c.section) {
			all = append(all, c.section)
		}
	}
	return all
}

// sinksSection is the one section of several subjects that have names.
const sinksSection = "Sinks, sources and questions"

// rank is the place of a section: first comes what people ask for, their domains.
func rank(section string) int {
	prefixes := []string{"Domain ", "Host ", "Certificate ", "Listener ", sinksSection, "This machine"}
	return slices.IndexFunc(prefixes, func(p string) bool { return strings.HasPrefix(section, p) })
}

func (c Check) write(b *strings.Builder, colour, named bool) {
	m := marks[c.Severity]
	label := fmt.Sprintf("%s %-7s", m.sign, c.Severity)
	name := c.Name
	if named {
		name += " " + c.Subject
	}
	fmt.Fprintf(b, "  %s  %s: %s\n", paint(label, m.colour, colour), name, c.Found)
	for _, l := range []struct{ word, text string }{{"why", c.Why}, {"fix", c.Fix}} {
		if l.text != "" {
			fmt.Fprintf(b, "      %s: %s\n", l.word, strings.ReplaceAll(l.text, "\n", "\n           "))
		}
	}
}

func paint(s, colour string, on bool) string {
	if !on {
		return s
	}
	return "\x1b[" + colour + "m" + s + "\x1b[0m"
}

func (r Report) summary() string {
	counts := fmt.Sprintf("%d errors, %d could not be found out, %d warnings", r.count(Error), r.count(Unknown), r.count(Warning))
	if r.Healthy() {
		return "healthy: " + counts
	}
	return "not healthy: " + counts
}
