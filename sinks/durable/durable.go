// Package durable writes files that are there after a power failure once it has
// said so: the content is fsynced before the file gets its name, and the folder is
// fsynced after. A reader sees the old file or the whole new one, never a part.
//
// Errors are those of the file system (*fs.PathError, *os.LinkError), for errors.Is
// with syscall.ENOSPC and the like. It is safe for concurrent use, also for one
// name: the last rename wins.
package durable

import (
	"cmp"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// tempPrefix marks a file that a crash left half written. Nothing reads it.
const tempPrefix = ".mxhook-"

// ErrLocked says that another process has what Lock was asked for.
var ErrLocked = errors.New("in use by another process")

// WriteFile makes the file name in dir of what write writes, mode 0600. When it
// returns nil, content and name are on stable storage. On an error nothing is left
// but what was there before, unless the folder's own fsync failed, where the new
// file stands under its name but may be gone after a crash.
func WriteFile(dir, name string, write func(io.Writer) error) error {
	return File{Dir: dir, Name: name}.Write(write)
}

// File is a file to be written as WriteFile does it. Dir and Name are needed.
type File struct {
	Dir, Name string
	// Temp is the folder of the temporary file, on the same file system; default Dir. With
	// another one Dir need not be there before write has returned.
	Temp string
	Perm fs.FileMode // default 0600; the umask has no say
}

// Write makes the file of what write writes, see WriteFile.
func (t File) Write(write func(io.Writer) error) error {
	if t.Name == "" || t.Name == "." || t.Name == ".." || strings.ContainsRune(t.Name, filepath.Separator) {
		return &fs.PathError{Op: "create", Path: t.Name, Err: fs.ErrInvalid}
	}
	f, err := os.CreateTemp(cmp.Or(t.Temp, t.Dir), tempPrefix+"*.tmp")
	if err != nil {
		return err
	}
	named := false
	defer func() {
		if !named { // also when write panics
			os.Remove(f.Name())
		}
	}()
	if err := fill(f, t.Perm, write); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), filepath.Join(t.Dir, t.Name)); err != nil {
		return err
	}
	named = true
	return SyncDir(t.Dir)
}

// fill writes, syncs and closes f, whose mode is 0600 unless perm says another.
func fill(f *os.File, perm fs.FileMode, write func(io.Writer) error) (err error) {
	defer func() {
		if closeErr := f.Close(); err == nil {
			err = closeErr
		}
	}()
	if perm != 0 {
		if err := f.Chmod(perm); err != nil {
			return err
		}
	}
	if err := write(f); err != nil {
		return err
	}
	return f.Sync()
}

// SyncDir makes the names in dir durable. A file system that can't sync folders
// (EINVAL) has nothing to be waited for.
func SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := d.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) {
		return err
	}
	return nil
}

// MkdirAll makes dir and its missing parents, mode 0700, durably.
func MkdirAll(dir string) error {
	info, err := os.Stat(dir)
	switch {
	case err == nil && info.IsDir():
		return nil
	case err == nil:
		return &fs.PathError{Op: "mkdir", Path: dir, Err: syscall.ENOTDIR}
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	parent := filepath.Dir(filepath.Clean(dir))
	if err := MkdirAll(parent); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return SyncDir(parent)
}

// IsStorage tells whether err says that the storage can't take more now: no space,
// quota, file size limit, I/O error, or a file system that turned read-only.
func IsStorage(err error) bool {
	for _, e := range []error{syscall.ENOSPC, syscall.EDQUOT, syscall.EFBIG, syscall.EIO, syscall.EROFS, syscall.ENOMEM} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// Reason says in words without paths why a write failed, for logs and errors.
func Reason(err error) string {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return errno.Error()
	}
	switch {
	case errors.Is(err, fs.ErrInvalid):
		return "invalid name"
	case errors.Is(err, io.ErrShortWrite):
		return "short write"
	}
	return "write failed"
}
