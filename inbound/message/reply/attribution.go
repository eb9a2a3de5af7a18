package reply

import "strings"

// window is how many lines an attribution may have.
const window = 6

// wrote looks whether line i ends an attribution, "On … wrote:", and marks its
// lines. It may be wrapped, so the lines above are taken in until they are one.
func (d *document) wrote(i int) {
	if d.tries <= 0 {
		return
	}
	s := d.at(i)
	if !mayEnd(s) {
		return
	}
	if d.tries--; strings.IndexByte(s, '@') < 0 && strings.IndexByte(s, '>') < 0 && !clock(s) && !hasVerb(s) && !strings.HasPrefix(s, "Posted by ") {
		return // a colon alone is in too many lines
	}
	joined := ""
	for k := i; k >= 0 && k > i-window; k-- {
		s := d.at(k)
		if k < i && !d.mayContinue(k) {
			return
		}
		if len(s)+len(joined) > 2*maxLine {
			return
		}
		joined = s + " " + joined
		f := factsOf(joined)
		v := f.verdict()
		if v == weak && d.strengthened(k, i, &f) {
			v = strong
		}
		if v != strong {
			continue
		}
		k = d.extend(k, &f)
		for n := k; n <= i; n++ {
			if d.lines[n].kind != isBlank {
				d.lines[n].kind = isWrote
			}
		}
		return
	}
}

// mayContinue tells whether the attribution may have begun above and go through
// line k: it is text, or a blank line before one that begins with "<".
func (d *document) mayContinue(k int) bool {
	switch d.lines[k].kind {
	case isText:
		return true
	case isBlank:
		return strings.HasPrefix(d.at(k+1), "<")
	}
	return false
}

// extend takes in the lines above line k that belong to the attribution although
// what is below would be one by itself: the date that stands before the name.
func (d *document) extend(k int, f *facts) int {
	if f.dated() {
		return k
	}
	open := k
	for n := k - 1; n >= 0 && n > k-5 && d.mayContinue(n); n-- {
		s := d.at(n)
		if len(s) > 150 {
			break
		}
		if s == "" {
			continue
		}
		if n == open-1 && strings.HasSuffix(s, "<") {
			open = n
		}
		above := factsOf(s)
		if strings.IndexByte(".!?:", s[len(s)-1]) >= 0 || !above.starts() {
			continue
		}
		if above.dated() || n == k-1 && strings.HasPrefix(f.s, "<") && strings.IndexFunc(s, digitRune) >= 0 {
			return n
		}
	}
	return open
}

// strengthened tells whether what stands around lines from to last makes a weak
// verdict a strong one: a quoted line below.
func (d *document) strengthened(from, last int, f *facts) bool {
	n := d.next(last + 1)
	if n < len(d.lines) && d.lines[n].kind == isQuote && f.starts() {
		return true
	}
	alone := (from == 0 || d.lines[from-1].kind != isText) && last+1 < len(d.lines) && d.lines[last+1].kind == isBlank
	return alone && f.named
}

// mayEnd tells cheaply whether the trimmed line s can end an attribution.
func mayEnd(s string) bool {
	if len(s) > maxLine {
		return false
	}
	t := strings.TrimRight(s, "-* >\u00a0")
	if t == "" {
		return false
	}
	if t[len(t)-1] == ':' || strings.HasSuffix(t, "\uff1a") {
		return true
	}
	if s[0] == '2' {
		return s[len(s)-1] == '>' || strings.Contains(s, "GMT")
	}
	return endsInVerb(t) || strings.HasPrefix(s, "Posted by ")
}

// endsInVerb tells whether s ends in a verb, as in "---- On … wrote ----".
func endsInVerb(s string) bool {
	k := strings.LastIndexAny(s, " ;>")
	if k < 0 || len(s)-k > 24 {
		return false
	}
	return wroteVerb(strings.ToLower(strings.Trim(s[k+1:], "()"))) == verbLast
}

func hasVerb(s string) bool {
	f := factsOf(s)
	return f.verb != verbNone || strings.Contains(s, "\u5199\u9053")
}

// onlyVerb tells whether s is the verb and a colon, the last line of an attribution
// that was wrapped.
func onlyVerb(s string) bool {
	t := strings.TrimRight(s, " :")
	return t != s && wroteVerb(strings.ToLower(t)) != verbNone
}
