package reply

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
