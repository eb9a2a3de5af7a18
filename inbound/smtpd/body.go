package smtpd

import "bytes"

// scanner finds the end of the data and takes the stuffed dots out (RFC 5321 4.5.2).
//
// CR LF . CR LF alone ends the data. A line that a more lenient reader could take for
// the end, because it ends lines at a bare CR or LF, ignores NUL, or ignores blanks
// after the dot, makes the message ambiguous: what the sender's relay believed to be
// one message could become two (SMTP smuggling). All other octets pass unchanged,
// bare CR, bare LF and NUL too, and a dot after a bare LF stays.
//
// It looks at each dot and at what stands before it, which costs about as much as a
// search for the end alone.
type scanner struct {
	at        position // what stands before the next octet
	dot       bool     // the current line is a dot, and nothing but NUL and blanks since
	ambiguous bool
}

// position is where an octet stands, for a lenient reader.
type position int

const (
	beginning position = iota // of a line that follows CR LF, or of the data
	afterCR                   // of a line that follows a bare CR
	afterLF                   // of a line that follows a bare LF
	afterNUL                  // of a line but for NULs
	inLine
)

// block scans p, which follows what was scanned before. It returns the octets of the
// message, moved together within p's memory, how many octets of p were used, and
// whether the data ended with them. At most two octets stay unused: a dot, or a dot
// and a CR, which must be seen again with what follows.
func (s *scanner) block(p []byte) (kept []byte, used int, done bool) {
	i, from, to := 0, 0, 0
	if s.dot {
		i = s.afterDot(p, 0)
	}
	for {
		dot := bytes.IndexByte(p[i:], '.')
		if dot < 0 {
			break
		}
		dot += i
		i = dot + 1
		if dot > 0 && p[dot-1] > '\r' {
			continue
		}
		at := beginning
		if dot < 2 || p[dot-1] != '\n' || p[dot-2] != '\r' {
			at = s.position(p, dot)
		}
		if at == inLine {
			continue
		}
		if at == beginning {
			if i == len(p) || i+1 == len(p) && p[i] == '\r' {
				to = move(p, to, from, dot)
				s.at = beginning
				return p[:to], dot, false
			}
			to = move(p, to, from, dot)
			from = i
			if p[i] == '\r' && p[i+1] == '\n' {
				return p[:to], i + 2, true
			}
			if p[i] > ' ' {
				continue
			}
		}
		i = s.afterDot(p, i)
	}
	s.at = s.position(p, len(p))
	to = move(p, to, from, len(p))
	return p[:to], len(p), false
}

// move moves p[from:end] to p[to:] and returns where it ends there.
func move(p []byte, to, from, end int) int {
	if to == from {
		return end
	}
	return to + copy(p[to:], p[from:end])
}

// afterDot passes over NULs and blanks after a dot that begins a line, and returns
// where they end.
func (s *scanner) afterDot(p []byte, i int) int {
	for i < len(p) && (p[i] == 0 || p[i] == ' ' || p[i] == '\t') {
		i++
	}
	s.dot = i == len(p)
	if !s.dot && (p[i] == '\r' || p[i] == '\n') {
		s.ambiguous = true
	}
	return i
}

// position tells what stands before p[i].
func (s *scanner) position(p []byte, i int) position {
	k := i - 1
	for k >= 0 && p[k] == 0 {
		k--
	}
	at := s.at
	switch {
	case k < 0:
	case p[k] == '\r':
		at = afterCR
	case p[k] != '\n':
		return inLine
	case k > 0 && p[k-1] == '\r' || k == 0 && s.at == afterCR:
		at = beginning
	default:
		at = afterLF
	}
	if k < i-1 && at != inLine {
		return afterNUL
	}
	return at
}
