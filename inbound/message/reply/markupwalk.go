package reply

import (
	"strings"

	"golang.org/x/net/html"
)

// firstLetters is how many letters and digits of a quote must be those of the text.
const firstLetters = 24

// readMarkup reads the HTML up to the first quote, and beyond it to what follows it.
func readMarkup(s string) *markup {
	w := markupWalker{z: tags{s: s}, m: new(markup)}
	for w.step() {
	}
	w.checkRule(true)
	if !w.m.tail && !w.quoted {
		// Gmail puts whole mails into a div for quotes when what stood around it is deleted.
		w.m.quote = false
	}
	return w.m
}

type markupWalker struct {
	z         tags
	m         *markup
	here      [2]place
	container element // the quote
	quoted    bool    // a blockquote was in the quote
	awaiting  bool    // the line above the quote was, the quote is still to come
	signature element
	signed    place
	rule      bool   // the quote began with a rule, which its fields must follow
	below     string // the first text of the quote
	letters   int    // of m.first
}

// element is an open element of which the end is awaited.
type element struct {
	name  string
	depth int
}

func (e *element) start(name string) {
	if e.name == name {
		e.depth++
	}
}

// end tells whether the end tag name closes the element.
func (e *element) end(name string) bool {
	if e.name != name {
		return false
	}
	e.depth--
	if e.depth == 0 {
		e.name = ""
		return true
	}
	return false
}

func (w *markupWalker) step() bool {
	if !w.z.next() {
		return false
	}
	switch name := w.z.name; {
	case name == "":
		return w.text(w.z.text)
	case w.z.end:
		if w.signature.end(name) {
			w.m.signatures = append(w.m.signatures, [2]place{w.signed, w.here[0]})
		}
		w.container.end(name)
	default:
		w.open(name)
	}
	return true
}

// text adds what is shown. It returns false when nothing more is wanted.
func (w *markupWalker) text(s string) bool {
	m := w.m
	if m.quote {
		if w.container.name == "" && !w.awaiting && !m.tail && strings.IndexFunc(s, wordRune) >= 0 {
			m.answered = true
			return false
		}
		w.first(s)
	}
	for i := range w.here {
		w.here[i].addText(s)
	}
	w.checkRule(false)
	return !(m.quote && m.tail && !w.rule && w.letters >= firstLetters)
}

// first keeps the first text of the quote.
func (w *markupWalker) first(s string) {
	if len(w.below) < 48 {
		w.below += s[:min(len(s), 48)]
	}
	for _, r := range s {
		if w.letters >= firstLetters {
			break
		}
		if wordRune(r) {
			w.m.first += string(r)
			w.letters++
		}
	}
}

// checkRule takes back that a quote began at a rule, if no field follows it.
func (w *markupWalker) checkRule(end bool) {
	if !w.rule || !end && len(w.below) < 48 && strings.IndexByte(w.below, ':') < 0 {
		return
	}
	w.rule = false
	if c, _ := field(trim(w.below)); c != 0 {
		return
	}
	w.m.quote, w.m.tail, w.m.first, w.below, w.letters = false, false, "", "", 0
}

func (w *markupWalker) open(name string) {
	w.container.start(name)
	if w.awaiting && name == "blockquote" {
		w.awaiting, w.container = false, element{name, 1}
	}
	w.signature.start(name)
	for key, value, rest := attribute(w.z.rest); key != ""; key, value, rest = attribute(rest) {
		switch strings.ToLower(key) {
		case "alt":
			if name == "img" {
				w.here[1].addText(html.UnescapeString(value))
			}
		case "class", "id", "style", "type", "name":
			w.attribute(name, strings.ToLower(key), value)
		}
	}
	w.quoted = w.quoted || w.m.quote && name == "blockquote"
}

func (w *markupWalker) attribute(name, key, value string) {
	m := w.m
	if m.quote {
		return
	}
	switch quoteMark(name, key, value) {
	case markTail:
		m.quote, m.tail, m.at = true, true, w.here
	case markRule:
		m.quote, m.tail, m.at, w.rule = true, true, w.here, true
	case markCite:
		m.quote, m.at = true, w.here
		w.awaiting = isPrefix(value)
		if !w.awaiting {
			w.container = element{name, 1}
		}
	}
	if w.signature.name == "" && len(m.signatures) < 4 && key != "style" && key != "type" && signatureMark(value) && !m.quote {
		w.signature, w.signed = element{name, 1}, w.here[0]
	}
}

// isPrefix tells whether the element holds only the line above the quote.
func isPrefix(value string) bool {
	return strings.Contains(value, "moz-cite-prefix") || strings.Contains(value, "gmail_attr")
}

// mark is how the HTML says that a quote begins.
type mark byte

const (
	markNone mark = iota
	markTail      // all from here to the end
	markRule      // the same, if the fields of an old message follow
	markCite      // this element
)

// quoteMark says what an attribute means. The names are those of mail readers.
func quoteMark(name, key, value string) mark {
	switch key {
	case "id", "name":
		switch {
		case strings.Contains(value, "divRplyFwdMsg"), strings.Contains(value, "appendonsend"), strings.Contains(value, "OLK_SRC_BODY_SECTION"),
			strings.Contains(value, "mail-editor-reference-message-container"), strings.Contains(value, "ms-outlook-mobile-body-separator-line"):
			return markTail
		case strings.HasPrefix(value, "yahoo_quoted"):
			return markTail
		}
	case "class":
		for _, c := range strings.Fields(value) {
			switch c {
			case "OutlookMessageHeader", "yahoo_quoted", "ms-outlook-mobile-reference-message", "mail-editor-reference-message-container":
				return markTail
			case "gmail_quote", "gmail_quote_container", "moz-cite-prefix", "protonmail_quote", "zmail_extra", "tutanota_quote", "gmail_attr", "mailru-blockquote", "yandex-quote":
				return markCite
			}
		}
	case "type":
		if name == "blockquote" && strings.EqualFold(value, "cite") {
			return markCite
		}
	case "style":
		if (name == "div" || name == "span") && strings.Contains(value, "border-top") && (strings.Contains(value, "solid")) {
			return markRule
		}
	}
	return markNone
}

func signatureMark(value string) bool {
	switch value {
	case "gmail_signature", "moz-signature", "AppleMailSignature", "Signature", "signature", "protonmail_signature_block-user", "ms-outlook-mobile-signature",
		"lineBreakAtBeginningOfSignature", "mail-editor-signature", "yahoo-signature", "mobile_signature", "composer_signature":
		return true
	}
	return strings.HasPrefix(value, "gmail_signature") || strings.HasPrefix(value, "protonmail_signature_block ")
}
