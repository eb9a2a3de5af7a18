// Package reply divides the text of a mail into what its writer added, what is
// quoted, and the signature.
//
// There is no standard for it: RFC 3676 says how a quoted line begins and which
// line stands above a signature, and all else (the line "On … wrote:", the block
// of fields that Outlook puts above the old message, "Sent from my iPhone") is what
// mail readers do. So the result is a guess. It is made by rules that the README
// of inbound/message lists, and it loses nothing: each line of the text that is
// not blank stands in exactly one of the three parts, in its order, unchanged.
package reply

import "strings"

// Parts is a text divided. Blank lines around a part are left out, and so are
// blanks before the first and after the last octet of Text.
type Parts struct {
	Text      string // what the writer added; "" if that is nothing
	Quoted    string // the quoted message, with the line that introduces it
	Signature string
}

// Limits of the work. Each makes a text that is beyond it less divided, never
// wrong in its sum.
const (
	maxText    = 512 << 10 // octets that are looked at; the rest goes where their last line goes
	maxHTML    = 256 << 10 // octets of HTML that are looked at
	maxLine    = 600       // octets of a line that can be part of an attribution
	maxTries   = 400       // lines that are tried as the end of an attribution
	maxFooter  = 6         // lines after the quote that are taken for a footer
	maxSigned  = 25        // lines of a signature
	maxDivider = 6         // lines below a divider that is no "-- "
)

// Divide divides text, the plain text of a mail with lines that end in \n. html is
// its HTML, "" if there is none: where the HTML says clearly that a quote or a
// signature begins, and the text has the same words up to there, that counts as if
// the text said it. Text may be made of the HTML. The cost is linear in both.
// Divide is safe for concurrent use.
func Divide(text, html string) Parts {
	rest := ""
	if len(text) > maxText {
		cut := strings.LastIndexByte(text[:maxText], '\n') + 1
		if cut == 0 {
			return Parts{Text: trimText(text)}
		}
		text, rest = text[:cut], text[cut:]
	}
	d := newDocument(text)
	if len(d.lines) == 0 {
		return Parts{Text: trimText(rest)}
	}
	d.classify()
	d.applyMarkup(html)
	d.divide()
	return d.parts(rest)
}

// parts joins the lines of each part. What stands in one piece of the text is not
// copied.
func (d *document) parts(rest string) Parts {
	var out [3]piece
	for i := range d.lines {
		l := &d.lines[i]
		out[l.part].add(d.text, int(l.start), int(l.end))
	}
	if rest != "" {
		last := &out[d.lines[len(d.lines)-1].part]
		last.flush(d.text)
		last.done.WriteString(rest)
	}
	return Parts{
		Text:      trimText(out[inText].string(d.text)),
		Quoted:    trimLines(out[inQuoted].string(d.text)),
		Signature: trimLines(out[inSignature].string(d.text)),
	}
}

// piece collects ranges of a text.
type piece struct {
	done       strings.Builder
	start, end int
}

func (p *piece) add(text string, start, end int) {
	if start == p.end && end > start {
		p.end = end
		return
	}
	p.flush(text)
	p.start, p.end = start, end
}

func (p *piece) flush(text string) {
	p.done.WriteString(text[p.start:p.end])
	p.start = p.end
}

func (p *piece) string(text string) string {
	if p.done.Len() == 0 {
		return text[p.start:p.end]
	}
	p.flush(text)
	return p.done.String()
}

func trimText(s string) string { return strings.Trim(trimLines(s), " \t\n\v\f\r\x00") }

// trimLines cuts the blank lines at both ends of s.
func trimLines(s string) string {
	const ascii = " \t\r\n"
	if k := len(s) - len(strings.TrimLeft(s, ascii)); k > 0 {
		s = s[strings.LastIndexByte(s[:k], '\n')+1:]
	}
	if k := len(strings.TrimRight(s, ascii)); k < len(s) {
		if n := strings.IndexByte(s[k:], '\n'); n >= 0 {
			s = s[:k+n]
		}
	}
	for {
		k := strings.IndexByte(s, '\n')
		if k < 0 || !blank(s[:k]) {
			break
		}
		s = s[k+1:]
	}
	for {
		k := strings.LastIndexByte(s, '\n')
		if k < 0 || !blank(s[k+1:]) {
			break
		}
		s = s[:k]
	}
	if blank(s) {
		return ""
	}
	return s
}
