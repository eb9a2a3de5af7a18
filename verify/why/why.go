// Package why collects the reasoning of the methods, step by step and for people: what
// was asked, what came back, what followed from it. It changes no result. Without Notes
// in the context nothing is formatted and nothing is kept.
//
// The notes travel in the context, as those of net/http/httptrace do, so that no
// method's signature speaks of them.
package why

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

// maxSteps is how many steps one section keeps; what comes after them is counted.
const maxSteps = 2000

// Notes are the sections of one message, in the order in which they were opened. They
// are safe for concurrent use.
type Notes struct {
	mu       sync.Mutex
	sections []*section
}

type section struct {
	title   string
	steps   []string
	dropped int
}

// New returns empty notes.
func New() *Notes { return &Notes{} }

type key struct{}

// place is where a context's steps go.
type place struct {
	notes   *Notes
	section *section
	depth   int
}

// With returns a context whose sections go to n.
func With(ctx context.Context, n *Notes) context.Context {
	if n == nil {
		return ctx
	}
	return context.WithValue(ctx, key{}, &place{notes: n})
}

// On reports whether somebody wants to know. It guards what is costly to say.
func On(ctx context.Context) bool { return at(ctx) != nil }

func at(ctx context.Context) *place {
	p, _ := ctx.Value(key{}).(*place)
	return p
}

// Section opens a section, whose steps are those of the returned context. Sections of
// concurrent methods don't mix; they are printed in the order in which they were opened.
func Section(ctx context.Context, title string) context.Context {
	p := at(ctx)
	if p == nil {
		return ctx
	}
	s := &section{title: title}
	p.notes.mu.Lock()
	p.notes.sections = append(p.notes.sections, s)
	p.notes.mu.Unlock()
	return context.WithValue(ctx, key{}, &place{notes: p.notes, section: s})
}

// In returns ctx with the steps of another context's section: for work that does not end
// with the other's time.
func In(ctx, section context.Context) context.Context {
	p := at(section)
	if p == nil {
		return ctx
	}
	return context.WithValue(ctx, key{}, p)
}

// Within returns a context whose steps stand one level deeper than those of ctx, as
// those of an included SPF record do.
func Within(ctx context.Context) context.Context {
	p := at(ctx)
	if p == nil {
		return ctx
	}
	return context.WithValue(ctx, key{}, &place{notes: p.notes, section: p.section, depth: p.depth + 1})
}

// Say adds one step to the context's section; outside of a section it says nothing.
func Say(ctx context.Context, format string, args ...any) {
	p := at(ctx)
	if p == nil || p.section == nil {
		return
	}
	step := strings.Repeat("  ", p.depth) + fmt.Sprintf(format, args...)
	p.notes.mu.Lock()
	defer p.notes.mu.Unlock()
	if len(p.section.steps) == maxSteps {
		p.section.dropped++
		return
	}
	p.section.steps = append(p.section.steps, step)
}

// WriteTo prints the sections: a title, and a line for each step below it. Whatever a
// stranger's text holds, a step is one line and holds no control character.
func (n *Notes) WriteTo(w io.Writer) (int64, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	var b strings.Builder
	for i, s := range n.sections {
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(printable(s.title) + "\n")
		for _, step := range s.steps {
			b.WriteString("  " + printable(step) + "\n")
		}
		if s.dropped > 0 {
			fmt.Fprintf(&b, "  (and %d more steps)\n", s.dropped)
		}
	}
	written, err := io.WriteString(w, b.String())
	return int64(written), err
}

// printable makes a text one line that does nothing to a terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r == utf8.RuneError || unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp) {
			return '?'
		}
		return r
	}, s)
}
