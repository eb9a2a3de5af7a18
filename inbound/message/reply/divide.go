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

// introduced finds the attribution that stands within the quote, "> On … wrote:", as
// mail readers on phones put it.
func (d *document) introduced() {
	for i := range d.lines {
		if d.lines[i].kind == isWrote {
			return
		}
		if d.lines[i].kind != isQuote {
			continue
		}
		joined := ""
		for k := i; k < len(d.lines) && k < i+4 && d.lines[k].kind == isQuote; k++ {
			_, rest := quoteDepth(d.at(k))
			if len(rest)+len(joined) > maxLine {
				return
			}
			joined += " " + rest
			if !mayEnd(rest) {
				continue
			}
			f := factsOf(joined)
			if d.tries--; f.verdict() == strong || f.verdict() == weak && f.colon && f.starts() {
				for n := i; n <= k; n++ {
					d.lines[n].kind = isWrote
				}
				return
			}
		}
		return
	}
}

// tail returns the first line of what is quoted to the end without marks: below the
// fields of Outlook, "Original Message", "Reply above this line". If it is a
// message that is passed on and nothing stands above, forwarded is its first line
// of text, else -1.
func (d *document) tail() (cut, forwarded int) {
	text, other := false, false // whether something of the writer, or of a mail reader, stands above
	for i := 0; i < len(d.lines); i++ {
		l := &d.lines[i]
		switch l.kind {
		case isText:
			text = true
		case isWrote, isSignature, isDivider:
			other = true
		case isOriginal, isMarked:
			return d.upTo(i), -1
		case isForward:
			if text {
				return d.upTo(i), -1
			}
			return len(d.lines), d.forward(i)
		case isAbove:
			if text || other {
				return d.upTo(i), -1
			}
			l.kind, other = isWrote, true
		case isFields:
			if text || other || count(l.fields&^fieldOther) == 4 {
				return d.upTo(i), -1
			}
			// The fields of a form, and not of a message.
			for ; i < len(d.lines) && (d.lines[i].kind == isFields || d.lines[i].kind == isBlank); i++ {
				if d.lines[i].kind == isFields {
					d.lines[i].kind = isText
				}
			}
			text = true
			i--
		}
	}
	return len(d.lines), -1
}

// upTo takes the rule above line i to it.
func (d *document) upTo(i int) int {
	for k := i - 1; k >= 0 && (d.lines[k].kind == isBlank || d.lines[k].kind == isDivider); k-- {
		if d.lines[k].kind == isDivider {
			i = k
		}
	}
	return i
}

// forward returns the first line of the message that is passed on below line i.
func (d *document) forward(i int) int {
	k := d.next(i + 1)
	if k < len(d.lines) && d.lines[k].kind == isFields {
		for k < len(d.lines) && (d.lines[k].kind == isFields || d.lines[k].kind == isBlank) {
			k++
		}
	}
	return k
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
