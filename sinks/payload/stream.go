package payload

import (
	"encoding/base64"
	"io"
	"unicode/utf8"
)

// base64Of is the base64 of the size octets that open's reader yields.
func base64Of(open func() io.Reader, size int64) segment {
	return segment{
		open: func(s *scratch) io.Reader { return &base64Reader{src: open(), left: size, buf: s.get()} },
		size: (size + 2) / 3 * 4,
	}
}

// base64Reader encodes block by block, straight into the caller's buffer.
type base64Reader struct {
	src   io.Reader
	left  int64  // octets that src still owes
	buf   []byte // for octets of src; its length is a multiple of 3
	small [4]byte
	over  []byte // what is left of small
}

// Read implements io.Reader.
func (r *base64Reader) Read(p []byte) (int, error) {
	if len(r.over) > 0 {
		n := copy(p, r.over)
		r.over = r.over[n:]
		return n, nil
	}
	if r.left == 0 {
		if err := ended(r.src); err != nil {
			return 0, err
		}
		return 0, io.EOF
	}
	if len(p) >= len(r.small) {
		return r.block(p)
	}
	n, err := r.block(r.small[:])
	copied := copy(p, r.small[:n])
	r.over = r.small[copied:n]
	return copied, err
}

// block encodes as many groups as dst, which holds at least one, has room for.
func (r *base64Reader) block(dst []byte) (int, error) {
	n := min(int64(len(dst)/4*3), int64(len(r.buf)), r.left)
	if _, err := io.ReadFull(r.src, r.buf[:n]); err != nil {
		return 0, err
	}
	r.left -= n
	base64.StdEncoding.Encode(dst, r.buf[:n])
	return base64.StdEncoding.EncodedLen(int(n)), nil
}

// textOf is the inside of the JSON string s, without its quotes.
func textOf(s string) segment {
	if len(s) <= inlineText {
		escaped := appendString(make([]byte, 0, len(s)+len(s)/16), s)
		return segment{bytes: escaped, size: int64(len(escaped))}
	}
	return streamedText(s)
}

func streamedText(s string) segment {
	return segment{open: func(*scratch) io.Reader { return &textReader{rest: s} }, size: stringSize(s)}
}

// textReader escapes a string piece by piece, cut between characters, so that the
// pieces joined are the same as the string escaped at once.
type textReader struct {
	rest  string
	piece []byte // escaped and not read yet
	buf   []byte
}

const textPiece = 4096

// next escapes the next piece and tells whether there was one.
func (r *textReader) next() bool {
	if r.rest == "" {
		return false
	}
	n := cut(r.rest, textPiece)
	r.buf = appendString(r.buf[:0], r.rest[:n])
	r.piece = r.buf
	r.rest = r.rest[n:]
	return true
}

// cut returns n, or a little less, so that no character spans s[:n] and s[n:].
// Where no character begins near n there is none to be cut.
func cut(s string, n int) int {
	if n >= len(s) {
		return len(s)
	}
	for i := n; i > n-utf8.UTFMax; i-- {
		if utf8.RuneStart(s[i]) {
			return i
		}
	}
	return n
}

// Read implements io.Reader.
func (r *textReader) Read(p []byte) (int, error) {
	if len(r.piece) == 0 && !r.next() {
		return 0, io.EOF
	}
	n := copy(p, r.piece)
	r.piece = r.piece[n:]
	return n, nil
}

// TextSource is the value of a string whose text is what src yields, escaped when it is
// sent. It reads src once, since the length depends on what must be escaped; the error
// is one of that. What is no UTF-8 becomes U+FFFD.
func (j *JSON) TextSource(src Source) (any, error) {
	size, err := io.Copy(io.Discard, newEscaper(src.Open()))
	if err != nil {
		return nil, shortSource(err)
	}
	return j.stream(segment{open: func(*scratch) io.Reader { return newEscaper(src.Open()) }, size: size}), nil
}

// escaper is the inside of a JSON string with the text of a reader.
type escaper struct {
	src   io.Reader
	text  []byte // read and not encoded yet
	ended error  // of src
	piece []byte // encoded and not read yet
	buf   []byte
}

func newEscaper(src io.Reader) *escaper {
	return &escaper{src: src, text: make([]byte, 0, textPiece)}
}

// Read implements io.Reader.
func (e *escaper) Read(p []byte) (int, error) {
	for len(e.piece) == 0 {
		if e.ended == nil {
			var n int
			n, e.ended = e.src.Read(e.text[len(e.text):cap(e.text)])
			e.text = e.text[:len(e.text)+n]
		}
		whole := len(e.text)
		if e.ended == nil {
			whole = wholeCharacters(e.text)
		}
		if whole == 0 && e.ended != nil {
			return 0, e.ended
		}
		e.encode(whole)
	}
	n := copy(p, e.piece)
	e.piece = e.piece[n:]
	return n, nil
}

func (e *escaper) encode(n int) {
	e.buf = appendString(e.buf[:0], e.text[:n])
	e.piece = e.buf
	e.text = e.text[:copy(e.text, e.text[n:])]
}

// wholeCharacters is the length of p without a character at its end that may go on.
func wholeCharacters(p []byte) int {
	for i := len(p) - 1; i >= 0 && i > len(p)-utf8.UTFMax; i-- {
		if utf8.RuneStart(p[i]) {
			if utf8.FullRune(p[i:]) {
				break
			}
			return i
		}
	}
	return len(p)
}
