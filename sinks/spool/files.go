package spool

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"mxhook/sinks/durable"
)

// The folders under the state folder.
const (
	waitingFolder = "spool"
	deadFolder    = "dead"
)

// Files is what the spool keeps its files in. Names are "FOLDER/FILE", FOLDER one of
// "spool" and "dead". It is a folder of the operating system, or one of a test that
// loses what was not synced and fails when told to (spooltest.Disk).
type Files interface {
	// Lock takes everything until Close; durable.ErrLocked says that somebody has it.
	Lock() (io.Closer, error)
	// Mkdir makes a folder, durably, if it is missing.
	Mkdir(folder string) error
	// List returns the files of a folder; none when the folder is missing.
	List(folder string) ([]Listed, error)
	Open(name string) (Content, error)
	// Create makes a new file. Content is durable after its Sync, the name after the
	// folder's.
	Create(name string) (File, error)
	// Append opens a file at its end, and makes it if it is missing.
	Append(name string) (File, error)
	Link(from, to string) error
	Rename(from, to string) error
	Remove(name string) error
	Sync(folder string) error
}

// Listed is a file in a folder.
type Listed struct {
	Name     string // without the folder
	Size     int64  // octets
	Modified time.Time
}

// Content is a file that is read.
type Content interface {
	io.ReaderAt
	io.Closer
	Size() (int64, error)
}

// File is a file that is written.
type File interface {
	io.WriteCloser
	Sync() error
}

var errNotFolder = errors.New("not a folder")

// folder is the state folder of the operating system.
type folder string

func (d folder) path(name string) string { return filepath.Join(string(d), filepath.FromSlash(name)) }

func (d folder) Lock() (io.Closer, error) { return durable.Lock(d.path(waitingFolder + "/lock")) }

func (d folder) Mkdir(name string) error { return durable.MkdirAll(d.path(name)) }

func (d folder) List(name string) ([]Listed, error) {
	f, err := os.Open(d.path(name))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && !info.IsDir() {
		return nil, errNotFolder
	}
	entries, err := f.ReadDir(-1)
	list := make([]Listed, len(entries))
	each(len(entries), func(i int) {
		if !entries[i].Type().IsRegular() {
			return
		}
		if info, err := entries[i].Info(); err == nil { // gone meanwhile otherwise
			list[i] = Listed{Name: entries[i].Name(), Size: info.Size(), Modified: info.ModTime()}
		}
	})
	return slices.DeleteFunc(list, func(l Listed) bool { return l.Name == "" }), err
}

type content struct{ *os.File }

func (c content) Size() (int64, error) {
	info, err := c.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

func (d folder) Open(name string) (Content, error) {
	f, err := os.Open(d.path(name))
	if err != nil {
		return nil, err
	}
	return content{f}, nil
}

func (d folder) Create(name string) (File, error) {
	return os.OpenFile(d.path(name), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
}

func (d folder) Append(name string) (File, error) {
	return os.OpenFile(d.path(name), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
}

func (d folder) Link(from, to string) error   { return os.Link(d.path(from), d.path(to)) }
func (d folder) Rename(from, to string) error { return os.Rename(d.path(from), d.path(to)) }
func (d folder) Remove(name string) error     { return os.Remove(d.path(name)) }
func (d folder) Sync(name string) error       { return durable.SyncDir(d.path(name)) }
