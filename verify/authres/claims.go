package authres

import (
	"mime"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"
)

// Claims reports whether the body of an Authentication-Results field says that it is
// ours: whether its authserv-id is this one (RFC 8601 5). The body may be folded, and
// may have comments, quotes, a version, other case, a final dot, blanks that are not
// ASCII or U-labels; where it is so malformed that readers may differ about its id, it claims ours if ours stands
// in it. A field that is taken for forged is only removed, so that doubt costs a
// stranger's trace at most.
func Claims(fieldBody, authservID string) bool {
	ours := canonicalID(authservID)
	if ours == "" {
		return false
	}
	fieldBody = plainBlanks(fieldBody)
	id, ok := parseID(fieldBody)
	if ok && len(id) <= maxID {
		return canonicalID(id) == ours || canonicalID(decoded(id)) == ours
	}
	all := strings.ToLower(visible(fieldBody))
	if strings.Contains(all, ours) || strings.Contains(strings.ToLower(visible(withoutComments(fieldBody))), ours) || strings.Contains(strings.ToLower(visible(decoded(fieldBody))), ours) {
		return true
	}
	// The same in U-labels: the malformed text can't be converted as a whole.
	unicode, err := idna.ToUnicode(ours)
	return err == nil && strings.Contains(all, strings.ToLower(unicode))
}

// maxID is how long an id is taken for one: conversion to A-labels takes the square of
// the length.
const maxID = 1024

// parseID reads [CFWS] authserv-id [CFWS [version]] up to ";" or the end. It is false
// for anything else.
func parseID(body string) (id string, ok bool) {
	rest, ok := skipCFWS(body)
	if !ok || rest == "" {
		return "", false
	}
	if rest[0] == '"' {
		if id, rest, ok = quoted(rest); !ok {
			return "", false
		}
	} else {
		n := 0
		for n < len(rest) && (tokenByte(rest[n]) || rest[n] >= 0x80) {
			n++
		}
		if n == 0 {
			return "", false
		}
		id, rest = rest[:n], rest[n:]
	}
	return id, endsID(rest)
}

// endsID reports whether rest may follow an authserv-id.
func endsID(rest string) bool {
	after, ok := skipCFWS(rest)
	if !ok {
		return false
	}
	if digits := strings.TrimLeft(after, "0123456789"); len(digits) < len(after) {
		if len(after) == len(rest) {
			return false // a version needs a blank or comment before it
		}
		if after, ok = skipCFWS(digits); !ok {
			return false
		}
	}
	return after == "" || after[0] == ';'
}

// skipCFWS steps over blanks, folds and nested comments. It is false for a comment
// that does not end.
func skipCFWS(s string) (string, bool) {
	depth := 0
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\' && depth > 0:
			i++
		case c == '(':
			depth++
		case c == ')' && depth > 0:
			depth--
		case depth == 0 && c != ' ' && c != '\t' && c != '\r' && c != '\n':
			return s[i:], true
		}
	}
	return "", depth == 0
}

// quoted reads a quoted-string and gives what it holds, without folds.
func quoted(s string) (text, rest string, ok bool) {
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			if i++; i < len(s) {
				b.WriteByte(s[i])
			}
		case '"':
			return b.String(), s[i+1:], true
		case '\r', '\n':
		default:
			b.WriteByte(s[i])
		}
	}
	return "", "", false
}

// canonicalID makes ids comparable: no blanks, lower case, A-labels, no final dot.
func canonicalID(id string) string {
	id = strings.TrimRight(visible(strings.ToValidUTF8(id, "")), ".")
	profile := idna.New(idna.MapForLookup(), idna.Transitional(false), idna.StrictDomainName(false))
	if ascii, err := profile.ToASCII(id); err == nil {
		id = ascii
	}
	return strings.ToLower(id)
}

// plainBlanks makes a space of each blank that is not ASCII: a lenient reader trims
// it. What is no UTF-8 is taken for Latin-1 where that makes it such a blank.
func plainBlanks(s string) string {
	if ascii(s) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		if r >= utf8.RuneSelf && isBlank(r) || n == 1 && (s[i] == 0x85 || s[i] == 0xa0) {
			b.WriteByte(' ')
		} else {
			b.WriteString(s[i : i+n])
		}
		i += n
	}
	return b.String()
}

func isBlank(r rune) bool { return unicode.IsSpace(r) || unicode.Is(unicode.Z, r) }

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// withoutComments returns what stands before the first ";" outside of comments and
// quotes, without comments: a reader that drops them first sees an id with comments
// within as one. A comment that does not end is kept.
func withoutComments(s string) string {
	var b strings.Builder
	for s != "" && s[0] != ';' {
		n := 1
		switch s[0] {
		case '(':
			rest, ok := comment(s)
			if !ok {
				return b.String() + s
			}
			s, n = rest, 0
		case '"':
			_, rest, ok := quoted(s)
			if !ok {
				return b.String() + s
			}
			n = len(s) - len(rest)
		}
		b.WriteString(s[:n])
		s = s[n:]
	}
	return b.String()
}

// comment steps over the comment with which s begins. It is false for one that does
// not end.
func comment(s string) (rest string, ok bool) {
	depth := 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				return s[i+1:], true
			}
		}
	}
	return "", false
}

// visible drops blanks, control and format characters, quotes and escapes: what a
// lenient reader might pass over.
func visible(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\\' || r == '"' || unicode.In(r, unicode.Cc, unicode.Cf, unicode.Z) {
			return -1
		}
		return r
	}, s)
}

// decoded undoes encoded words (RFC 2047): they have no place in this field, but a
// reader that decodes every field would see the id.
func decoded(s string) string {
	text, err := new(mime.WordDecoder).DecodeHeader(s)
	if err != nil {
		return s
	}
	return text
}
