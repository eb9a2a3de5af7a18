package inbound

import (
	"crypto/sha256"
	"errors"
	"io"
	"os"
	"sync"
	"sync/atomic"
)

// MailData is a message's bytes as received, frozen: the one copy that everything
// reads, from many goroutines and as often as it likes. Whoever keeps it beyond
// the call that handed it over calls Retain first and Release when done; the last
// Release frees memory and file.
type MailData struct {
	store  *Store
	mem    []byte
	held   int64 // of the store's budget
	file   File  // nil when the bytes are in mem
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

// Bytes returns the message if it is in memory, nil if it is in a file or after the last
// Release: whoever only looks needs no copy then. It must not be changed.
func (d *MailData) Bytes() []byte {
	if d.refs.Load() <= 0 || d.file != nil {
		return nil
	}
	return d.mem
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
		d.store.give(d.held)
	})
}
