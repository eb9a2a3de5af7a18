package inbound

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"hash"
	"os"
)

// Buffer takes the bytes of one message while they come. It is used by one
// goroutine, and ends with Freeze or Discard.
type Buffer struct {
	store    *Store
	mem      []byte
	held     int64 // of the budget: what mem can hold
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
		b.grow(sizeHint)
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

// keep stores p: in memory up to the threshold and within the budget, else in the
// file, and when the disk can't take it in what is left of the budget.
func (b *Buffer) keep(p []byte) error {
	size := b.size + int64(len(p))
	if b.file == nil {
		if size <= int64(cap(b.mem)) || size <= b.store.threshold && b.grow(size) {
			b.mem = append(b.mem, p...)
			return nil
		}
		if err := b.spill(); err != nil {
			return b.rescue(p, err)
		}
	}
	if err := b.store.disk.check(); err != nil {
		return b.rescue(p, err)
	}
	if _, err := b.file.Write(p); err != nil {
		return b.rescue(p, err)
	}
	return nil
}

// grow makes room for size octets in memory, in steps that double, and tells whether
// the budget allows it.
func (b *Buffer) grow(size int64) bool {
	want := 2 * int64(cap(b.mem))
	if size <= b.store.threshold {
		want = min(want, b.store.threshold)
	}
	want = max(want, size)
	if !b.store.take(want - b.held) {
		if want = size; !b.store.take(want - b.held) {
			return false
		}
	}
	b.held = want
	b.mem = append(make([]byte, 0, want), b.mem...)
	return true
}

// rescue keeps p in memory although the message has outgrown the threshold, since the
// disk doesn't take it, because of err. That is what is returned when the budget is
// used up, too.
func (b *Buffer) rescue(p []byte, err error) error {
	if b.store.memory == 0 || !b.grow(b.size+int64(len(p))) {
		return err
	}
	if b.file != nil {
		b.mem = b.mem[:b.size]
		if _, readErr := b.file.ReadAt(b.mem, 0); readErr != nil {
			return readErr
		}
		b.file.Close()
		b.file = nil
	}
	b.mem = append(b.mem, p...)
	return nil
}

// spill moves what is in memory to a file without a name.
func (b *Buffer) spill() error {
	if err := b.store.disk.check(); err != nil {
		return err
	}
	f, err := b.store.createFile()
	if err != nil {
		return err
	}
	if _, err := f.Write(b.mem); err != nil {
		f.Close()
		return err
	}
	b.file = f
	b.store.give(b.held)
	b.mem, b.held = nil, 0
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
	d := &MailData{store: b.store, mem: b.mem, held: b.held, size: b.size, bodyAt: b.bodyAt}
	if b.file != nil {
		d.file = b.file
	}
	if d.bodyAt < 0 {
		d.bodyAt = b.size
	}
	b.whole.Sum(d.whole[:0])
	b.body.Sum(d.body[:0])
	d.refs.Store(1)
	b.mem, b.held, b.file = nil, 0, nil
	return d, nil
}

// Discard gives memory and file back. It may follow Freeze, where it does nothing.
func (b *Buffer) Discard() {
	b.store.give(b.held)
	if b.file != nil {
		b.file.Close()
	}
	b.mem, b.held, b.file, b.finished = nil, 0, nil, true
}
