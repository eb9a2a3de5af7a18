package reply

import "strings"

// divide gives each line its part. The rules stand in the README of inbound/message.
func (d *document) divide() {
	d.introduced()
	cut, forwarded := d.tail()
	d.set(cut, len(d.lines), inQuoted)
	if forwarded >= 0 {
		// What is passed on without a word is what the mail is about.
		d.set(0, forwarded, inQuoted)
		return
	}
	cut = d.unmarkedQuote(cut)
	cut = d.footer(cut)
	d.rest(cut)
}

func (d *document) set(start, end int, p part) {
	for i := start; i < end; i++ {
		d.lines[i].part = p
	}
}

// textBefore tells whether the writer wrote something above line i.
func (d *document) textBefore(i int) bool {
	for k := 0; k < i; k++ {
		if d.lines[k].kind == isText {
			return true
		}
	}
	return false
}

// unmarkedQuote finds the attribution below which no line is marked as quoted, and
// returns where the quote begins, or cut.
func (d *document) unmarkedQuote(cut int) int {
	first := 0
	text, signed := false, false
	for i := 0; i < cut; i++ {
		if d.lines[i].kind == isQuote {
			first = i + 1
		}
	}
	for i := 0; i < cut; i++ {
		switch d.lines[i].kind {
		case isText:
			text = true
		case isSignature:
			signed = true
		case isWrote:
			if i >= first && (text || signed) {
				d.set(i, cut, inQuoted)
				return i
			}
		}
	}
	return cut
}

// footer treats what stands below the last quote. Few lines are a footer; more, or
// any where nothing but a greeting stands above the quote, are the writer's.
func (d *document) footer(cut int) int {
	below := cut
	lines := 0
	for below > 0 {
		l := &d.lines[below-1]
		if l.kind == isQuote || l.kind == isWrote {
			break
		}
		if l.kind == isText {
			lines++
		}
		below--
	}
	if below == 0 {
		return cut
	}
	start, wrote := below, -1
	for start > 0 {
		l := &d.lines[start-1]
		if l.kind == isText || l.kind == isDivider {
			break
		}
		if l.kind == isWrote {
			wrote = start - 1
		}
		start--
	}
	if wrote < 0 {
		return cut
	}
	if !d.textBefore(start) {
		if lines > 0 {
			// The reply stands below the quote, and only there.
			d.quote(0, below)
		}
		return cut
	}
	if lines > maxFooter || lines > 0 && d.greeting(start) {
		return cut
	}
	d.quote(wrote, below)
	for i := below; i < cut; i++ {
		d.lines[i].part = inSignature
	}
	return wrote
}

// quote makes the lines from start to end quoted, but for those that are signed.
func (d *document) quote(start, end int) {
	for i := start; i < end; i++ {
		if d.lines[i].kind == isSignature {
			d.lines[i].part = inSignature
			continue
		}
		d.lines[i].part = inQuoted
		if d.lines[i].kind == isQuote {
			d.lines[i].kind = isWrote
		}
	}
}

// greeting tells whether all that stands above line end is one line as "Hi Ann,".
func (d *document) greeting(end int) bool {
	n := 0
	for i := 0; i < end; i++ {
		if d.lines[i].kind != isText {
			continue
		}
		s := d.at(i)
		if n++; n > 1 || len(s) > 60 || strings.IndexByte(",!", s[len(s)-1]) < 0 && !strings.HasSuffix(s, "\uff0c") && !strings.HasSuffix(s, "\u3001") {
			return false
		}
	}
	return n == 1
}

// rest gives the lines above cut their parts: quotes between the writer's lines stay
// with them, since what he wrote means nothing without them, but not the last ones.
func (d *document) rest(cut int) {
	text, wrote := false, cut < len(d.lines)
	for i := 0; i < cut; i++ {
		switch d.lines[i].kind {
		case isText:
			text = true
		case isWrote:
			d.lines[i].part = inQuoted
			wrote = true
		case isSignature:
			d.lines[i].part = inSignature
		}
	}
	if !text && !wrote {
		return // nothing but a quote, without a word of who is quoted
	}
	below := cut < len(d.lines)
	for i := cut - 1; i >= 0; i-- {
		switch d.lines[i].kind {
		case isQuote, isWrote:
			below = true
			fallthrough
		case isBlank:
			d.lines[i].part = inQuoted
		case isDivider:
			// A rule belongs to what is below it.
			if d.lines[i].part = inSignature; below {
				d.lines[i].part = inQuoted
			}
		case isText:
			return
		}
	}
}
