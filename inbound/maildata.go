package inbound

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"hash"
	"io"
	"io/fs"
	"os"
	"sync"
	"sync/atomic"
)

// Store makes Buffers: a message's bytes are held in memory up to a threshold and
// in a temporary file beyond it. It is safe for concurrent use.
type Store struct {
	dir       string
	threshold int64
	inMemory  atomic.Int64
}

// NewStore returns a Store that puts what is larger than threshold octets into
// files in dir, which is made when it is missing. A file has no name
// as soon as it is open, so that a crash leaves nothing behind.
func NewStore(dir string, threshold int64) *Store {
	return &Store{dir: dir, threshold: threshold}
}

// InMemory returns how many octets of messages are held in memory now.
func (s *Store) InMemory() int64 { return s.inMemory.Load() }

// Buffer takes the bytes of one message while they come. It is used by one
// goroutine, and ends with Freeze or Discard.
type Buffer struct {
	store    *Store
	mem      []byte
	file     *os.File
	size     int64
	whole    hash.Hash
	body     hash.Hash
	bodyAt   int64 // offset of the body, -1 while the header section lasts
	lineLen  int64 // octets of the current header line so far, a CR not counted
	err      error
	finished bool
}

// NewBuffer returns an empty Buffer. sizeHint is what the sender declared, 0 if it
// declared nothing; it is never trusted beyond the threshold.
func (s *Store) NewBuffer(sizeHint int64) *Buffer {
	b := &Buffer{store: s, whole: sha256.New(), body: sha256.New(), bodyAt: -1}
	if sizeHint > 0 && sizeHint <= s.threshold {
		b.mem = make([]byte, 0, sizeHint)
	}
	return b
}

// Size returns the octets written so far.
func (b *Buffer) Size() int64 { return b.size }

// Write appends p. An error is one of the file system's (disk full); it is kept
// and returned by all later calls, and nothing more is stored.
func (b *Buffer) Write(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	if b.finished {
		return 0, errors.New("inbound: write to a finished buffer")
	}
	b.hash(p)
	if b.err = b.keep(p); b.err != nil {
		return 0, b.err
	}
	b.size += int64(len(p))
	return len(p), nil
}

func (b *Buffer) keep(p []byte) error {
	if b.file == nil && b.size+int64(len(p)) <= b.store.threshold {
		b.mem = append(b.mem, p...)
		b.store.inMemory.Add(int64(len(p)))
		return nil
	}
	if b.file == nil {
		if err := b.spill(); err != nil {
			return err
		}
	}
	_, err := b.file.Write(p)
	return err
}

// spill moves what is in memory to a file without a name.
func (b *Buffer) spill() error {
	f, err := os.CreateTemp(b.store.dir, "message-*.tmp")
	if errors.Is(err, fs.ErrNotExist) { // somebody tidied the folder away
		if err = os.MkdirAll(b.store.dir, 0o700); err == nil {
			f, err = os.CreateTemp(b.store.dir, "message-*.tmp")
		}
	}
	if err != nil {
		return err
	}
	b.file = f
	if err := os.Remove(f.Name()); err != nil {
		return err
	}
	if _, err := f.Write(b.mem); err != nil {
		return err
	}
	b.store.inMemory.Add(-int64(len(b.mem)))
	b.mem = nil
	return nil
}

// hash feeds both digests and finds where the body begins: after the first line
// that is empty but for its line end.
func (b *Buffer) hash(p []byte) {
	b.whole.Write(p)
	if b.bodyAt >= 0 {
		b.body.Write(p)
		return
	}
	for i := 0; i < len(p); {
		n := bytes.IndexByte(p[i:], '\n')
		if n < 0 {
			b.lineLen += lineOctets(p[i:])
			return
		}
		b.lineLen += lineOctets(p[i : i+n])
		i += n + 1
		if b.lineLen == 0 {
			b.bodyAt = b.size + int64(i)
			b.body.Write(p[i:])
			return
		}
		b.lineLen = 0
	}
}

func lineOctets(p []byte) int64 {
	return int64(len(p) - bytes.Count(p, []byte{'\r'}))
}

// Freeze ends the writing and returns the message, which holds one reference. The
// error is the first that a Write met; the Buffer is discarded then.
func (b *Buffer) Freeze() (*MailData, error) {
	if b.err != nil {
		err := b.err
		b.Discard()
		return nil, err
	}
	b.finished = true
	d := &MailData{store: b.store, mem: b.mem, size: b.size, bodyAt: b.bodyAt}
	if b.file != nil {
		d.file = b.file
	}
	if d.bodyAt < 0 {
		d.bodyAt = b.size
	}
	b.whole.Sum(d.whole[:0])
	b.body.Sum(d.body[:0])
	d.refs.Store(1)
	b.mem, b.file = nil, nil
	return d, nil
}

// Discard gives memory and file back. It may follow Freeze, where it does nothing.
func (b *Buffer) Discard() {
	b.store.inMemory.Add(-int64(len(b.mem)))
	if b.file != nil {
		b.file.Close()
	}
	b.mem, b.file, b.finished = nil, nil, true
}

// MailData is a message's bytes as received, frozen: the one copy that everything
// reads, from many goroutines and as often as it likes. Whoever keeps it beyond
// the call that handed it over calls Retain first and Release when done; the last
// Release frees memory and file.
type MailData struct {
	store  *Store
	mem    []byte
	file   File // nil when the bytes are in mem
	size   int64
	bodyAt int64
	whole  [sha256.Size]byte
	body   [sha256.Size]byte
	refs   atomic.Int64
	once   sync.Once
}

// NewMailData returns p as a message in memory that belongs to no Store, for tools
// and tests. p must not be changed afterwards.
func NewMailData(p []byte) *MailData {
	b := NewStore("", int64(len(p))).NewBuffer(0)
	b.hash(p)
	b.mem, b.size = p, int64(len(p))
	b.store.inMemory.Add(b.size)
	d, _ := b.Freeze()
	return d
}

// File is an open file that a message is read from.
type File interface {
	io.ReaderAt
	io.Closer
}

// OpenMailData returns the message that fills the first size octets of f, which it
// reads once for the digests; nothing is kept in memory. f belongs to the MailData,
// whose last Release closes it. After an error, which is one of reading
// (io.ErrUnexpectedEOF when f is shorter), f is closed.
func OpenMailData(f File, size int64) (*MailData, error) {
	b := &Buffer{whole: sha256.New(), body: sha256.New(), bodyAt: -1}
	n, err := io.CopyBuffer(hasher{b}, io.NewSectionReader(f, 0, size), make([]byte, 64<<10))
	if err == nil && n < size {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	d, _ := b.Freeze() // b has met no error
	d.file = f
	return d, nil
}

// hasher feeds a Buffer that keeps nothing.
type hasher struct{ *Buffer }

func (h hasher) Write(p []byte) (int, error) {
	h.hash(p)
	h.size += int64(len(p))
	return len(p), nil
}

// Size returns the octets of the message.
func (d *MailData) Size() int64 { return d.size }

// BodyOffset returns where the body begins, after the empty line that ends the
// header section; Size if there is none.
func (d *MailData) BodyOffset() int64 { return d.bodyAt }

// SHA256 returns the digest of all bytes.
func (d *MailData) SHA256() [sha256.Size]byte { return d.whole }

// BodySHA256 returns the digest of the bytes after the header section.
func (d *MailData) BodySHA256() [sha256.Size]byte { return d.body }

// ReadAt implements io.ReaderAt. The error is io.EOF at the end, one of the file
// system's, or os.ErrClosed after the last Release.
func (d *MailData) ReadAt(p []byte, off int64) (int, error) {
	switch {
	case d.refs.Load() <= 0:
		return 0, os.ErrClosed
	case off < 0:
		return 0, errors.New("inbound: negative offset")
	case off >= d.size:
		return 0, io.EOF
	case d.file != nil:
		return d.file.ReadAt(p, off)
	}
	n := copy(p, d.mem[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// Open returns a new reader over all bytes.
func (d *MailData) Open() *io.SectionReader { return io.NewSectionReader(d, 0, d.size) }

// Retain takes one more reference and returns d.
func (d *MailData) Retain() *MailData {
	d.refs.Add(1)
	return d
}

// Release gives one reference back.
func (d *MailData) Release() {
	if d.refs.Add(-1) > 0 {
		return
	}
	d.once.Do(func() {
		if d.file != nil {
			d.file.Close()
			return
		}
		d.store.inMemory.Add(-d.size)
	})
}
