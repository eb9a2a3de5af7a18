package message

import "strings"

// cleanAngle takes off comments, a source route and a mailto: that do not belong to
// the address.
func cleanAngle(s string) string {
	s = withoutComments(s)
	if len(s) > 7 && strings.EqualFold(s[:7], "mailto:") {
		s = s[7:]
	}
	if s != "" && s[0] == '@' {
		if _, rest, ok := strings.Cut(s, ":"); ok {
			s = rest
		}
	}
	return neutral(strings.TrimSpace(s))
}

// withoutComments takes out comments, and blanks beside '@' and '.', as RFC 5322 3.4.1
// and 4.4 allow them. What has an open quote or comment stays as it is.
func withoutComments(s string) string {
	if !strings.ContainsAny(s, "( \t\"\\") {
		return s // as most are
	}
	var b strings.Builder
	depth, quoted, gap := 0, false, false
	last := byte('@')
	for i := 0; i < len(s); i++ {
		c, n := s[i], 1
		if c == '\\' && i+1 < len(s) {
			n = 2
		}
		switch {
		case quoted:
			quoted = c != '"'
		case c == '(':
			depth++
		case c == ')' && depth > 0:
			depth--
			continue
		case depth > 0:
		case c == ' ' || c == '\t':
			gap = true
			continue
		case c == '"':
			quoted = true
		}
		if depth == 0 {
			if gap && last != '@' && last != '.' && c != '@' && c != '.' {
				b.WriteByte(' ')
			}
			b.WriteString(s[i : i+n])
			last, gap = c, false
		}
		i += n - 1
	}
	if depth > 0 || quoted {
		return s
	}
	return b.String()
}

// isAddrSpec tells whether s is an address that can be read in but one way (RFC 5322
// 3.4.1, RFC 6532 3.2): one '@' outside quotes, words and dots before it, and a host
// name or a domain literal behind it.
func isAddrSpec(s string) bool {
	if strings.Contains(s, "\ufffd") {
		return false
	}
	for {
		n := localWord(s)
		if n == 0 || n == len(s) {
			return false
		}
		c := s[n]
		s = s[n+1:]
		switch c {
		case '.':
		case '@':
			return isMailDomain(s)
		default:
			return false
		}
	}
}

// localWord returns the length of the atom or quoted string that s begins with.
func localWord(s string) int {
	if s != "" && s[0] == '"' {
		for i := 1; i < len(s); i++ {
			switch s[i] {
			case '\\':
				i++
			case '"':
				return i + 1
			}
		}
		return 0
	}
	n := 0
	for n < len(s) && s[n] > ' ' && s[n] != 0x7f && strings.IndexByte("()<>[]:;@\\,.\"", s[n]) < 0 {
		n++
	}
	return n
}

// isMailDomain tells whether s is a host name, with U-labels or underscores too, or a
// domain literal.
func isMailDomain(s string) bool {
	if len(s) > 2 && s[0] == '[' && s[len(s)-1] == ']' {
		return !strings.ContainsAny(s[1:len(s)-1], "[]\\@ \t()<>,;\"")
	}
	for label := range strings.SplitSeq(s, ".") {
		if label == "" {
			return false
		}
		for i := range len(label) {
			c := label[i]
			if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_' && c < 0x80 {
				return false
			}
		}
	}
	return true
}
