package delivery_test

import (
	"io"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"sync"

	"mxhook/sinks/durable"
	"mxhook/sinks/spool"
)

// spoolDisk is a spool.Files in memory: it fails when it is told to, and loses what was
// not synced when the power fails.
type spoolDisk struct {
	mu      sync.Mutex
	names   map[string]*blob // as the running process sees them
	durable map[string]*blob // as the folders were synced
	locked  bool
	power   int // how many times it failed; what was opened before is dead
	fail    func(op string) error
}

type blob struct{ data, synced []byte }

func newSpoolDisk() *spoolDisk {
	return &spoolDisk{names: map[string]*blob{}, durable: map[string]*blob{}}
}

// powerFailure leaves of each file what was synced and as much of the rest as keep
// says. Folders that were not synced are as before, or, with names, as they were seen.
func (d *spoolDisk) powerFailure(names bool, keep func(unsynced int) int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.power++
	d.locked = false
	if !names {
		d.names = d.durable
	}
	for name, b := range d.names {
		n := len(b.data) - len(b.synced)
		left := slices.Clone(b.data[:len(b.synced)+keep(n)])
		d.names[name] = &blob{left, slices.Clone(left)}
	}
	d.durable = maps.Clone(d.names)
}

// do runs an operation, unless it has to fail.
func (d *spoolDisk) do(op string, power int, f func() error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if power != d.power {
		return fs.ErrClosed
	}
	if d.fail != nil {
		if err := d.fail(op); err != nil {
			return err
		}
	}
	return f()
}

func (d *spoolDisk) now() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.power
}

func (d *spoolDisk) Lock() (io.Closer, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.locked {
		return nil, durable.ErrLocked
	}
	d.locked = true
	return spoolLock{d, d.power}, nil
}

type spoolLock struct {
	disk  *spoolDisk
	power int
}

func (l spoolLock) Close() error {
	return l.disk.do("unlock", l.power, func() error { l.disk.locked = false; return nil })
}

func (d *spoolDisk) Mkdir(string) error { return nil }

func (d *spoolDisk) List(folder string) (list []spool.Listed, err error) {
	return list, d.do("list", d.now(), func() error {
		for _, name := range slices.Sorted(maps.Keys(d.names)) {
			if base, ok := strings.CutPrefix(name, folder+"/"); ok {
				list = append(list, spool.Listed{Name: base, Size: int64(len(d.names[name].data))})
			}
		}
		return nil
	})
}

func (d *spoolDisk) Open(name string) (c spool.Content, err error) {
	return c, d.do("open", d.now(), func() error {
		b := d.names[name]
		if b == nil {
			return fs.ErrNotExist
		}
		c = readBlob{strings.NewReader(string(b.data))}
		return nil
	})
}

type readBlob struct{ *strings.Reader }

func (r readBlob) Size() (int64, error) { return r.Reader.Size(), nil }
func (r readBlob) Close() error         { return nil }

func (d *spoolDisk) Create(name string) (spool.File, error) { return d.openFile("create", name, false) }
func (d *spoolDisk) Append(name string) (spool.File, error) { return d.openFile("append", name, true) }

func (d *spoolDisk) openFile(op, name string, may bool) (f spool.File, err error) {
	return f, d.do(op, d.now(), func() error {
		switch {
		case d.names[name] == nil:
			d.names[name] = &blob{}
		case !may:
			return fs.ErrExist
		}
		f = &writtenBlob{d, d.names[name], d.power}
		return nil
	})
}

type writtenBlob struct {
	disk  *spoolDisk
	blob  *blob
	power int
}

func (f *writtenBlob) Write(p []byte) (n int, err error) {
	return len(p), f.disk.do("write", f.power, func() error { f.blob.data = append(f.blob.data, p...); return nil })
}

func (f *writtenBlob) Sync() error {
	return f.disk.do("sync", f.power, func() error { f.blob.synced = slices.Clone(f.blob.data); return nil })
}

func (f *writtenBlob) Close() error { return nil }

func (d *spoolDisk) Link(from, to string) error {
	return d.do("link", d.now(), func() error {
		switch {
		case d.names[from] == nil:
			return fs.ErrNotExist
		case d.names[to] != nil:
			return fs.ErrExist
		}
		d.names[to] = d.names[from]
		return nil
	})
}

func (d *spoolDisk) Rename(from, to string) error {
	return d.do("rename", d.now(), func() error {
		if d.names[from] == nil {
			return fs.ErrNotExist
		}
		d.names[to] = d.names[from]
		delete(d.names, from)
		return nil
	})
}

func (d *spoolDisk) Remove(name string) error {
	return d.do("remove", d.now(), func() error {
		if d.names[name] == nil {
			return fs.ErrNotExist
		}
		delete(d.names, name)
		return nil
	})
}

func (d *spoolDisk) Sync(folder string) error {
	return d.do("syncdir", d.now(), func() error {
		maps.DeleteFunc(d.durable, func(name string, _ *blob) bool { return strings.HasPrefix(name, folder+"/") })
		for name, b := range d.names {
			if strings.HasPrefix(name, folder+"/") {
				d.durable[name] = b
			}
		}
		return nil
	})
}
