package message

import "strings"

// flowed tells whether the part is format=flowed (RFC 3676), and whether the blank
// that marks a soft line break is not part of the text.
func (pt *part) flowed() (flowed, delSp bool) {
	return pt.media == "text/plain" && strings.EqualFold(firstToken(pt.params.get("format")), "flowed"),
		strings.EqualFold(firstToken(pt.params.get("delsp")), "yes")
}

// unflow joins the lines of each paragraph of flowed text (RFC 3676 4). Quoted lines
// begin with ">" for each depth and a blank; lines are only joined with lines of their depth,
// and "-- " ends what stands before it.
func unflow(s string, delSp bool) string {
	var out strings.Builder
	out.Grow(len(s))
	open, before := false, 0 // the last line flows on; its depth
	for s != "" {
		line, rest, ended := strings.Cut(s, "\n")
		s = rest
		depth := 0
		for depth < len(line) && line[depth] == '>' {
			depth++
		}
		text := strings.TrimPrefix(line[depth:], " ") // stuffed
		signature := text == "-- "
		if open && (depth != before || signature) {
			out.WriteByte('\n')
			open = false
		}
		if !open && depth > 0 {
			out.WriteString(line[:depth])
			if text != "" {
				out.WriteByte(' ')
			}
		}
		flows := ended && !signature && strings.HasSuffix(text, " ")
		if flows && delSp {
			text = text[:len(text)-1]
		}
		out.WriteString(text)
		if ended && !flows {
			out.WriteByte('\n')
		}
		open, before = flows, depth
	}
	return out.String()
}
