package reply

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// facts are what an attribution is known by.
type facts struct {
	s          string // small letters, trimmed
	verb       verb
	words      int  // words in all
	before     int  // words before the verb
	after      int  // words after the verb, particles not counted
	verbAt     int  // where the verb begins
	verbEnd    int  // where it ends
	inside     bool // the verb is one of a language without blanks
	first      string
	self       bool // the word before the verb is a pronoun or the like
	named      bool // "On DATE NAME wrote", the name with a capital letter
	colon      bool
	year, hour bool
	short      bool // a date as 16.11.21
	address    bool // something with an @
}

// factsOf reads s once, word by word.
func factsOf(s string) facts {
	s = trim(strings.Trim(trim(s), "-*_ \u00a0"))
	f := facts{}
	t := strings.TrimRight(s, ":\uff1a.-*> \u00a0")
	f.colon = strings.ContainsAny(s[len(t):], ":\uff1a") // ':' in either width
	low := strings.ToLower(s)
	if len(low) != len(s) {
		s = low // a letter whose small form is longer; where it stands no longer fits
	}
	f.s = low
	previous, named := "", false
	for at := 0; at < len(low); {
		r, n := utf8.DecodeRuneInString(low[at:])
		if !unicode.IsLetter(r) && !digitRune(r) {
			at += n
			continue
		}
		end := at
		for end < len(low) {
			r, n := utf8.DecodeRuneInString(low[end:])
			if !unicode.IsLetter(r) && !digitRune(r) {
				break
			}
			end += n
		}
		w := low[at:end]
		f.words++
		if f.words == 1 {
			f.first = w
		}
		if v := wroteVerb(w); v != verbNone && !inAddress(low, at, end) {
			// The last one counts, but of "het volgende geschreven" the first.
			f.verb, f.verbAt, f.verbEnd, f.before, f.after = v, at, end, f.words-1, 0
			f.self = firstPerson(previous)
			f.named = named || previous == "you"
		} else if !particle(w) {
			f.after++
		}
		c, _ := utf8.DecodeRuneInString(s[at:])
		named = unicode.IsUpper(c) && f.words > 1
		previous = w
		at = end
	}
	f.dates()
	f.address = strings.IndexByte(low, '@') >= 0
	if f.verb == verbNone {
		for _, v := range verbsInside {
			if k := strings.LastIndex(low, v); k >= 0 {
				f.verb, f.verbAt, f.verbEnd, f.inside = verbLast, k, k+len(v), true
				f.after = len(strings.Fields(strings.TrimLeft(low[f.verbEnd:], ":\uff1a。 ")))
				break
			}
		}
	}
	f.named = f.named && f.year && !f.self
	return f
}

func digitRune(r rune) bool { return r >= '0' && r <= '9' }

// inAddress tells whether the word s[at:end] is part of an address or a link.
func inAddress(s string, at, end int) bool {
	return at > 0 && strings.IndexByte("@/-=_", s[at-1]) >= 0 || end < len(s) && strings.IndexByte("@/=_", s[end]) >= 0 ||
		end+1 < len(s) && (s[end] == '.' || s[end] == '-') && s[end+1] >= 'a' && s[end+1] <= 'z'
}

// dates looks for a year, a time and a short date.
func (f *facts) dates() {
	s := f.s
	run := 0
	for i := 0; i <= len(s); i++ {
		if i < len(s) && digit(s[i]) {
			run++
			continue
		}
		if run == 4 && (s[i-4] == '2' && s[i-3] == '0' || s[i-4] == '1' && s[i-3] == '9') {
			f.year = true
		}
		if run == 2 && shortDate(s, i) {
			f.short = true
		}
		run = 0
	}
	f.hour = clock(s) || strings.Contains(s, "点") || strings.Contains(s, "時") || strings.Contains(s, "時")
}

// shortDate tells whether the date that ends at s[:i] with two digits is one as
// 21.11.26, and no address of four numbers.
func shortDate(s string, i int) bool {
	groups, digits := 1, 0
	k := i - 3
	sep := byte(0)
	if k >= 0 {
		sep = s[k]
	}
	if sep != '.' && sep != '/' && sep != '-' {
		return false
	}
	for k--; k >= 0 && (digit(s[k]) || s[k] == sep); k-- {
		if s[k] == sep {
			groups++
			if digits == 0 || digits > 2 || groups > 2 {
				return false
			}
			digits = 0
			continue
		}
		digits++
	}
	more := i+1 < len(s) && s[i] == sep && digit(s[i+1])
	return groups == 2 && digits > 0 && digits <= 2 && !more
}

func (f *facts) dated() bool { return (f.year || f.short) && f.hour || f.year }

// starts tells whether the words begin as an attribution: with its first word, with
// a date, with the name of a day, or with a name that an address follows.
func (f *facts) starts() bool {
	if opener(f.first) || f.first != "" && digit(f.first[0]) || f.inside {
		return true
	}
	rest := strings.TrimPrefix(f.s, f.first)
	rest = strings.TrimLeft(rest, "., \u00a0")
	return len(f.first) <= 24 && rest != "" && digit(rest[0])
}

// clock tells whether s has a time as 12:34 or 12.34.
func clock(s string) bool {
	for i := 1; i+2 < len(s); i++ {
		if (s[i] == ':' || s[i] == '.') && digit(s[i-1]) && digit(s[i+1]) && digit(s[i+2]) &&
			(i+3 >= len(s) || !digit(s[i+3]) && s[i+3] != '.' || s[i] == ':') && (s[i] == ':' || i < 3 || s[i-3] != '.' && s[i-2] != '.') {
			return true
		}
	}
	return false
}

func digit(c byte) bool { return c >= '0' && c <= '9' }

// startsSmall tells whether s begins with a small letter.
func startsSmall(s string) bool {
	r, _ := utf8.DecodeRuneInString(s)
	return unicode.IsLower(r)
}
