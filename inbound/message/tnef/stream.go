package tnef

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"unicode/utf16"
)

const maxOffset = math.MaxInt64

// shortText bounds names and other values of one line.
const shortText = 4 << 10

// errRead says that cause holds an error of the reader.
var errRead = errors.New("reading")

// stream reads with its offset. After the first error everything it gives is zero.
type stream struct {
	r      io.Reader
	decode Decode
	lim    Limits
	off    int64
	err    error
	cause  error
	buf    [8]byte
	block  []byte // for what is passed over

	files, bodyLeft int
	limited         bool
	signed          bool // it began with the signature
}

func (s *stream) damaged() {
	if s.err == nil {
		s.err = ErrDamaged
	}
}

// full fills b, which must end before the offset end.
func (s *stream) full(b []byte, end int64) bool {
	if s.err != nil {
		return false
	}
	if int64(len(b)) > end-s.off {
		s.damaged()
		return false
	}
	n, err := io.ReadFull(s.r, b)
	s.off += int64(n)
	s.failed(err)
	return err == nil
}

func (s *stream) failed(err error) {
	switch {
	case err == nil:
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, errRead):
		s.damaged()
	default:
		s.err, s.cause = errRead, err
	}
}

// level reads the octet that begins an attribute; ok is false at the end.
func (s *stream) level(end int64) (byte, bool) {
	if s.err != nil || s.off >= end {
		return 0, false
	}
	n, err := io.ReadFull(s.r, s.buf[:1])
	s.off += int64(n)
	if errors.Is(err, io.EOF) {
		if end != maxOffset {
			s.damaged()
		}
		return 0, false
	}
	s.failed(err)
	return s.buf[0], err == nil
}

func (s *stream) u16(end int64) uint16 {
	if !s.full(s.buf[:2], end) {
		return 0
	}
	return binary.LittleEndian.Uint16(s.buf[:2])
}

func (s *stream) u32(end int64) uint32 {
	if !s.full(s.buf[:4], end) {
		return 0
	}
	return binary.LittleEndian.Uint32(s.buf[:4])
}

// skip passes over n octets.
func (s *stream) skip(n, end int64) {
	s.pass(n, end, io.Discard)
}

// pass copies n octets to w, block by block.
func (s *stream) pass(n, end int64, w io.Writer) {
	if s.err != nil || n <= 0 {
		return
	}
	if n > end-s.off {
		s.damaged()
		return
	}
	if s.block == nil {
		s.block = make([]byte, 8<<10)
	}
	for n > 0 && s.err == nil {
		k, err := s.r.Read(s.block[:min(n, int64(len(s.block)))])
		s.off += int64(k)
		n -= int64(k)
		w.Write(s.block[:k])
		if n > 0 {
			s.failed(err)
		}
	}
}

// take reads at most limit of the octets up to the offset stop and passes over the rest.
func (s *stream) take(limit, stop int64) []byte {
	n := stop - s.off
	if s.err != nil || n <= 0 {
		return nil
	}
	if n > limit {
		s.limited = true
		n = limit
	}
	var out grower
	s.pass(n, stop, &out)
	s.skip(stop-s.off, stop)
	return out.b
}

// grower holds what is written; it grows with what really comes, not with a length
// that the stream claims.
type grower struct{ b []byte }

func (g *grower) Write(p []byte) (int, error) {
	g.b = append(g.b, p...)
	return len(p), nil
}

// short reads a name.
func (s *stream) short(stop int64) []byte { return s.take(shortText, stop) }

// long reads a body, which counts against the limit of them all.
func (s *stream) long(stop int64) []byte {
	b := s.take(int64(s.bodyLeft), stop)
	s.bodyLeft -= len(b)
	return b
}

// content makes the octets up to the offset stop the file's.
func (f *file) content(s *stream, stop int64) {
	h := sha256.New()
	f.Start, f.Size, f.has = s.off, stop-s.off, true
	s.pass(f.Size, stop, h)
	if s.err != nil { // less than it claims: the file is not whole
		f.has = false
		return
	}
	h.Sum(f.SHA256[:0])
}

// utf16LE decodes up to the first NUL.
func utf16LE(b []byte) string {
	units := make([]uint16, 0, len(b)/2)
	for ; len(b) >= 2; b = b[2:] {
		u := binary.LittleEndian.Uint16(b)
		if u == 0 {
			break
		}
		units = append(units, u)
	}
	return string(utf16.Decode(units))
}
