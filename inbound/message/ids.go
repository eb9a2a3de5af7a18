package message

import (
	"strings"
	"unicode"
)

// messageIDs lists the message ids of an unfolded field, each with its angle
// brackets (RFC 5322 3.6.4). Without any bracket, words with an '@' are taken.
func (p *parser) messageIDs(s string) []string {
	var out []string
	rest := s
	for {
		i := strings.IndexByte(rest, '<')
		if i < 0 {
			break
		}
		j := strings.IndexByte(rest[i:], '>')
		if j < 0 {
			break
		}
		if id := strings.TrimSpace(rest[i+1 : i+j]); id != "" {
			if len(out) >= p.lim.Addresses {
				p.defect("", DefectAddressLimit, "too many message ids in a field")
				return out
			}
			// A fold within the brackets leaves a blank that is not of the id.
			if clean := neutral(withoutBlanks(id)); clean == rest[i+1:i+j] {
				out = append(out, rest[i:i+j+1])
			} else {
				out = append(out, "<"+clean+">")
			}
		}
		rest = rest[i+j+1:]
	}
	if out != nil {
		return out
	}
	for _, f := range strings.FieldsFunc(s, func(r rune) bool { return r == ' ' || r == '\t' || r == ',' }) {
		if f = strings.Trim(f, "<>"); strings.Contains(f, "@") && len(out) < p.lim.Addresses {
			out = append(out, "<"+neutral(f)+">")
		}
	}
	return out
}

// withoutBlanks takes out all white space.
func withoutBlanks(s string) string {
	if strings.IndexFunc(s, unicode.IsSpace) < 0 {
		return s
	}
	return strings.Join(strings.Fields(s), "")
}

// messageID returns the message's own id; without '@' or brackets it is what
// stands there.
func (p *parser) messageID(s string) string {
	if ids := p.messageIDs(s); len(ids) > 0 {
		return ids[0]
	}
	if s = strings.Trim(firstToken(s), "<>"); s == "" {
		return ""
	}
	return "<" + neutral(s) + ">"
}

// listFacts reads the fields of mailing lists (RFC 2919, 2369, 8058).
func (p *parser) listFacts() List {
	var l List
	if v, ok := p.first("List-Id"); ok {
		l.ID = neutral(v)
		if i := strings.LastIndexByte(v, '<'); i >= 0 {
			id, _, _ := strings.Cut(v[i+1:], ">")
			l.ID = neutral(strings.TrimSpace(id))
		}
	}
	v, _ := p.first("List-Unsubscribe")
	https := false
	for {
		_, rest, ok := strings.Cut(v, "<")
		if !ok || len(l.Unsubscribe) >= p.lim.Addresses {
			break
		}
		uri, after, ok := strings.Cut(rest, ">")
		if !ok {
			break
		}
		if uri = neutral(withoutBlanks(uri)); uri != "" {
			l.Unsubscribe = append(l.Unsubscribe, uri)
			https = https || len(uri) > 8 && strings.EqualFold(uri[:8], "https://")
		}
		v = after
	}
	post, _ := p.first("List-Unsubscribe-Post")
	l.OneClick = https && strings.EqualFold(withoutBlanks(post), "List-Unsubscribe=One-Click")
	return l
}
