package message

import "strings"

// findStatus returns the first enhanced status code (RFC 3463) in s, "" without one.
func findStatus(s string) string {
	for i := range len(s) {
		if n := statusAt(s, i); n > 0 {
			return s[i : i+n]
		}
	}
	return ""
}

// statusAt returns how long the enhanced status code is that stands at s[i]. It is
// no part of a word, an address or a longer number.
func statusAt(s string, i int) int {
	if c := s[i]; c != '2' && c != '4' && c != '5' || i > 0 && (isWord(s[i-1]) || s[i-1] == '.' && i > 1 && isWord(s[i-2])) {
		return 0
	}
	j := i + 1
	for range 2 {
		if j >= len(s) || s[j] != '.' {
			return 0
		}
		k := j + 1
		for k < len(s) && s[k] >= '0' && s[k] <= '9' {
			k++
		}
		if k == j+1 || k > j+4 {
			return 0
		}
		j = k
	}
	if j < len(s) && (isWord(s[j]) && s[j] != '-' || s[j] == '.' && j+1 < len(s) && isWord(s[j+1]) || s[j] == '@') {
		return 0
	}
	return j - i
}

// replyAt tells whether an SMTP reply code stands at s[i].
func replyAt(s string, i int) bool {
	if i+3 > len(s) || s[i] != '2' && s[i] != '4' && s[i] != '5' || s[i+1] < '0' || s[i+1] > '5' || s[i+2] < '0' || s[i+2] > '9' {
		return false
	}
	if i > 0 && strings.IndexByte(" \t\n:(<\"'`;#[", s[i-1]) < 0 {
		return false
	}
	return i+3 == len(s) || strings.IndexByte(" \t\n-:>)]\";#,", s[i+3]) >= 0
}

// findReply returns the SMTP reply code that s quotes and the enhanced status code
// that follows it, else any that stands in s; "" for what s does not have. joined
// tells that the two belong together. A reply code that an enhanced one follows
// wins, then one that begins a line or follows a colon, then any.
func findReply(s string) (reply, status string, joined bool) {
	best := 0
	for i := range len(s) {
		if !replyAt(s, i) {
			continue
		}
		rank, exact := 2, ""
		if i == 0 || strings.HasSuffix(s[:i], "\n") || strings.HasSuffix(strings.TrimRight(s[max(0, i-4):i], " "), ":") {
			rank = 3
		}
		j := i + 3
		for j < len(s) && j < i+8 && strings.IndexByte(" \t-#(:['", s[j]) >= 0 {
			j++
		}
		if j < len(s) && j > i+3 {
			if n := statusAt(s, j); n > 0 && s[j] == s[i] {
				rank, exact = 4, s[j:j+n]
			}
		}
		// A code of success is what the report is about only when there is no other.
		if s[i] == '2' {
			if rank < 4 {
				continue
			}
			rank = 1
		}
		if rank > best {
			best, reply, status = rank, s[i:i+3], exact
		}
	}
	if status != "" {
		return reply, status, true
	}
	return reply, findStatus(s), false
}

func isWord(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c == '-' || c == '=' || c >= 0x80
}
