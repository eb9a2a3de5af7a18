package reply

import "strings"

// classify says of each line what it is by itself or with its neighbours.
func (d *document) classify() {
	d.first()
	for i := 0; i < len(d.lines); i++ {
		switch d.lines[i].kind {
		case isText, isDivider:
			i = max(i, d.special(i))
		case isQuote:
			// A line that is broken within "<ann@a.example\n> wrote:" looks quoted.
			if _, rest := quoteDepth(d.at(i)); i > 0 && len(rest) < 40 && (rest == ":" || onlyVerb(rest)) {
				d.wrote(i)
			}
		}
	}
	d.fences()
	d.quoteStyles()
	d.wraps()
	d.signatures()
}

// first is what a line is without its neighbours.
func (d *document) first() {
	for i := range d.lines {
		s := d.at(i)
		l := &d.lines[i]
		switch {
		case s == "":
			l.kind = isBlank
		case s[0] == '>' || strings.HasPrefix(s, "\uff1e"):
			l.kind = isQuote
		case divider(s):
			l.kind = isDivider
		}
	}
}

// special looks for what introduces an old message at line i, and returns the last
// line of it.
func (d *document) special(i int) int {
	s := d.at(i)
	if len(s) > maxLine {
		return i
	}
	if last, fields := d.fieldBlock(i); last > i {
		for k := i; k <= last; k++ {
			d.lines[k].kind = isFields
		}
		d.lines[i].fields = fields
		return last
	}
	if d.lines[i].kind == isDivider {
		return i
	}
	switch m := d.marker(i, s); m {
	case isOriginal, isForward, isAbove:
		d.lines[i].kind = m
		return i
	}
	d.wrote(i)
	return i
}

// fences makes text again of what stands between two lines of ``` or ~~~.
func (d *document) fences() {
	open := -1
	for i := range d.lines {
		if k := d.lines[i].kind; k == isQuote || k == isBlank {
			continue
		}
		s := d.text[d.lines[i].start:d.lines[i].end]
		if len(s) < 4 || s[0] != '`' && s[0] != ' ' || !strings.HasPrefix(trim(s), "```") {
			continue
		}
		if open < 0 {
			open = i
			continue
		}
		for k := open; k <= i; k++ {
			if d.lines[k].kind != isBlank {
				d.lines[k].kind = isText
			}
		}
		open = -1
	}
}

// quoteStyles finds quotes that are marked by initials or by "|". Both are common
// in what is no quote, so they count only after a line that introduces one.
func (d *document) quoteStyles() {
	introduced, bars := false, false
	for i := range d.lines {
		switch d.lines[i].kind {
		case isWrote:
			introduced = true
			n := d.next(i + 1)
			bars = n < len(d.lines) && strings.HasPrefix(d.at(n), "| ")
		case isText:
			if !introduced {
				continue
			}
			if s := d.at(i); bars && s[0] == '|' || initials(s) {
				d.lines[i].kind = isQuote
			}
		}
	}
}

// wraps finds the rest of a quoted line that a mail reader broke: it stands between
// the long line that it belongs to and another quoted line, and goes on with a small
// letter.
func (d *document) wraps() {
	for i := 1; i+1 < len(d.lines); i++ {
		if d.lines[i].kind != isText || d.lines[i-1].kind != isQuote || d.lines[i+1].kind != isQuote {
			continue
		}
		before, s := d.at(i-1), d.at(i)
		if len(before) < 60 || strings.IndexByte(".?!:", before[len(before)-1]) >= 0 || len(s) > 80 {
			continue
		}
		if startsSmall(s) {
			d.lines[i].kind = isQuote
		}
	}
}
