package payload

import (
	"io"
	"strings"
)

// Form builds a body of application/x-www-form-urlencoded, UTF-8. The zero value is
// ready; it belongs to one goroutine.
type Form struct{ body Body }

// Add adds a field.
func (f *Form) Add(name, value string) {
	if len(value) > inlineText {
		f.begin(name)
		_ = f.add(TextSource(value)) // a string can be read
		return
	}
	f.begin(name)
	f.body.addBytes(appendEscaped(nil, []byte(value)))
}

// AddSource adds a field whose value is what src yields. It reads src once, since the
// length depends on what must be escaped; the error is one of that.
func (f *Form) AddSource(name string, src Source) error {
	f.begin(name)
	return f.add(src)
}

// Body returns the form.
func (f *Form) Body() *Body {
	b := f.body
	b.contentType = "application/x-www-form-urlencoded"
	return &b
}

func (f *Form) begin(name string) {
	var p []byte
	if len(f.body.segments) > 0 {
		p = append(p, '&')
	}
	f.body.addBytes(append(appendEscaped(p, []byte(name)), '='))
}

func (f *Form) add(src Source) error {
	size, err := io.Copy(io.Discard, &formReader{src: src.Open()})
	if err != nil {
		return shortSource(err)
	}
	f.body.addStream(segment{open: func(*scratch) io.Reader { return &formReader{src: src.Open()} }, size: size})
	return nil
}

// formReader escapes what src yields.
type formReader struct {
	src  io.Reader
	buf  [4096]byte
	out  []byte // escaped and not read yet
	over []byte // the memory of out
}

// Read implements io.Reader.
func (r *formReader) Read(p []byte) (int, error) {
	for len(r.out) == 0 {
		n, err := r.src.Read(r.buf[:])
		r.over = appendEscaped(r.over[:0], r.buf[:n])
		r.out = r.over
		if n == 0 && err != nil {
			return 0, err
		}
	}
	n := copy(p, r.out)
	r.out = r.out[n:]
	return n, nil
}

// appendEscaped percent-encodes as browsers do for forms (WHATWG URL 5.2): a blank is
// "+", and letters, digits and *-._ stay.
func appendEscaped(dst, p []byte) []byte {
	const hex = "0123456789ABCDEF"
	for _, c := range p {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte("*-._", c) >= 0:
			dst = append(dst, c)
		case c == ' ':
			dst = append(dst, '+')
		default:
			dst = append(dst, '%', hex[c>>4], hex[c&15])
		}
	}
	return dst
}
