package message

import (
	"strings"
)

// contentLine is one property (RFC 5545 3.1).
type contentLine struct {
	name   string // upper case
	params params // names in lower case
	value  string
}

// eachContentLine calls f for each line of a calendar, unfolded. Its cost is linear.
func eachContentLine(text string, f func([]byte)) {
	var line []byte
	end := func() {
		if len(line) > 0 {
			f(line)
		}
		line = line[:0]
	}
	for l := range strings.Lines(text) {
		l = strings.TrimRight(l, "\r\n")
		switch {
		case l == "":
			// Blank lines stand where a mailer doubled line ends; a fold goes on after them.
		case l[0] == ' ' || l[0] == '\t':
			line = append(line, l[1:]...)
		default:
			end()
			line = append(line, l...)
		}
	}
	end()
}

// parseContentLine cuts a line into name, parameters and value. A colon within
// quotes is none; so is a semicolon.
func parseContentLine(s string) (l contentLine, ok bool) {
	i := strings.IndexAny(s, ":;")
	if i <= 0 {
		return l, false
	}
	l.name = strings.ToUpper(strings.TrimSpace(s[:i]))
	if !isToken(l.name) {
		return l, false
	}
	for s[i] == ';' {
		eq := strings.IndexAny(s[i+1:], "=:")
		if eq < 0 {
			return l, false
		}
		if s[i+1+eq] == ':' { // a parameter without a value
			l.value = s[i+2+eq:]
			return l, true
		}
		name := strings.ToLower(strings.TrimSpace(s[i+1 : i+1+eq]))
		j := paramEnd(s, i+2+eq)
		if j >= len(s) {
			return l, false
		}
		if len(l.params) < 50 {
			l.params = append(l.params, param{name, paramText(s[i+2+eq : j])})
		}
		i = j
	}
	l.value = s[i+1:]
	return l, true
}

// paramEnd returns where the parameter value that begins at s[i] ends.
func paramEnd(s string, i int) int {
	for quoted := false; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			quoted = !quoted
		case !quoted && (c == ';' || c == ':'):
			return i
		}
	}
	return i
}

// paramText undoes quotes and the carets of RFC 6868.
func paramText(s string) string {
	s = strings.ReplaceAll(strings.TrimSpace(s), `"`, "")
	return neutral(unescape(s, '^', func(c byte) string {
		switch c {
		case 'n':
			return " "
		case '\'':
			return `"`
		case '^':
			return "^"
		}
		return ""
	}))
}

// unescapeText undoes the backslashes of RFC 5545 3.3.11. Line ends are \n.
func unescapeText(s string) string {
	s = unescape(s, '\\', func(c byte) string {
		switch c {
		case 'n', 'N':
			return "\n"
		case ',', ';', '\\':
			return string(rune(c))
		}
		return ""
	})
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\t' && r != '\n' || r == 0x7f {
			return '\ufffd'
		}
		return r
	}, strings.TrimSpace(s))
}

// unescape puts what means says in the place of sign and the octet after it; ""
// leaves both as they stand.
func unescape(s string, sign byte, means func(byte) string) string {
	if strings.IndexByte(s, sign) < 0 {
		return s
	}
	var out strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == sign && i+1 < len(s) {
			if m := means(s[i+1]); m != "" {
				out.WriteString(m)
				i++
				continue
			}
		}
		out.WriteByte(s[i])
	}
	return out.String()
}

// attendee reads an ORGANIZER or ATTENDEE.
func (l *contentLine) attendee() Attendee {
	address := strings.TrimSpace(neutral(l.value))
	if len(address) >= 7 && strings.EqualFold(address[:7], "mailto:") {
		address = strings.TrimSpace(address[7:])
	} else if email := l.params.get("email"); email != "" {
		address = email
	}
	return Attendee{
		Name:     l.params.get("cn"),
		Address:  address,
		Role:     strings.ToUpper(l.params.get("role")),
		PartStat: strings.ToUpper(l.params.get("partstat")),
		RSVP:     strings.EqualFold(l.params.get("rsvp"), "true"),
	}
}
