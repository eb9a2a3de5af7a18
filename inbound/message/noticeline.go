package message

import "strings"

// recipientLine tells whether a line of a notification names a recipient: an
// address alone, in brackets or quotes, before a colon or a reason, or after words
// that lead to it. rest is what the line says besides. low is t in lower case.
func recipientLine(t, low string) (addr, rest string, ok bool) {
	if len(t) > 1000 {
		return "", "", false
	}
	s := strings.TrimLeft(t, "*-> \t")
	if a, r, found := leadingAddress(s); found {
		return a, r, true
	}
	// "550 <a@b.example>... reason", as sendmail writes it.
	if len(s) > 6 && replyAt(s, 0) {
		if i := strings.IndexByte(s, '<'); i >= 0 && i < 12 {
			if a, r, found := cutAddress(s[i:]); found && strings.HasPrefix(r, "...") {
				return a, sendmailReason(s, strings.TrimLeft(r, ". ")), true
			}
		}
	}
	for _, lead := range recipientLeads {
		i := strings.Index(low, lead)
		if i < 0 || len(low) != len(t) {
			continue
		}
		tail := strings.TrimLeft(t[i+len(lead):], " :")
		if a, r, found := cutAddress(tail); found {
			return a, strings.TrimLeft(r, ".:, "), true
		}
	}
	return "", "", false
}

// sendmailReason is the line without its first code when another one is quoted.
func sendmailReason(line, reason string) string {
	if replyAt(reason+" ", 0) {
		return reason
	}
	return line
}

// leadingAddress reads an address at the beginning of s and tells whether what
// follows is what follows a failed recipient.
func leadingAddress(s string) (addr, rest string, ok bool) {
	addr, rest, ok = cutAddress(s)
	if !ok {
		return "", "", false
	}
	after := strings.TrimSpace(rest)
	switch {
	case after == "":
		return addr, "", true
	case after[0] == ':' || strings.HasPrefix(after, "...") || after[0] == '[':
		return addr, strings.TrimLeft(after, ":. "), true
	case strings.HasPrefix(rest, " on ") && strings.Contains(after, ":"):
		return addr, "", true // "a@b.example on Thu, 1 Jan 2026 10:00:00"
	case after[0] == '(' && s[0] == '<', after[0] == '<' && strings.Contains(after, ">:"):
		return addr, after, true
	case after == "<"+addr+">":
		return addr, "", true
	}
	if reply, _, _ := findReply(after); reply != "" {
		return addr, after, true
	}
	return "", "", false
}

// cutAddress reads an address at the beginning of s, in angle brackets, quotes or
// bare.
func cutAddress(s string) (addr, rest string, ok bool) {
	if s == "" {
		return "", "", false
	}
	switch s[0] {
	case '<':
		i := strings.IndexByte(s, '>')
		if i < 0 {
			return "", "", false
		}
		addr, rest = s[1:i], s[i+1:]
		addr = strings.TrimPrefix(addr, "mailto:")
	case '"', '\'':
		i := strings.IndexByte(s[1:], s[0])
		if i < 0 {
			return "", "", false
		}
		addr, rest = s[1:i+1], s[i+2:]
	default:
		i := strings.IndexAny(s, " \t:;,<>()[]\"")
		if i < 0 {
			i = len(s)
		}
		addr = strings.TrimRight(s[:i], ".")
		rest = s[len(addr):]
		if !isASCII(addr[strings.LastIndexByte(addr, '@')+1:]) {
			return "", "", false
		}
	}
	return addr, rest, isAddress(addr)
}

// isAddress tells whether s looks like local-part@domain.
func isAddress(s string) bool {
	i := strings.LastIndexByte(s, '@')
	if i < 1 || i == len(s)-1 || len(s) > 320 || strings.ContainsAny(s, " \t<>\"(),;:\\") {
		return false
	}
	domain := s[i+1:]
	for j := range len(domain) {
		if c := domain[j]; !isWord(c) && c != '.' || c == '=' || c == '_' {
			return false
		}
	}
	return domain[0] != '.' && domain[0] != '-'
}
