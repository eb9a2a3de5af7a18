package payload

import (
	"errors"
	"fmt"
	"io"
)

// Body is a payload that is generated when it is read. It is immutable. It stays
// readable as long as the event's Data does.
type Body struct {
	contentType string
	segments    []segment
	size        int64
}

// segment is a run of a Body: bytes that are there, or a stream that is opened.
type segment struct {
	bytes []byte
	open  func(scratch *scratch) io.Reader // nil for bytes; yields size octets
	size  int64
}

// scratch is the working memory of one reader, shared by its streams, which are
// read one after the other.
type scratch struct{ buf []byte }

// scratchSize is a multiple of 3, so that a block of base64 has no padding.
const scratchSize = 24 * 1024

func (s *scratch) get() []byte {
	if s.buf == nil {
		s.buf = make([]byte, scratchSize)
	}
	return s.buf
}

// ContentType returns the media type for Content-Type.
func (b *Body) ContentType() string { return b.contentType }

// Size returns the octets of the payload, which is what each reader yields.
func (b *Body) Size() int64 { return b.size }

// Open returns a new reader from the start. It yields exactly Size octets and then
// io.EOF, or an error: io.ErrUnexpectedEOF (wrapped) when a source ended early. A
// body that came short is never taken for a whole one. Close gives up what is
// unread; it doesn't fail.
func (b *Body) Open() io.ReadCloser { return &reader{segments: b.segments} }

func (b *Body) addBytes(p []byte) {
	if len(p) == 0 {
		return
	}
	b.segments = append(b.segments, segment{bytes: p, size: int64(len(p))})
	b.size += int64(len(p))
}

func (b *Body) addStream(s segment) {
	b.segments = append(b.segments, s)
	b.size += s.size
}

type reader struct {
	segments []segment // what is left
	stream   io.Reader // of segments[0], when it is open
	done     int64     // octets read of segments[0]
	scratch  scratch
	err      error
}

// Read implements io.Reader.
func (r *reader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, r.err
	}
	for r.err == nil {
		if len(r.segments) == 0 {
			r.err = io.EOF
			break
		}
		s := &r.segments[0]
		if s.open != nil && r.stream == nil {
			r.stream = s.open(&r.scratch)
		}
		if r.done == s.size {
			r.err = r.endSegment()
			continue
		}
		n, err := r.readSegment(s, p)
		r.done += int64(n)
		if err != nil && r.done < s.size {
			r.err = shortSource(err)
		}
		if n > 0 {
			return n, nil
		}
	}
	return 0, r.err
}

func (r *reader) readSegment(s *segment, p []byte) (int, error) {
	if s.open == nil {
		return copy(p, s.bytes[r.done:]), nil
	}
	return r.stream.Read(p[:min(int64(len(p)), s.size-r.done)])
}

// endSegment goes on to the next segment when the stream has really ended.
func (r *reader) endSegment() error {
	if r.stream != nil {
		if err := ended(r.stream); err != nil {
			return err
		}
	}
	r.segments, r.stream, r.done = r.segments[1:], nil, 0
	return nil
}

// Close implements io.Closer.
func (r *reader) Close() error {
	r.segments, r.stream, r.scratch = nil, nil, scratch{}
	r.err = io.ErrClosedPipe
	return nil
}

// ended returns nil when r has nothing more to give. A source that goes on beyond
// its size would be cut off in silence.
func ended(r io.Reader) error {
	var more [4]byte
	n, err := io.ReadAtLeast(r, more[:], 1)
	switch {
	case n > 0:
		return errors.New("payload: a source yields more than its size")
	case err == io.EOF:
		return nil
	}
	return fmt.Errorf("payload: end of a source: %w", err)
}

func shortSource(err error) error {
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("payload: read a source: %w", err)
}

// Within returns b between two texts, as a body of another type.
func (b *Body) Within(contentType, before, after string) *Body {
	w := &Body{contentType: contentType}
	w.addBytes([]byte(before))
	w.segments = append(w.segments, b.segments...)
	w.size += b.size
	w.addBytes([]byte(after))
	return w
}

// NewBody returns a body that is what src yields.
func NewBody(contentType string, src Source) *Body {
	b := &Body{contentType: contentType}
	b.addStream(src.segment())
	return b
}
