package dkim

import (
	"bytes"
	"errors"
	"io"
	"strings"
)

// Field is one header field, byte for byte but for its line ends, which are CRLF.
type Field struct {
	Name string // without blanks around it; "" for a line that is no field
	Raw  string // "Name: value CRLF", folds kept
}

// Value is what stands after the colon, folds and all.
func (f Field) Value() string {
	_, v, _ := strings.Cut(f.Raw, ":")
	return v
}

// Is reports whether the field has this name, in any case.
func (f Field) Is(name string) bool { return strings.EqualFold(f.Name, name) }

// MaxHeader is how many bytes of a header section are read.
const MaxHeader = 1 << 20

// ErrHeaderTooLarge is returned for a header section beyond MaxHeader.
var ErrHeaderTooLarge = errors.New("dkim: header section too large")

// ReadHeader reads the header section of a message and tells where the body begins.
// It is tolerant: line ends may be LF, an mbox "From " line or a byte order mark at
// the beginning is passed over, a line that is no field is kept without a name, and a
// message may end in its header. Errors are those of content, and ErrHeaderTooLarge.
func ReadHeader(content io.ReaderAt, size int64) (fields []Field, body int64, err error) {
	limit := min(size, MaxHeader+1)
	block := []byte{}
	for int64(len(block)) < limit {
		n := len(block)
		// Most headers end within the first read; others double it.
		block = append(block, make([]byte, min(limit-int64(n), max(8<<10, int64(n))))...)
		m, err := content.ReadAt(block[n:], int64(n))
		if block = block[:n+m]; err != nil && (!errors.Is(err, io.EOF) || int64(len(block)) < limit) {
			return nil, 0, err
		}
		if headerEnd(block) >= 0 {
			break
		}
	}
	end := headerEnd(block)
	switch {
	case end >= 0:
		block = block[:end]
	case size > MaxHeader:
		return nil, 0, ErrHeaderTooLarge
	}
	return parseFields(block), bodyStart(content, int64(len(block)), size), nil
}

// headerEnd gives the length of the header section with its last line end, or -1
// while the blank line has not come.
func headerEnd(block []byte) int {
	switch {
	case bytes.HasPrefix(block, []byte("\r\n")), bytes.HasPrefix(block, []byte("\n")):
		return 0
	}
	for at := 0; ; {
		i := bytes.IndexByte(block[at:], '\n')
		if i < 0 {
			return -1
		}
		at += i + 1
		rest := block[at:]
		if bytes.HasPrefix(rest, []byte("\n")) || bytes.HasPrefix(rest, []byte("\r\n")) {
			return at
		}
	}
}

// bodyStart steps over the blank line, if there is one.
func bodyStart(content io.ReaderAt, at, size int64) int64 {
	var line [2]byte
	n, _ := content.ReadAt(line[:], at)
	switch {
	case n > 0 && line[0] == '\n':
		return at + 1
	case n == 2 && line[0] == '\r' && line[1] == '\n':
		return at + 2
	}
	return size
}

func parseFields(block []byte) []Field {
	text := lines(bytes.TrimPrefix(block, []byte("\xef\xbb\xbf")))
	if strings.HasPrefix(text, "From ") || strings.HasPrefix(text, ">From ") {
		text = text[strings.Index(text, "\r\n")+2:]
	}
	var fields []Field
	for len(text) > 0 {
		// A field is a piece of the text: to join its folds one by one would take the
		// square of their number.
		end := 0
		for {
			end += strings.Index(text[end:], "\r\n") + 2
			if end == len(text) || text[end] != ' ' && text[end] != '\t' {
				break
			}
		}
		raw := text[:end]
		text = text[end:]
		name, _, ok := strings.Cut(raw, ":")
		if name = strings.TrimRight(name, " \t"); !ok || strings.ContainsAny(name, " \t\r\n") {
			name = ""
		}
		fields = append(fields, Field{Name: name, Raw: raw})
	}
	return fields
}

// lines gives a block with CRLF at the end of every line.
func lines(block []byte) string {
	if plain(block, false) == len(block) && (len(block) == 0 || bytes.HasSuffix(block, []byte("\n"))) {
		return string(block)
	}
	var b strings.Builder
	b.Grow(len(block) + len(block)/16)
	for line := range bytes.Lines(block) {
		b.Write(bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r")))
		b.WriteString("\r\n")
	}
	return b.String()
}
