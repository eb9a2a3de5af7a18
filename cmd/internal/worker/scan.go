package worker

import (
	"bufio"
	"errors"
	"io"
	"strconv"
	"unicode/utf8"
)

// errJSON says that a body is no JSON.
var errJSON = errors.New("it is no JSON")

// scanner reads JSON as it comes and keeps nothing of it: a payload may be larger than
// what should be in memory, most of it one string. It is as strict as it needs to be:
// what is wanted is read exactly, the rest is passed over. The nesting isn't bounded, and
// costs nothing.
type scanner struct{ r *bufio.Reader }

func newScanner(r io.Reader) *scanner { return &scanner{bufio.NewReaderSize(r, 64<<10)} }

// next returns the first octet that is no blank.
func (s *scanner) next() (byte, error) {
	for {
		c, err := s.r.ReadByte()
		if err != nil {
			return 0, ended(err)
		}
		if c != ' ' && c != '\t' && c != '\r' && c != '\n' {
			return c, nil
		}
	}
}

// ended makes the end of the input a fault of the JSON.
func ended(err error) error {
	if errors.Is(err, io.EOF) {
		return errJSON
	}
	return err
}

func (s *scanner) want(c byte) error {
	got, err := s.next()
	if err == nil && got != c {
		err = errJSON
	}
	return err
}

// end wants nothing but blanks to follow.
func (s *scanner) end() error {
	for {
		c, err := s.r.ReadByte()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		case c != ' ' && c != '\t' && c != '\r' && c != '\n':
			return errJSON
		}
	}
}

// object reads an object; member must read the value of each key. Keys are cut to 64
// octets. A value that is null instead has no members.
func (s *scanner) object(member func(key string) error) error {
	c, err := s.next()
	if err != nil {
		return err
	}
	if c == 'n' {
		return s.literal(c)
	}
	if c != '{' {
		return errJSON
	}
	for first := true; ; first = false {
		c, err := s.next()
		switch {
		case err != nil:
			return err
		case c == '}' && first:
			return nil
		case c != '"':
			return errJSON
		}
		key, err := s.rest(64)
		if err != nil {
			return err
		}
		if err := s.want(':'); err != nil {
			return err
		}
		if err := member(key); err != nil {
			return err
		}
		switch c, err = s.next(); {
		case err != nil:
			return err
		case c == '}':
			return nil
		case c != ',':
			return errJSON
		}
	}
}

func isNumeric(c byte) bool {
	return c >= '0' && c <= '9' || c == '-' || c == '+' || c == '.' || c == 'e' || c == 'E'
}

// literal reads the rest of true, false or null.
func (s *scanner) literal(c byte) error {
	for _, w := range []string{"true", "false", "null"} {
		if w[0] != c {
			continue
		}
		for i := 1; i < len(w); i++ {
			got, err := s.r.ReadByte()
			if err != nil {
				return ended(err)
			}
			if got != w[i] {
				return errJSON
			}
		}
		return nil
	}
	return errJSON
}

// rest reads the rest of a string and returns its first n octets.
func (s *scanner) rest(n int) (string, error) {
	t := &text{s: s}
	b := make([]byte, 0, min(n, 512))
	var part [512]byte
	for {
		k, err := t.Read(part[:])
		b = append(b, part[:min(k, n-len(b))]...)
		if errors.Is(err, io.EOF) {
			return string(b), nil
		}
		if err != nil {
			return "", err
		}
	}
}

// skip passes over a value.
func (s *scanner) skip() error {
	depth := 0
	for {
		c, err := s.next()
		if err != nil {
			return err
		}
		switch {
		case c == '"':
			_, err = io.Copy(io.Discard, &text{s: s})
		case c == '{' || c == '[':
			depth++
		case c == '}' || c == ']':
			depth--
		case c == ',' || c == ':':
			if depth == 0 {
				err = errJSON
			}
		case c == 't' || c == 'f' || c == 'n':
			err = s.literal(c)
		case isNumeric(c):
			err = s.number()
		default:
			err = errJSON
		}
		switch {
		case err != nil:
			return err
		case depth < 0:
			return errJSON
		case depth == 0:
			return nil
		}
	}
}

// number passes over the rest of a number.
func (s *scanner) number() error {
	for {
		peek, err := s.r.Peek(1)
		if err != nil {
			return ended(err)
		}
		if !isNumeric(peek[0]) {
			return nil
		}
		s.r.Discard(1)
	}
}

// text reads the rest of a string, whose escapes it undoes, up to its closing quote.
type text struct {
	s    *scanner
	done bool
	left []byte // of an escape
}

// Read implements io.Reader.
func (t *text) Read(p []byte) (n int, err error) {
	for n < len(p) && !t.done {
		if len(t.left) > 0 {
			k := copy(p[n:], t.left)
			n, t.left = n+k, t.left[k:]
			continue
		}
		if n > 0 && t.s.r.Buffered() == 0 {
			return n, nil
		}
		c, err := t.s.r.ReadByte()
		switch {
		case err != nil:
			return n, ended(err)
		case c == '"':
			t.done = true
		case c == '\\':
			if t.left, err = t.s.escape(); err != nil {
				return n, err
			}
		case c < ' ':
			return n, errJSON
		default:
			p[n] = c
			n++
		}
	}
	if t.done && n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

// escape reads what follows a backslash. A half of a surrogate pair is U+FFFD: what is
// wanted has none.
func (s *scanner) escape() ([]byte, error) {
	c, err := s.r.ReadByte()
	if err != nil {
		return nil, ended(err)
	}
	switch c {
	case '"', '\\', '/':
		return []byte{c}, nil
	case 'b':
		return []byte{'\b'}, nil
	case 'f':
		return []byte{'\f'}, nil
	case 'n':
		return []byte{'\n'}, nil
	case 'r':
		return []byte{'\r'}, nil
	case 't':
		return []byte{'\t'}, nil
	case 'u':
	default:
		return nil, errJSON
	}
	var digits [4]byte
	for i := range digits {
		if digits[i], err = s.r.ReadByte(); err != nil {
			return nil, ended(err)
		}
	}
	r, err := strconv.ParseUint(string(digits[:]), 16, 16)
	if err != nil {
		return nil, errJSON
	}
	return utf8.AppendRune(nil, rune(r)), nil
}
