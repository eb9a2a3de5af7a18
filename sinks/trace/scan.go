package trace

import (
	"bufio"
	"bytes"
	"io"

	"mxhook/sinks"
)

// scanner finds the fields to cut in a header section, line by line. CRLF, LF and
// bare CRs end a line, since readers of raw copies take any of them for it.
type scanner struct {
	claims func(string) bool
	cut    []sinks.Range
	forged int

	at      int64 // offset of what comes next, where the header section begins at first
	within  bool  // a line is not at its end
	ending  int64 // octets of the line end before at
	bare    bool  // that line end has no LF
	open    bool  // a field to cut, perhaps, is at hand:
	kind    kind
	start   int64
	joined  int64  // octets of a bare line end before it, which is kept
	end     int64  // after its last line end
	endSize int64  // octets of that line end
	more    bool   // it ends in a semicolon
	body    []byte // of results
}

// scan reads a header section up to its empty line, or all of r.
func (s *scanner) scan(r io.Reader) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, 4096), 2*maxResults)
	lines.Split(splitLine)
	for lines.Scan() {
		if !s.within && !s.bare && isEmptyLine(lines.Bytes()) {
			break
		}
		s.line(lines.Bytes())
	}
	s.finish()
	return lines.Err()
}

// line takes the next line with its line end, or a piece of one that is very long.
func (s *scanner) line(p []byte) {
	text := bytes.TrimRight(p, "\r\n")
	switch {
	case s.within: // the line goes on
	case len(text) > 0 && (text[0] == ' ' || text[0] == '\t'): // the field goes on
	case s.open && s.more && !isField(text) && bytes.IndexByte(text, '=') > 0:
		// The parser takes it for a folded line that lost its blank.
	default:
		s.finish()
		s.begin(text)
	}
	s.at += int64(len(p))
	s.ending = int64(len(p) - len(text))
	s.within = s.ending == 0
	s.bare = s.ending > 0 && p[len(p)-1] == '\r'
	if s.open {
		s.end, s.endSize = s.at, s.ending
		s.more = bytes.HasSuffix(bytes.TrimRight(text, " \t"), []byte(";"))
		if s.kind == kindResults && len(s.body) <= maxResults {
			s.body = append(s.body, p...)
		}
	}
}

// begin opens a field if its name is one to look at. A byte order mark hides no name:
// it goes with the field.
func (s *scanner) begin(text []byte) {
	s.kind = kindOf(string(fieldName(bytes.TrimPrefix(text, []byte(mark)))))
	if s.kind == kindOther {
		return
	}
	s.open, s.start, s.joined, s.body = true, s.at, 0, s.body[:0]
	if s.bare && !s.endsAt(s.at) {
		s.joined = s.ending
	}
}

func (s *scanner) endsAt(at int64) bool {
	return len(s.cut) > 0 && s.cut[len(s.cut)-1].End == at
}

// finish closes the field at hand and cuts it if it must go. A field after a bare
// CR is cut with that CR and without its own line end: the line before it keeps one.
func (s *scanner) finish() {
	if !s.open {
		return
	}
	s.open = false
	if s.kind == kindResults {
		if !s.isForged() {
			return
		}
		s.forged++
	}
	r := sinks.Range{Start: s.start, End: s.end}
	if s.joined > 0 {
		r = sinks.Range{Start: s.start - s.joined, End: s.end - s.endSize}
	}
	if s.endsAt(r.Start) {
		s.cut[len(s.cut)-1].End = r.End
		return
	}
	s.cut = append(s.cut, r)
}

func (s *scanner) isForged() bool {
	if len(s.body) > maxResults {
		return true
	}
	_, body, _ := bytes.Cut(bytes.TrimRight(s.body, "\r\n"), []byte(":"))
	return s.claims(string(body))
}

// splitLine is a bufio.SplitFunc: a line with its line end, which is LF with any CRs
// before it or a run of CRs; or what there is of a line longer than maxResults.
func splitLine(data []byte, atEOF bool) (int, []byte, error) {
	i := bytes.IndexAny(data, "\r\n")
	if i < 0 {
		if len(data) > maxResults || atEOF && len(data) > 0 {
			return len(data), data, nil
		}
		return 0, nil, nil
	}
	end := i
	for end < len(data) && data[end] == '\r' {
		end++
	}
	switch {
	case end < len(data) && data[end] == '\n':
		end++
	case end == len(data) && !atEOF && len(data) < 2*maxResults:
		return 0, nil, nil
	}
	return end, data[:end], nil
}
