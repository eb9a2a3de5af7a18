package message

import (
	"bytes"
	"strings"
)

// OriginalField is a header field of the message that a report is about.
type OriginalField struct {
	Name  string // as written
	Value string // unfolded, encoded words decoded
}

// reportType returns the report-type of a multipart/report, by its parameter or by
// the part that it must have.
func reportType(root *part) string {
	if root.declared != "multipart/report" {
		return ""
	}
	if t := strings.ToLower(root.params.get("report-type")); t != "" {
		return t
	}
	for _, k := range root.kids {
		if t, ok := strings.CutPrefix(k.media, "message/"); ok && t != "rfc822" {
			return strings.TrimPrefix(t, "global-")
		}
	}
	return ""
}

// findPart returns the first part of one of the media types, in the order of the
// message. Messages within the message are not looked into.
func findPart(p *part, media ...string) *part {
	for _, m := range media {
		if p.media == m {
			return p
		}
	}
	for _, k := range p.kids {
		if found := findPart(k, media...); found != nil {
			return found
		}
	}
	return nil
}

// partBytes decodes the beginning of a part, at most limit octets. whole is false
// when there is more.
func (p *parser) partBytes(pt *part, limit int) (b []byte, whole bool) {
	d := &p.dec
	d.reset(p.r, pt.start, pt.end, p.transfer(pt))
	for len(b) <= limit && d.step() {
		b = append(b, d.out...)
	}
	p.noteDecoder(pt, d)
	if len(b) > limit {
		return b[:limit], false
	}
	return b, true
}

// partText is the text of a part that a report or a calendar has for machines.
func (p *parser) partText(pt *part) string {
	b, whole := p.partBytes(pt, p.lim.Report)
	if !whole {
		p.defect(pt.num, DefectReportLimit, "only the beginning of the part was read")
	}
	return p.bodyText(newlines(b), firstToken(pt.params.get("charset")), pt.num, false)
}

// reportField is a field of a report's machine-readable part.
type reportField struct {
	name  string // lower case
	value []byte
}

// fieldGroups reads groups of fields that blank lines part (RFC 3464 2.1): at most
// max groups and as many fields. Lines that are no field are left out.
func fieldGroups(text string, max int) [][]reportField {
	var groups [][]reportField
	var group []reportField
	end := func() {
		if len(group) > 0 {
			groups, group = append(groups, group), nil
		}
	}
	fields := 0
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		switch n := fieldName([]byte(line)); {
		case strings.TrimSpace(line) == "":
			end()
		case (line[0] == ' ' || line[0] == '\t') && len(group) > 0:
			last := &group[len(group)-1]
			last.value = append(append(last.value, ' '), strings.TrimSpace(line)...)
		case n > 0:
			if fields++; fields > 20*max || len(groups) >= max {
				return groups
			}
			value := strings.TrimSpace(line[strings.IndexByte(line, ':')+1:])
			group = append(group, reportField{strings.ToLower(line[:n]), []byte(value)})
		}
	}
	end()
	return groups
}

// text returns the field's value without encoded words and control characters.
func (p *parser) reportValue(f reportField, num string) string {
	return strings.TrimSpace(p.decodeWords(string(f.value), num))
}

// typed returns what follows the type of a value as in "rfc822; a@b.example" or
// "dns; mx.b.example" (RFC 3464 2.1.2); a value without a type is taken whole.
func typed(value string) string {
	if kind, rest, ok := strings.Cut(value, ";"); ok && !strings.ContainsAny(strings.TrimSpace(kind), " \t@<") {
		return strings.TrimSpace(rest)
	}
	return strings.TrimSpace(value)
}

// reportAddress returns the address of a typed value.
func reportAddress(value string) string {
	kind, _, _ := strings.Cut(value, ";")
	a := typed(value)
	if i := strings.IndexByte(a, '<'); i >= 0 {
		if addr, _, ok := strings.Cut(a[i+1:], ">"); ok {
			a = addr
		}
	}
	if strings.EqualFold(strings.TrimSpace(kind), "utf-8") {
		a = unescapeUTF8Address(a)
	}
	return strings.TrimSpace(a)
}

// unescapeUTF8Address undoes the \x{HEX} of utf-8-addr-xtext and utf-8-addr-unitext
// (RFC 6533 3).
func unescapeUTF8Address(s string) string {
	var out strings.Builder
	for {
		before, rest, ok := strings.Cut(s, `\x{`)
		out.WriteString(before)
		if !ok {
			return out.String()
		}
		s = rest
		n := 0
		var r rune
		for n < len(s) && n < 6 && unhex(s[n]) < 16 {
			r = r<<4 | rune(unhex(s[n]))
			n++
		}
		if n == 0 || n >= len(s) || s[n] != '}' || r < ' ' || r > 0x10ffff {
			out.WriteString(`\x{`)
			continue
		}
		out.WriteRune(r) // a surrogate becomes U+FFFD
		s = s[n+1:]
	}
}

// originalHeader reads the header section of the message that the report returns,
// from the part that holds it.
func (p *parser) originalHeader(root *part) []OriginalField {
	pt := findPart(root, "message/rfc822", "message/global", "text/rfc822-headers", "message/rfc822-headers", "message/global-headers")
	if pt == nil || pt == root {
		return nil
	}
	b, _ := p.partBytes(pt, p.lim.Report)
	return p.innerHeader(b)
}

// innerHeader reads the header section that b begins with. It lists no defects.
func (p *parser) innerHeader(b []byte) []OriginalField {
	quiet := newParser(nil, 0, p.opts)
	var h headerBlock
	h.reset(0)
	for len(b) > 0 {
		l := line{data: b, first: true}
		if k := bytes.IndexByte(b, '\n'); k >= 0 {
			l.data, l.eol = b[:k+1], 1
		}
		b = b[len(l.data):]
		content := strings.TrimRight(string(l.content()), "\r")
		if content == "" {
			if len(h.fields) == 0 {
				continue
			}
			break
		}
		if content[0] == ' ' || content[0] == '\t' {
			h.extend(l, &quiet.lim)
		} else if n := fieldName(l.content()); n > 0 {
			h.add(l, n, &quiet.lim)
		}
	}
	out := make([]OriginalField, 0, len(h.fields))
	for _, f := range h.fields {
		name := string(h.buf[f.off : f.off+f.name])
		out = append(out, OriginalField{name, quiet.decodeWords(unfold(quiet.headerText(h.body(f), "")), "")})
	}
	return out
}

// originalID returns the Message-ID among fields.
func (p *parser) originalID(fields []OriginalField) string {
	for _, f := range fields {
		if strings.EqualFold(f.Name, "Message-ID") {
			return p.messageID(f.Value)
		}
	}
	return ""
}
