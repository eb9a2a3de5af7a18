package inbound

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"
)

// StoreConfig says where messages' bytes are held, and how many.
type StoreConfig struct {
	Dir       string // of the files, made when it is missing
	Threshold int64  // octets of one message in memory; what is larger goes to a file
	// Memory is how many octets of all messages are in memory at once; beyond it they
	// go to files, whatever their size. When the disk can't take a message, memory
	// takes it beyond the threshold as long as there is some. 0 is no bound.
	Memory int64
	// Reserve is how many octets must stay free on Dir's file system. 0 is no reserve.
	Reserve int64
}

// Store makes Buffers: a message's bytes are held in memory up to a threshold and
// in a temporary file beyond it, within a budget for all messages. It is safe for
// concurrent use.
type Store struct {
	dir       string
	threshold int64
	memory    int64
	disk      *disk
	inMemory  atomic.Int64
}

// NewStore returns a Store that puts what is larger than threshold octets into
// files in dir and has no other bounds.
func NewStore(dir string, threshold int64) *Store {
	return NewBoundedStore(StoreConfig{Dir: dir, Threshold: threshold})
}

// NewBoundedStore returns a Store. A file has no name as soon as it is open, so that a
// crash leaves nothing behind.
func NewBoundedStore(c StoreConfig) *Store {
	return &Store{dir: c.Dir, threshold: c.Threshold, memory: c.Memory, disk: &disk{dir: c.Dir, reserve: c.Reserve, free: freeSpace}}
}

// InMemory returns how many octets are set aside for messages in memory now.
func (s *Store) InMemory() int64 { return s.inMemory.Load() }

// take sets n octets of memory aside, or tells that the budget is used up.
func (s *Store) take(n int64) bool {
	if s.inMemory.Add(n) > s.memory && s.memory > 0 && n > 0 {
		s.inMemory.Add(-n)
		return false
	}
	return true
}

func (s *Store) give(n int64) {
	if n != 0 {
		s.inMemory.Add(-n)
	}
}

// Admit tells why a message of size octets can't be taken now, nil if it can; a size
// of 0 is one that is not known. It is no promise: others may come first.
func (s *Store) Admit(size int64) error {
	if err := s.disk.check(); err != nil {
		return err
	}
	inMemory := s.memory > 0 && s.memory-s.inMemory.Load() >= size
	if size <= s.threshold && (inMemory || s.memory == 0) {
		return nil
	}
	if err := s.disk.room(size); err != nil && !inMemory {
		return err
	}
	return nil
}

// Exhausted tells whether neither memory nor disk can take anything.
func (s *Store) Exhausted() bool {
	return s.memory > 0 && s.inMemory.Load() >= s.memory && s.disk.check() != nil
}

const filePattern = "message-*.tmp"

// createFile opens a file without a name.
func (s *Store) createFile() (*os.File, error) {
	f, err := os.CreateTemp(s.dir, filePattern)
	if errors.Is(err, fs.ErrNotExist) { // somebody tidied the folder away
		if err = os.MkdirAll(s.dir, 0o700); err == nil {
			f, err = os.CreateTemp(s.dir, filePattern)
		}
	}
	if err != nil {
		return nil, err
	}
	if err := os.Remove(f.Name()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		f.Close()
		return nil, err
	}
	return f, nil
}

// Prepare makes the folder and removes files that a crash between their making and
// the removal of their names has left there.
func (s *Store) Prepare() error {
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return err
	}
	left, err := filepath.Glob(filepath.Join(s.dir, filePattern))
	for _, name := range left {
		if e := os.Remove(name); e != nil && !errors.Is(e, fs.ErrNotExist) {
			err = e
		}
	}
	return err
}

// disk watches the free space of a folder's file system.
type disk struct {
	dir     string
	reserve int64
	free    func(dir string) (int64, error)

	mu   sync.Mutex
	at   time.Time // of the last look
	last int64     // free octets then; -1 is not known
}

// look returns the free space, which is asked for once a second at most; -1 when it
// can't be known. Then nothing is refused before a write fails.
func (d *disk) look() int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	if now := time.Now(); d.at.IsZero() || now.Sub(d.at) >= time.Second {
		n, err := d.free(d.dir)
		if err != nil {
			n = -1
		}
		d.at, d.last = now, n
	}
	return d.last
}

// check tells that less is free than the reserve.
func (d *disk) check() error {
	if d.reserve <= 0 {
		return nil
	}
	return d.room(0)
}

// room tells that size octets and the reserve don't fit.
func (d *disk) room(size int64) error {
	if free := d.look(); free >= 0 && free-size < d.reserve {
		return fmt.Errorf("inbound: %d MiB are free on the file system of %s, and %d MiB must stay free", free>>20, d.dir, d.reserve>>20)
	}
	return nil
}
