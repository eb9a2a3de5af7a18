package message

import (
	"bytes"
	"errors"
	"io"
)

const (
	blockSize   = 64 << 10
	maxLineSize = 998 // RFC 5322 2.1.1, without the line end
)

// line is one line of a message with its line end, or a piece of one that is
// longer than the buffer.
type line struct {
	data  []byte // valid until the next call of next
	start int64  // offset of data in the message
	first bool   // data begins a line
	eol   int    // octets of the line end: 2, 1, or 0 for a piece or at the end
}

// content returns the line without its line end. A CR that stands before the line
// end stays.
func (l line) content() []byte { return l.data[:len(l.data)-l.eol] }

// end returns the offset after the line.
func (l line) end() int64 { return l.start + int64(len(l.data)) }

// lineReader cuts a message into lines, with one buffer, and notes on its way what
// is wrong with the line ends. Only LF ends a line.
type lineReader struct {
	r      io.ReaderAt
	size   int64
	base   int64  // offset of buf[0] in the message
	mem    []byte // all of the message, nil if it is not in memory
	buf    []byte // of mem a part, which is never written
	n, pos int
	inLine bool // the last piece did not end its line
	length int  // octets of the current line before this piece
	err    error
	noRun  int64 // no run of lines is looked for before this offset

	bareLF, bareCR, nul, long bool
}

func newLineReader(r io.ReaderAt, size int64) *lineReader {
	l := &lineReader{r: r, size: size, mem: inMemory(r, size)}
	if l.mem == nil {
		l.buf = make([]byte, min(size+1, blockSize))
	}
	return l
}

// inMemory returns the first size octets of r if r has them in memory, as
// inbound.MailData may, so that nobody needs to copy them; else nil. They are not ours
// to change.
func inMemory(r io.ReaderAt, size int64) []byte {
	if m, ok := r.(interface{ Bytes() []byte }); ok {
		if b := m.Bytes(); size > 0 && int64(len(b)) >= size {
			return b[:size:size]
		}
	}
	return nil
}

// peek returns what stands in the buffer, filled, from where next goes on.
func (l *lineReader) peek() []byte {
	l.fill()
	return l.buf[l.pos:l.n]
}

// next returns the next line; false at the end.
func (l *lineReader) next() (line, bool) {
	n := bytes.IndexByte(l.buf[l.pos:l.n], '\n')
	if n < 0 {
		old := l.n - l.pos
		if l.fill(); l.n == l.pos {
			return line{}, false
		}
		if n = bytes.IndexByte(l.buf[l.pos+old:l.n], '\n'); n >= 0 {
			n += old
		}
	}
	out := line{start: l.base + int64(l.pos), first: !l.inLine}
	if n < 0 {
		return l.piece(out), true
	}
	out.data = l.buf[l.pos : l.pos+n+1]
	out.eol = 1
	if n > 0 && out.data[n-1] == '\r' {
		out.eol = 2
	} else {
		l.bareLF = true
	}
	l.note(out.content())
	l.pos += n + 1
	l.inLine, l.length = false, 0
	return out, true
}

// runSize bounds what skipRun looks at twice where a run turns out to be none.
const runSize = 16 << 10

// skipRun skips whole lines, of which none begins with "--", that follow l and are as
// long, as those of base64 are, and tells whether there were any. They all end in CRLF.
// It skips only what needs no note, and finds that out with two searches for many lines.
func (l *lineReader) skipRun(last line) bool {
	width := len(last.data)
	if !last.first || last.eol != 2 || width < 8 || l.base+int64(l.pos) < l.noRun {
		return false
	}
	b := l.buf[l.pos:min(l.n, l.pos+runSize)]
	n, lines := 0, 0
	for ; n+width <= len(b); n += width {
		if b[n+width-1] != '\n' || b[n+width-2] != '\r' || b[n] == '-' && b[n+1] == '-' {
			break
		}
		lines++
	}
	if lines < 2 {
		return false
	}
	if b = b[:n]; bytes.Count(b, []byte{'\n'}) != lines || bytes.Count(b, []byte{'\r'}) != lines {
		l.noRun = l.base + int64(l.pos+n) // there are other lines within: one after the other
		return false
	}
	l.pos += n
	return true
}

// piece returns what is in the buffer, a line without its end. A trailing CR waits
// for the LF that may follow.
func (l *lineReader) piece(out line) line {
	out.data = l.buf[l.pos:l.n]
	atEnd := l.base+int64(l.n) >= l.size || l.err != nil
	if k := len(out.data); !atEnd && k > 1 && out.data[k-1] == '\r' {
		out.data = out.data[:k-1]
	}
	l.note(out.data)
	l.pos += len(out.data)
	l.inLine = true
	return out
}

func (l *lineReader) note(content []byte) {
	l.length += len(content)
	if l.length > maxLineSize {
		l.long = true
	}
	if !l.bareCR && bytes.IndexByte(content, '\r') >= 0 {
		l.bareCR = true
	}
}

// fill moves the rest of the buffer to its front and reads more behind it.
func (l *lineReader) fill() {
	if l.mem != nil {
		l.slide()
		return
	}
	if l.pos > 0 {
		copy(l.buf, l.buf[l.pos:l.n])
		l.base += int64(l.pos)
		l.n -= l.pos
		l.pos = 0
	}
	room := min(int64(len(l.buf)-l.n), l.size-l.base-int64(l.n))
	if room <= 0 || l.err != nil {
		return
	}
	n, err := l.r.ReadAt(l.buf[l.n:l.n+int(room)], l.base+int64(l.n))
	if int64(n) < room {
		if err == nil || errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		l.err = err
	}
	l.noteNUL(l.buf[l.n : l.n+n])
	l.n += n
}

// slide is fill for a message in memory.
func (l *lineReader) slide() {
	old := l.n - l.pos
	l.base += int64(l.pos)
	l.buf = l.mem[l.base:min(l.base+blockSize, l.size)]
	l.n, l.pos = len(l.buf), 0
	l.noteNUL(l.buf[old:])
}

func (l *lineReader) noteNUL(b []byte) {
	if !l.nul && bytes.IndexByte(b, 0) >= 0 {
		l.nul = true
	}
}

// seek makes next go on at off, where a line begins.
func (l *lineReader) seek(off int64) {
	l.inLine, l.length = false, 0
	if off >= l.base && off <= l.base+int64(l.n) {
		l.pos = int(off - l.base)
		return
	}
	l.base, l.n, l.pos = off, 0, 0
}

// end returns where the message ends: its size, or what of it could be read.
func (l *lineReader) end() int64 {
	if l.err != nil {
		return l.base + int64(l.n)
	}
	return l.size
}
