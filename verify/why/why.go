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
	"strings"
	"sync"
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
	result  string // "" until it is known
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
	p.section.add(step)
}

func (s *section) add(step string) {
	if len(s.steps) == maxSteps {
		s.dropped++
		return
	}
	s.steps = append(s.steps, step)
}

// Conclude sets what came out of the context's section. It stands behind the title.
func Conclude(ctx context.Context, result string) {
	p := at(ctx)
	if p == nil || p.section == nil {
		return
	}
	p.notes.mu.Lock()
	defer p.notes.mu.Unlock()
	p.section.result = result
}

// Hold returns a context whose steps are kept back until release is called: so the
// steps of work that runs at the same time, in one section, stand together and in one
// order.
func Hold(ctx context.Context) (held context.Context, release func()) {
	p := at(ctx)
	if p == nil || p.section == nil {
		return ctx, func() {}
	}
	own := &section{}
	return context.WithValue(ctx, key{}, &place{notes: p.notes, section: own, depth: p.depth}), func() {
		p.notes.mu.Lock()
		defer p.notes.mu.Unlock()
		for _, step := range own.steps {
			p.section.add(step)
		}
		p.section.dropped += own.dropped
		own.steps, own.dropped = nil, 0
	}
}
