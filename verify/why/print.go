package why

import (
	"fmt"
	"io"
	"math"
	"strings"
	"unicode"
	"unicode/utf8"
)

// WriteTo prints the sections: the title with the result, and a line for each step below
// it. Whatever a stranger's text holds, it makes no line of its own and holds no
// control character.
func (n *Notes) WriteTo(w io.Writer) (int64, error) { return n.Print(w, math.MaxInt) }

// Print is WriteTo with lines of at most the given width, if their words allow it.
func (n *Notes) Print(w io.Writer, width int) (int64, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	var b strings.Builder
	for i, s := range n.sections {
		if i > 0 {
			b.WriteByte('\n')
		}
		title := Printable(s.title)
		if s.result != "" {
			title += ": " + Printable(s.result)
		}
		b.WriteString(title + "\n")
		for _, step := range s.steps {
			wrap(&b, "  "+Printable(step), width)
		}
		if s.dropped > 0 {
			fmt.Fprintf(&b, "  (and %d more steps)\n", s.dropped)
		}
	}
	written, err := io.WriteString(w, b.String())
	return int64(written), err
}

// wrap writes a step as lines. What follows the first one stands deeper than it, so
// that one sees where a step begins. A word that is too long, such as a key, stays
// whole: it may be copied.
func wrap(b *strings.Builder, step string, width int) {
	text := strings.TrimLeft(step, " ")
	indent := step[:len(step)-len(text)]
	b.WriteString(indent)
	at := len(indent)
	for i, word := range strings.Split(text, " ") {
		n := utf8.RuneCountInString(word)
		switch {
		case i == 0:
		case at+1+n > width && n > 0:
			indent := indent + "    "
			b.WriteString("\n" + indent)
			at = len(indent)
		default:
			b.WriteByte(' ')
			at++
		}
		b.WriteString(word)
		at += n
	}
	b.WriteByte('\n')
}

// Printable makes a text one line that does nothing to a terminal.
func Printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r == utf8.RuneError || unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp) {
			return '?'
		}
		return r
	}, s)
}
