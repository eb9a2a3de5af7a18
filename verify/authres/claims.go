package authres

import (
	"mime"
	"strings"

	"golang.org/x/net/idna"
)

// Claims reports whether the body of an Authentication-Results field says that it is
// ours: whether its authserv-id is this one (RFC 8601 5). The body may be folded, and
// may have comments, quotes, a version, other case, a final dot or U-labels; where it
// is so malformed that readers may differ about its id, it claims ours if ours stands
// in it. A field that is taken for forged is only removed, so that doubt costs a
// stranger's trace at most.
func Claims(fieldBody, authservID string) bool {
	ours := canonicalID(authservID)
	if ours == "" {
		return false
	}
	id, ok := parseID(fieldBody)
	if ok && len(id) <= maxID {
		return canonicalID(id) == ours || canonicalID(decoded(id)) == ours
	}
	all := strings.ToLower(visible(fieldBody))
	if strings.Contains(all, ours) || strings.Contains(strings.ToLower(visible(decoded(fieldBody))), ours) {
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

// visible drops blanks, control characters, quotes and escapes: what a lenient reader
// might pass over.
func visible(s string) string {
	return strings.Map(func(r rune) rune {
		if r <= ' ' || r == 0x7f || r == '\\' || r == '"' || r == 0xad || 0x200b <= r && r <= 0x200d || r == 0xfeff {
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
