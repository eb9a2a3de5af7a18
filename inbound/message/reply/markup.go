package reply

import "strings"

// markup is what the HTML says.
type markup struct {
	quote      bool
	tail       bool     // all from the quote on is quoted, and no line need be marked
	at         [2]place // where the quote begins, pictures' words not counted and counted
	first      string   // the first letters and digits of it
	answered   bool     // text follows the quote
	signatures [][2]place
}

// hints are what the HTML must have somewhere to say anything.
var hints = [...]string{"uote", "cite", "RplyFwd", "appendonsend", "OutlookMessageHeader", "border-top", "ignature", "zmail_extra", "olk_src", "reference-message"}

// applyMarkup marks the lines at which a quote or a signature begins by the HTML.
func (d *document) applyMarkup(s string) {
	s = s[:min(len(s), maxHTML)]
	found := false
	for _, h := range hints {
		found = found || strings.Contains(s, h)
	}
	if !found {
		return
	}
	m := readMarkup(s)
	if m.quote {
		i := d.find(m.at[0], m.first)
		if i < 0 {
			i = d.find(m.at[1], m.first)
		}
		if i >= 0 && i < len(d.lines) {
			d.markQuote(i, m)
		}
	}
	for _, sig := range m.signatures {
		start, end := d.find(sig[0], ""), d.find(sig[1], "")
		if start < 0 || end < start {
			continue
		}
		for i := start; i < end; i++ {
			if k := d.lines[i].kind; k == isText || k == isDivider {
				d.lines[i].kind = isSignature
			}
		}
	}
}

// markQuote marks line i, at which the HTML says that a quote begins.
func (d *document) markQuote(i int, m *markup) {
	if k := d.lines[i].kind; k == isForward || k == isQuote || k == isWrote && !m.tail {
		if k != isWrote || d.quotedBelow(i) || m.answered {
			return
		}
	}
	if m.tail {
		d.lines[i].kind = isMarked
		return
	}
	// The words above the first marked line are who is quoted, in whatever language.
	n := 0
	for k := i; k < len(d.lines) && n <= 3; k++ {
		switch d.lines[k].kind {
		case isText, isDivider:
			n++
		case isQuote, isWrote:
			for ; i < k; i++ {
				if d.lines[i].kind != isBlank {
					d.lines[i].kind = isWrote
				}
			}
			return
		case isFields, isForward, isOriginal:
			return
		}
	}
	if !m.answered && !d.quotedBelow(i) {
		d.lines[i].kind = isMarked
	}
}

func (d *document) quotedBelow(i int) bool {
	for ; i < len(d.lines); i++ {
		if d.lines[i].kind == isQuote {
			return true
		}
	}
	return false
}
