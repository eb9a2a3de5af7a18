package durable

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// probeSize is what Probe writes: more than a file system keeps beside a file's name.
const probeSize = 16 << 10

// Probe tells whether files can be written to dir now as WriteFile does it, and leaves
// nothing behind. Where dir is missing, the nearest folder above it that is there is
// tried, since MkdirAll would begin there.
func Probe(dir string) error {
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if parent := filepath.Dir(filepath.Clean(dir)); parent != filepath.Clean(dir) {
			return Probe(parent)
		}
		return err
	case err != nil:
		return err
	case !info.IsDir():
		return &fs.PathError{Op: "mkdir", Path: dir, Err: syscall.ENOTDIR}
	}
	f, err := os.CreateTemp(dir, tempPrefix+"*.tmp")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(make([]byte, probeSize))
	if err == nil {
		err = f.Sync()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return err
	}
	renamed := f.Name() + ".2"
	if err := os.Rename(f.Name(), renamed); err != nil {
		return err
	}
	defer SyncDir(dir)
	defer os.Remove(renamed)
	return SyncDir(dir)
}
