// Package ledgertest has a disk for tests: it keeps files in memory, loses what was
// not synced when the power fails, and fails when it is told to.
package ledgertest

import (
	"errors"
	"io"
	"io/fs"
	"maps"
	"slices"
	"sync"
	"syscall"

	"mxhook/sinks/ledger"
)

// Disk is a ledger.Files. It is safe for concurrent use.
type Disk struct {
	mu      sync.Mutex
	names   map[string]*content // as the running process sees them
	durable map[string]*content // as a power failure leaves them
	locked  bool
	power   int // how many times it failed; files opened before are dead
	syncs   int
	// fail is asked before each operation: "create", "write", "sync", "truncate",
	// "append", "read", "list", "rename", "remove", "syncdir".
	fail func(op string) error
}

type content struct {
	data   []byte
	synced []byte
}

// NewDisk returns an empty Disk.
func NewDisk() *Disk {
	return &Disk{names: map[string]*content{}, durable: map[string]*content{}}
}

// Fail sets what is asked before each operation; nil lets all succeed. A "write" that
// fails with syscall.ENOSPC has written half of its octets.
func (d *Disk) Fail(f func(op string) error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fail = f
}

// Syncs returns how many times a file was synced.
func (d *Disk) Syncs() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.syncs
}

// PowerFailure leaves what was synced, and of what was not as many octets as keep
// says, of each file. The lock is gone and open files are dead.
func (d *Disk) PowerFailure(keep func(unsynced int) int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.power++
	d.locked = false
	d.names = map[string]*content{}
	for name, c := range d.durable {
		left := slices.Clone(c.synced)
		if n := len(c.data) - len(c.synced); n > 0 {
			left = slices.Clone(c.data[:len(c.synced)+keep(n)])
		}
		d.names[name] = &content{data: left, synced: slices.Clone(left)}
	}
	d.durable = maps.Clone(d.names)
}

// Data returns the octets of a file, to be changed in place.
func (d *Disk) Data(name string) []byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.names[name].data
}

// Put makes a file, durably.
func (d *Disk) Put(name string, data []byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	c := &content{data: data, synced: slices.Clone(data)}
	d.names[name], d.durable[name] = c, c
}

func (d *Disk) ask(op string) error {
	if d.fail == nil {
		return nil
	}
	return d.fail(op)
}

// Lock implements ledger.Files.
func (d *Disk) Lock() (io.Closer, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.locked {
		return nil, ledger.ErrLocked
	}
	d.locked = true
	return lock{d, d.power}, nil
}

type lock struct {
	disk  *Disk
	power int
}

func (l lock) Close() error {
	l.disk.mu.Lock()
	defer l.disk.mu.Unlock()
	if l.power == l.disk.power {
		l.disk.locked = false
	}
	return nil
}

// List implements ledger.Files.
func (d *Disk) List() ([]string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Sorted(maps.Keys(d.names)), d.ask("list")
}

// Read implements ledger.Files.
func (d *Disk) Read(name string) ([]byte, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	c := d.names[name]
	if c == nil {
		return nil, fs.ErrNotExist
	}
	return slices.Clone(c.data), d.ask("read")
}

// Create implements ledger.Files.
func (d *Disk) Create(name string) (ledger.File, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.names[name] != nil {
		return nil, fs.ErrExist
	}
	if err := d.ask("create"); err != nil {
		return nil, err
	}
	d.names[name] = &content{}
	return &file{disk: d, content: d.names[name], power: d.power}, nil
}

// Append implements ledger.Files.
func (d *Disk) Append(name string, size int64) (ledger.File, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	c := d.names[name]
	if c == nil {
		return nil, fs.ErrNotExist
	}
	if err := d.ask("append"); err != nil {
		return nil, err
	}
	c.data = c.data[:size]
	c.synced = slices.Clone(c.data)
	return &file{disk: d, content: c, power: d.power}, nil
}

// Rename implements ledger.Files. It is durable at once.
func (d *Disk) Rename(from, to string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.ask("rename"); err != nil {
		return err
	}
	for _, names := range []map[string]*content{d.names, d.durable} {
		if c := names[from]; c != nil {
			names[to] = c
			delete(names, from)
		}
	}
	return nil
}

// Remove implements ledger.Files. A power failure may bring the file back.
func (d *Disk) Remove(name string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.ask("remove"); err != nil {
		return err
	}
	delete(d.names, name)
	return nil
}

// SyncDir implements ledger.Files.
func (d *Disk) SyncDir() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.ask("syncdir"); err != nil {
		return err
	}
	d.durable = maps.Clone(d.names)
	return nil
}

type file struct {
	disk    *Disk
	content *content
	power   int
}

var errDead = errors.New("the file was opened before a power failure")

// begin asks whether an operation may be done. The disk is locked.
func (f *file) begin(op string) error {
	if f.power != f.disk.power {
		return errDead
	}
	return f.disk.ask(op)
}

func (f *file) Write(p []byte) (int, error) {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	if err := f.begin("write"); err != nil {
		if !errors.Is(err, syscall.ENOSPC) {
			return 0, err
		}
		f.content.data = append(f.content.data, p[:len(p)/2]...)
		return len(p) / 2, err
	}
	f.content.data = append(f.content.data, p...)
	return len(p), nil
}

func (f *file) Truncate(size int64) error {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	if err := f.begin("truncate"); err != nil {
		return err
	}
	f.content.data = f.content.data[:size]
	return nil
}

func (f *file) Sync() error {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	if err := f.begin("sync"); err != nil {
		return err
	}
	f.disk.syncs++
	f.content.synced = slices.Clone(f.content.data)
	return nil
}

func (f *file) Close() error { return nil }
