package reply

import (
	"strings"

	"golang.org/x/net/html"
)

// tags reads the tags and the text of HTML, one after the other, without an
// allocation for most of them. It knows less than a browser: a message that is
// misread has no quote found by its HTML, and its text decides alone.
type tags struct {
	s    string
	at   int
	name string // of the tag, in small letters; "" for text
	end  bool   // it is an end tag
	rest string // what stands in a start tag behind its name
	text string // what is shown, if name is ""
}

// next reads the next tag or text, and returns false at the end.
func (z *tags) next() bool {
	for z.at < len(z.s) {
		if z.s[z.at] != '<' || z.at+1 == len(z.s) {
			return z.readText(z.at)
		}
		switch c := z.s[z.at+1]; {
		case c|0x20 >= 'a' && c|0x20 <= 'z':
			z.readTag(z.at+1, false)
			z.skipRaw()
			return true
		case c == '/' && z.at+2 < len(z.s):
			z.readTag(z.at+2, true)
			return true
		case strings.HasPrefix(z.s[z.at:], "<!--"):
			z.skipTo(z.at+4, "-->")
		case c == '!' || c == '?':
			z.skipTo(z.at+2, ">")
		default:
			return z.readText(z.at)
		}
	}
	return false
}

// readText reads text up to the next "<" behind from.
func (z *tags) readText(from int) bool {
	end := len(z.s)
	if k := strings.IndexByte(z.s[from+1:], '<'); k >= 0 {
		end = from + 1 + k
	}
	z.name, z.text = "", z.s[from:end]
	if strings.IndexByte(z.text, '&') >= 0 {
		z.text = html.UnescapeString(z.text)
	}
	z.at = end
	return true
}

func (z *tags) skipTo(from int, mark string) {
	if k := strings.Index(z.s[min(from, len(z.s)):], mark); k >= 0 {
		z.at = from + k + len(mark)
		return
	}
	z.at = len(z.s)
}

// readTag reads the tag whose name begins at from. Its end is the first ">" that is
// not within a quoted value.
func (z *tags) readTag(from int, end bool) {
	k := from
	for k < len(z.s) && !blankOctet(z.s[k]) && z.s[k] != '>' && z.s[k] != '/' {
		k++
	}
	z.name, z.end = strings.ToLower(z.s[from:min(k, from+24)]), end
	if z.name == "" {
		z.name = "/"
	}
	begin, value := k, false
	for k < len(z.s) && z.s[k] != '>' {
		c := z.s[k]
		k++
		if value && (c == '"' || c == '\'') {
			n := strings.IndexByte(z.s[k:], c)
			if n < 0 {
				k = len(z.s)
				break
			}
			k += n + 1
		}
		value = c == '=' || value && blankOctet(c)
	}
	z.rest = z.s[begin:k]
	z.at = min(k+1, len(z.s))
}

// skipRaw skips what stands in an element whose text is not shown.
func (z *tags) skipRaw() {
	switch z.name {
	case "script", "style", "title", "iframe", "noembed", "noframes":
	default:
		return
	}
	for at := z.at; ; {
		k := strings.Index(z.s[at:], "</")
		if k < 0 {
			z.at = len(z.s)
			return
		}
		at += k + 2
		if len(z.s)-at >= len(z.name) && strings.EqualFold(z.s[at:at+len(z.name)], z.name) {
			z.at = at - 2
			return
		}
	}
}

// attribute cuts the first attribute off rest. key is "" when there is none.
func attribute(rest string) (key, value, more string) {
	rest = strings.TrimLeft(rest, " \t\r\n\f/")
	k := 0
	for k < len(rest) && rest[k] != '=' && !blankOctet(rest[k]) && rest[k] != '/' {
		k++
	}
	key, rest = rest[:k], strings.TrimLeft(rest[k:], " \t\r\n\f")
	if rest == "" || rest[0] != '=' {
		return key, "", rest
	}
	rest = strings.TrimLeft(rest[1:], " \t\r\n\f")
	switch {
	case rest == "":
	case rest[0] == '"' || rest[0] == '\'':
		end := strings.IndexByte(rest[1:], rest[0])
		if end < 0 {
			end = len(rest) - 1
		}
		value, rest = rest[1:1+end], rest[min(end+2, len(rest)):]
	default:
		k := 0
		for k < len(rest) && !blankOctet(rest[k]) {
			k++
		}
		value, rest = rest[:k], rest[k:]
	}
	if key == "" {
		key = "="
	}
	return key, value, rest
}

func blankOctet(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' }
