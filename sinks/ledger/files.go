package ledger

import (
	"errors"
	"io"
	"os"
	"path/filepath"

	"mxhook/sinks/durable"
)

// Files is a flat folder of files. The ledger uses one of the operating system; tests
// use one that loses what was not synced, and fails (ledgertest.Disk).
type Files interface {
	// Lock takes the folder until Close. ErrLocked says that somebody has it.
	Lock() (io.Closer, error)
	List() ([]string, error)
	Read(name string) ([]byte, error)
	// Create makes a new file. Its name is durable after SyncDir.
	Create(name string) (File, error)
	// Append opens a file, cuts it to size octets, durably, and appends from there.
	Append(name string, size int64) (File, error)
	Rename(from, to string) error
	Remove(name string) error
	SyncDir() error
}

// File is a file that is appended to.
type File interface {
	io.WriteCloser
	Truncate(size int64) error
	Sync() error
}

// ErrLocked says that another process has the folder.
var ErrLocked = durable.ErrLocked

const lockName = "lock"

// folder is a folder of the operating system.
type folder string

func (d folder) path(name string) string { return filepath.Join(string(d), name) }

// Lock takes the folder. Without a lock that ends with the process two of them could
// write to one folder.
func (d folder) Lock() (io.Closer, error) {
	lock, err := durable.Lock(d.path(lockName))
	if errors.Is(err, errors.ErrUnsupported) {
		return nil, errors.New("this system has no flock, which the ledger needs; set delivery.ledger to 0")
	}
	return lock, err
}

func (d folder) List() ([]string, error) {
	entries, err := os.ReadDir(string(d))
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names, err
}

func (d folder) Read(name string) ([]byte, error) { return os.ReadFile(d.path(name)) }

func (d folder) Create(name string) (File, error) {
	return os.OpenFile(d.path(name), os.O_CREATE|os.O_EXCL|os.O_WRONLY|os.O_APPEND, 0o600)
}

func (d folder) Append(name string, size int64) (File, error) {
	f, err := os.OpenFile(d.path(name), os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	if err = f.Truncate(size); err == nil {
		err = f.Sync()
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

func (d folder) Rename(from, to string) error { return os.Rename(d.path(from), d.path(to)) }
func (d folder) Remove(name string) error     { return os.Remove(d.path(name)) }
func (d folder) SyncDir() error               { return durable.SyncDir(string(d)) }
