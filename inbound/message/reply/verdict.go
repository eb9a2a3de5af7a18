package reply

import "strings"

// verdict is how sure we are that words introduce a quote.
type verdict byte

const (
	no     verdict = iota
	weak           // if a quoted line follows
	strong         // by themselves
)

func (f *facts) verdict() verdict {
	switch {
	case f.words == 0 || f.words > 60:
		return no
	case f.verb == verbNone:
		return f.withoutVerb()
	case f.verb != verbNone && f.after == 0:
		return f.verbAtEnd()
	case !f.colon:
		return no
	}
	head, tail := factsDate(f.s[:f.verbAt]), factsDate(f.s[f.verbEnd:])
	switch {
	case f.verb == verbMid && head && f.starts() && f.after <= 16:
		// Am 16.11.2021 um 12:34 schrieb Ann:
		if f.hour || f.address {
			return strong
		}
		return weak
	case f.verb == verbMid && tail && f.address && opener(f.first) && f.after <= 16:
		// Wiadomość napisana przez Ann <ann@a.example> w dniu 16.11.2021:
		return strong
	case tail && f.after <= 16 && afterAddress(f.s[:f.verbAt]):
		// Ann <ann@a.example> schrieb am 16.11.2021 um 12:34:
		return strong
	}
	return no
}

// factsDate tells whether s has a year, a short date, or a time.
func factsDate(s string) bool {
	f := facts{s: s}
	f.dates()
	return f.year || f.short || f.hour
}

// verbAtEnd judges "On DATE, NAME wrote:".
func (f *facts) verbAtEnd() verdict {
	head := f.s[:f.verbAt]
	switch {
	case f.before == 0 && !f.inside || !f.colon && !f.dated():
		return no
	case f.self:
		return weak
	case f.starts() && f.dated() && (f.hour || f.address):
		return strong
	case f.starts() && f.address && f.words <= 20:
		return strong
	case f.address && f.words <= 20 && bracketed(head):
		return strong
	case f.inside && (f.dated() || f.address):
		return strong
	case f.dated() && (strings.Contains(head, "пользователь") || strings.Contains(head, "użytkownik")):
		return strong
	case strings.Contains(head, " via ") && f.words <= 12:
		return strong
	}
	return weak
}

// afterAddress tells whether s ends with an address.
func afterAddress(s string) bool {
	last := s[strings.LastIndexByte(strings.TrimRight(s, " "), ' ')+1:]
	return bracketed(s) || strings.IndexByte(last, '@') > 0
}

// bracketed tells whether s ends with an address in brackets, which is how a name
// stands before the verb.
func bracketed(s string) bool {
	s = strings.TrimRight(s, " \u00a0,\"'")
	for _, verb := range []string{" a", " ha", " het volgende", " heeft"} {
		s = strings.TrimSuffix(s, verb)
	}
	s = strings.TrimRight(s, " ")
	return strings.HasSuffix(s, ">") || strings.HasSuffix(s, ")") || strings.HasSuffix(s, "&gt;")
}

// withoutVerb judges "2021-11-16 12:34 GMT+01:00 Ann <ann@a.example>:".
func (f *facts) withoutVerb() verdict {
	s := f.s
	iso := len(s) > 16 && strings.HasPrefix(s, "20") && (s[4] == '-' || s[4] == '/')
	t := strings.TrimRight(s, ":\uff1a ")
	switch {
	case iso && (strings.HasPrefix(s[15:], " gmt") || strings.HasPrefix(s[16:], " gmt")) && f.hour && f.words <= 24 && strings.IndexByte(s, '<') < 0 && (f.colon || !strings.ContainsAny(s[17:], ".,;!?")):
		return strong
	case f.colon && f.address && strings.HasSuffix(t, ">") && f.dated() && f.starts() && (f.hour || iso):
		return strong
	case f.colon && f.address && f.dated() && f.hour && f.starts() && f.words <= 30:
		return weak
	case !f.colon && iso && f.address && strings.HasSuffix(t, ">") && f.words <= 20:
		return weak
	case strings.HasPrefix(s, "posted by ") && (f.year || f.short) && digit(t[len(t)-1]) && f.words <= 12:
		return strong
	}
	return no
}
