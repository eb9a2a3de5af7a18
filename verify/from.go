package verify

import (
	"strings"
	"unicode/utf8"

	"mxhook/verify/dkim"
	"mxhook/verify/dns"
)

// maxFrom is how long a From field may be that is looked into.
const maxFrom = 64 << 10

// author gives the domain of the one RFC5322.From author, or why there is none. It
// errs on the side of none: what two readers may read in two ways has no author.
func author(header []dkim.Field) (domain, problem string) {
	if endIsUnclear(header) {
		return "", reasonUnclearEnd
	}
	var from *dkim.Field
	for i := range header {
		if !header[i].Is("From") {
			continue
		}
		if from != nil {
			return "", "more than one From field"
		}
		from = &header[i]
	}
	if from == nil {
		return "", "no From field"
	}
	mailbox, problem := oneMailbox(from.Value())
	if problem != "" {
		return "", problem
	}
	at := strings.LastIndexByte(mailbox, '@')
	if at <= 0 {
		return "", "the From field has no address"
	}
	domain, ok := dns.Domain(mailbox[at+1:])
	if !utf8.ValidString(from.Value()) && !isASCII(mailbox[at+1:]) {
		ok = false // U-labels in a field of another charset: who knows which
	}
	if !ok || strings.Trim(domain, "abcdefghijklmnopqrstuvwxyz0123456789-_.") != "" {
		return "", "the From field's domain is no domain name"
	}
	return domain, ""
}

const reasonUnclearEnd = "a line in the header section is no field, so that readers may take it for the beginning of the body"

// endIsUnclear reports whether a reader may take a line of the header section for the
// body, as package message does: who puts such a line before a signed message would have
// a text of his own read as what was signed. A single line between two fields is damage
// to every reader.
func endIsUnclear(header []dkim.Field) bool {
	damaged := false // the line before is no field
	for _, f := range header {
		switch {
		case isFieldName(f.Name):
			damaged = false
		case damaged, strings.Count(f.Raw, "\n") > 1, strings.Trim(f.Raw, "\r\n") == "", strings.HasPrefix(f.Raw, "--"):
			return true
		default:
			damaged = true
		}
	}
	return damaged
}

// isFieldName reports whether a name is one of RFC 5322 2.2. ReadHeader takes others too,
// since a signature may cover them.
func isFieldName(name string) bool {
	for i := range len(name) {
		if name[i] <= ' ' || name[i] >= 0x7f {
			return false
		}
	}
	return name != ""
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// oneMailbox reads a From field's value and gives its address. Display names may hold
// anything but structure: quotes, comments and encoded words are passed over, not
// read.
func oneMailbox(value string) (address, problem string) {
	if len(value) > maxFrom {
		return "", "the From field is too long"
	}
	if !utf8.ValidString(value) {
		value = strings.ToValidUTF8(value, "?") // other charsets in a display name are usual
	}
	var s mailboxScanner
	if problem := s.scan(value); problem != "" {
		return "", problem
	}
	switch {
	case s.authors > 1:
		return "", "more than one author"
	case s.authors == 0:
		return "", "the From field has no address"
	}
	return s.address, ""
}

// mailboxScanner splits a mailbox list (RFC 5322 3.4).
type mailboxScanner struct {
	authors int
	address string

	angle  string // what stood between < and >
	closed bool   // > was seen
	text   strings.Builder
	words  strings.Builder // text without quoted strings, a blank for each gap
	gap    bool            // a blank or comment after text
	split  bool            // text on both sides of a gap
}

func (s *mailboxScanner) scan(v string) (problem string) {
	for i := 0; i < len(v); i++ {
		switch c := v[i]; c {
		case ' ', '\t', '\r', '\n':
			s.gap = true
		case '(':
			n := comment(v[i:])
			if n < 0 {
				return "the From field is malformed"
			}
			i += n - 1
			s.gap = true
		case '"':
			n := quote(v[i:])
			if n < 0 || s.closed {
				return "the From field is malformed"
			}
			s.add(v[i : i+n])
			s.words.WriteByte(' ')
			i += n - 1
		case '<':
			n := angle(v[i:])
			if n < 0 || s.closed {
				return "the From field is malformed"
			}
			s.angle, s.closed = v[i+1:i+n-1], true
			i += n - 1
		case ',':
			if problem := s.end(); problem != "" {
				return problem
			}
		case ';', ':', '>', ')':
			// A group has no one author (RFC 6854), and the rest is malformed.
			return "the From field is malformed"
		default:
			if c < ' ' || c == 0x7f || s.closed {
				return "the From field is malformed"
			}
			if s.gap {
				s.words.WriteByte(' ')
			}
			s.add(v[i : i+1])
			s.words.WriteByte(c)
		}
	}
	return s.end()
}

// add takes text outside of <>.
func (s *mailboxScanner) add(text string) {
	if s.gap && s.text.Len() > 0 {
		s.split = true
	}
	s.gap = false
	s.text.WriteString(text)
}

// end closes one mailbox of the list.
func (s *mailboxScanner) end() (problem string) {
	address, text, words := s.angle, s.text.String(), s.words.String()
	closed, empty := s.closed, !s.closed && text == ""
	if !s.closed {
		address = text
		if s.split {
			return "the From field is malformed"
		}
	}
	*s = mailboxScanner{authors: s.authors, address: s.address}
	if empty {
		return "" // lists may have empty places (RFC 5322 4.4)
	}
	s.authors++
	s.address = address
	if !addrSpec(address) {
		return "the From field has no address"
	}
	if closed && otherAddress(words, address) {
		return "the From field is malformed"
	}
	return ""
}

// otherAddress reports whether a display name holds, without the quotes that it needs, an
// address of another domain than that of the address: a reader may take either for the
// author's.
func otherAddress(words, address string) bool {
	domain := address[strings.LastIndexByte(address, '@'):]
	for word := range strings.FieldsSeq(words) {
		at := strings.LastIndexByte(word, '@')
		if at >= 0 && !strings.EqualFold(strings.TrimRight(word[at:], "'.!"), strings.TrimRight(domain, ".")) {
			return true
		}
	}
	return false
}

// addrSpec reports whether a is local@domain without a second meaning: one "@"
// outside quotes, no blanks, no route.
func addrSpec(a string) bool {
	ats := 0
	for i := 0; i < len(a); i++ {
		switch c := a[i]; {
		case c == '"':
			n := quote(a[i:])
			if n < 0 {
				return false
			}
			i += n - 1
		case c == '@':
			ats++
		case c <= ' ' || c == 0x7f || strings.IndexByte(`()<>,;:\`, c) >= 0:
			return false
		}
	}
	return ats == 1
}

// comment gives the length of the comment that s begins with, or -1.
func comment(s string) int {
	depth := 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return -1
}

// quote gives the length of the quoted-string that s begins with, or -1.
func quote(s string) int {
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return -1
}

// angle gives the length of the <…> that s begins with, or -1. A quoted local part may
// hold ">".
func angle(s string) int {
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '"':
			n := quote(s[i:])
			if n < 0 {
				return -1
			}
			i += n - 1
		case '<':
			return -1
		case '>':
			return i + 1
		}
	}
	return -1
}
