package dkim

import (
	"errors"
	"strings"
)

// Limits of a tag list. Real ones have about ten tags.
const (
	maxTags    = 64
	maxTagList = 64 << 10
)

var errTags = errors.New("malformed tag list")

// Tags is a tag list of RFC 6376 3.2: names are case-sensitive, values keep their
// inner blanks.
type Tags map[string]string

// ParseTags reads a tag list. A tag that stands twice makes the whole list invalid
// (RFC 6376 3.2).
func ParseTags(s string) (Tags, error) {
	if len(s) > maxTagList {
		return nil, errTags
	}
	tags := make(Tags, 16)
	for item := range strings.SplitSeq(s, ";") {
		name, value, ok := strings.Cut(item, "=")
		name = strings.Trim(name, fws)
		if !ok {
			if name == "" {
				continue // the list may end in a semicolon
			}
			return nil, errTags
		}
		if _, twice := tags[name]; twice || !tagName(name) || len(tags) == maxTags {
			return nil, errTags
		}
		tags[name] = strings.Trim(value, fws)
	}
	return tags, nil
}

// parseStrict is ParseTags for lists with nothing between two semicolons, as the
// grammar wants it. Keys and DKIM signatures with such gaps are about; ARC never had any.
func parseStrict(s string) (Tags, error) {
	gap := false // allowed behind the last semicolon alone
	for item := range strings.SplitSeq(s, ";") {
		if gap {
			return nil, errTags
		}
		gap = strings.Trim(item, fws) == ""
	}
	return ParseTags(s)
}

// fws is what may fold a value.
const fws = " \t\r\n"

func tagName(s string) bool {
	for i := range len(s) {
		c := s[i] | 0x20
		if letter := 'a' <= c && c <= 'z'; !letter && (i == 0 || s[i] != '_' && !('0' <= s[i] && s[i] <= '9')) {
			return false
		}
	}
	return s != ""
}

// compact takes all blanks out of a value: base64, names and lists may be folded.
func compact(s string) string {
	if !strings.ContainsAny(s, fws) {
		return s
	}
	var b strings.Builder
	b.Grow(len(s))
	for i := range len(s) {
		switch c := s[i]; c {
		case ' ', '\t', '\r', '\n':
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// list splits a colon-separated value.
func list(s string) []string {
	if s = compact(s); s == "" {
		return nil
	}
	return strings.Split(s, ":")
}

// words is list for words that are the same in any case.
func words(s string) []string { return list(strings.ToLower(s)) }

// quotedPrintable undoes dkim-quoted-printable (RFC 6376 2.11). What is no escape is
// left as it is.
func quotedPrintable(s string) string {
	s = compact(s)
	if !strings.Contains(s, "=") {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '=' && i+2 < len(s) {
			if hi, lo := unhex(s[i+1]), unhex(s[i+2]); hi >= 0 && lo >= 0 {
				b = append(b, byte(hi<<4|lo))
				i += 2
				continue
			}
		}
		b = append(b, s[i])
	}
	return string(b)
}

func unhex(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	}
	return -1
}
