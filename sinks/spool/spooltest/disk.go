// Package spooltest has a disk for tests: it keeps files in memory, loses what was not
// synced when the power fails, in the worst order, and fails when it is told to.
package spooltest

import (
	"errors"
	"io"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"sync"
	"syscall"

	"mxhook/sinks/durable"
	"mxhook/sinks/spool"
)

// Disk is a spool.Files. It is safe for concurrent use.
type Disk struct {
	mu      sync.Mutex
	names   map[string]*inode // as the running process sees them
	durable map[string]*inode // as a power failure leaves them at least
	locked  bool
	power   int // how many times it failed; what was opened before is dead
	steps   int // operations that change something
	die     int // the process is dead after so many; -1 never
	// fail is asked before each operation: "mkdir", "list", "open", "read", "create",
	// "append", "write", "sync", "link", "rename", "remove", "syncdir".
	fail func(op, name string) error
}

type inode struct{ data, synced []byte }

// NewDisk returns an empty Disk.
func NewDisk() *Disk {
	return &Disk{names: map[string]*inode{}, durable: map[string]*inode{}, die: -1}
}

// ErrDead is what everything fails with when the process is dead.
var ErrDead = errors.New("spooltest: the process is dead")

// Fail sets what is asked before each operation; nil lets all succeed. A "write" that
// fails with syscall.ENOSPC has written half of its octets.
func (d *Disk) Fail(f func(op, name string) error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fail = f
}

// Die lets the process die after n more steps: nothing has an effect any more, until
// PowerFailure.
func (d *Disk) Die(n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.steps, d.die = 0, n
}

// Step counts a step of something else that dies with the process, and tells whether
// it may be done.
func (d *Disk) Step() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.step("step", "")
}

// Dead tells whether the process has died.
func (d *Disk) Dead() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.die >= 0 && d.steps > d.die
}

// step begins an operation. d is locked.
func (d *Disk) step(op, name string) error {
	if op != "list" && op != "open" && op != "read" {
		d.steps++
	}
	if d.die >= 0 && d.steps > d.die {
		return ErrDead
	}
	if d.fail == nil {
		return nil
	}
	return d.fail(op, name)
}

// PowerFailure ends the process: locks are gone and open files are dead. What was
// synced is left. newer says of each name that was made, changed or removed since its
// folder was synced whether that is left, too; keep, how many of a file's unsynced octets
// are.
func (d *Disk) PowerFailure(newer func(name string) bool, keep func(unsynced int) int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.power++
	d.locked, d.die, d.fail = false, -1, nil
	all := maps.Clone(d.durable)
	maps.Copy(all, d.names)
	after := map[string]*inode{}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		node := d.durable[name]
		if now := d.names[name]; now != node && newer(name) {
			node = now
		}
		if node != nil {
			after[name] = node
		}
	}
	done := map[*inode]bool{}
	for _, name := range slices.Sorted(maps.Keys(after)) {
		if n := after[name]; !done[n] {
			done[n] = true
			left := slices.Clone(n.synced)
			if unsynced := len(n.data) - len(n.synced); unsynced > 0 {
				left = slices.Clone(n.data[:len(n.synced)+keep(unsynced)])
			}
			n.data, n.synced = left, slices.Clone(left)
		}
	}
	d.names, d.durable = after, maps.Clone(after)
}

// Names returns the files.
func (d *Disk) Names() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Sorted(maps.Keys(d.names))
}

// Data returns the octets of a file, to be changed in place.
func (d *Disk) Data(name string) []byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.names[name].data
}

// Put makes a file, durably; nil data removes it.
func (d *Disk) Put(name string, data []byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if data == nil {
		delete(d.names, name)
		delete(d.durable, name)
		return
	}
	n := &inode{data: data, synced: slices.Clone(data)}
	d.names[name], d.durable[name] = n, n
}

// Lock implements spool.Files.
func (d *Disk) Lock() (io.Closer, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.locked {
		return nil, durable.ErrLocked
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

// Mkdir implements spool.Files.
func (d *Disk) Mkdir(folder string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.step("mkdir", folder)
}

// List implements spool.Files.
func (d *Disk) List(folder string) (list []spool.Listed, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for name, n := range d.names {
		if base, ok := strings.CutPrefix(name, folder+"/"); ok {
			list = append(list, spool.Listed{Name: base, Size: int64(len(n.data))})
		}
	}
	return list, d.step("list", folder)
}

// Create implements spool.Files.
func (d *Disk) Create(name string) (spool.File, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.names[name] != nil {
		return nil, fs.ErrExist
	}
	if err := d.step("create", name); err != nil {
		return nil, err
	}
	d.names[name] = &inode{}
	return &file{d, name, d.names[name], d.power}, nil
}

// Append implements spool.Files.
func (d *Disk) Append(name string) (spool.File, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.step("append", name); err != nil {
		return nil, err
	}
	if d.names[name] == nil {
		d.names[name] = &inode{}
	}
	return &file{d, name, d.names[name], d.power}, nil
}

// Open implements spool.Files.
func (d *Disk) Open(name string) (spool.Content, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := d.names[name]
	if n == nil {
		return nil, fs.ErrNotExist
	}
	if err := d.step("open", name); err != nil {
		return nil, err
	}
	return &file{d, name, n, d.power}, nil
}

// Link implements spool.Files.
func (d *Disk) Link(from, to string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch n := d.names[from]; {
	case n == nil:
		return fs.ErrNotExist
	case d.names[to] != nil:
		return fs.ErrExist
	}
	if err := d.step("link", to); err != nil {
		return err
	}
	d.names[to] = d.names[from]
	return nil
}

// Rename implements spool.Files. Of two names of one file it does nothing, as POSIX
// says.
func (d *Disk) Rename(from, to string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := d.names[from]
	if n == nil {
		return fs.ErrNotExist
	}
	if err := d.step("rename", to); err != nil {
		return err
	}
	if d.names[to] != n {
		d.names[to] = n
		delete(d.names, from)
	}
	return nil
}

// Remove implements spool.Files.
func (d *Disk) Remove(name string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.names[name] == nil {
		return fs.ErrNotExist
	}
	if err := d.step("remove", name); err != nil {
		return err
	}
	delete(d.names, name)
	return nil
}

// Sync implements spool.Files.
func (d *Disk) Sync(folder string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.step("syncdir", folder); err != nil {
		return err
	}
	in := func(name string, _ *inode) bool { return strings.HasPrefix(name, folder+"/") }
	maps.DeleteFunc(d.durable, in)
	for name, n := range d.names {
		if in(name, n) {
			d.durable[name] = n
		}
	}
	return nil
}

type file struct {
	disk  *Disk
	name  string
	node  *inode
	power int
}

func (f *file) begin(op string) error {
	if f.power != f.disk.power {
		return ErrDead
	}
	return f.disk.step(op, f.name)
}

func (f *file) Write(p []byte) (int, error) {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	if err := f.begin("write"); err != nil {
		if !errors.Is(err, syscall.ENOSPC) {
			return 0, err
		}
		f.node.data = append(f.node.data, p[:len(p)/2]...)
		return len(p) / 2, err
	}
	f.node.data = append(f.node.data, p...)
	return len(p), nil
}

func (f *file) Sync() error {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	if err := f.begin("sync"); err != nil {
		return err
	}
	f.node.synced = slices.Clone(f.node.data)
	return nil
}

func (f *file) ReadAt(p []byte, off int64) (int, error) {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	if err := f.begin("read"); err != nil {
		return 0, err
	}
	if off >= int64(len(f.node.data)) {
		return 0, io.EOF
	}
	n := copy(p, f.node.data[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (f *file) Size() (int64, error) {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	return int64(len(f.node.data)), nil
}

func (f *file) Close() error { return nil }
