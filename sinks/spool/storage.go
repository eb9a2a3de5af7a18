package spool

import (
	"crypto/rand"
	"errors"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"

	"mxhook/sinks/durable"
)

// probeEvery is how soon a storage that failed is tried again.
const probeEvery = time.Second

// storage knows whether the last write succeeded.
type storage struct {
	mu    sync.Mutex
	err   error
	tried time.Time
	busy  bool // somebody tries
}

// failed remembers a write's error, and well that one succeeded.
func (t *storage) failed(log *slog.Logger, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.err == nil {
		log.Error("spool can't be written, mail that needs it is deferred", "error", durable.Reason(err))
	}
	t.err, t.tried = err, time.Now()
}

func (t *storage) well(log *slog.Logger) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.err != nil {
		log.Info("spool can be written again")
	}
	t.err = nil
}

func (t *storage) bad() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.err != nil
}

// usable returns the last error, after it has tried again if that is due.
func (t *storage) usable(log *slog.Logger, probe func() error) error {
	t.mu.Lock()
	err := t.err
	if err == nil || t.busy || time.Since(t.tried) < probeEvery {
		t.mu.Unlock()
		return err
	}
	t.busy = true
	t.mu.Unlock()
	err = probe()
	if err != nil {
		t.failed(log, err)
	} else {
		t.well(log)
	}
	t.mu.Lock()
	t.busy = false
	t.mu.Unlock()
	return err
}

// probe tries whether the storage takes a file.
func (s *Spool) probe() error {
	s.mu.Lock()
	opened := s.lock != nil
	s.mu.Unlock()
	if !opened {
		if err := s.open(); err != nil {
			return err
		}
		s.ring()
	}
	name, err := s.write(waitingFolder, func(w io.Writer) error {
		_, err := w.Write(make([]byte, 4096))
		return err
	})
	if err != nil {
		return err
	}
	return s.files.Remove(name)
}

const (
	tempPrefix = ".mxhook-"
	tempSuffix = ".tmp"
)

func tempName(folder string) string {
	return folder + "/" + tempPrefix + strings.ToLower(rand.Text()) + tempSuffix
}

// write makes a file of what fill writes, under a temporary name, and syncs it. After
// an error it is not there.
func (s *Spool) write(folder string, fill func(io.Writer) error) (name string, err error) {
	name = tempName(folder)
	f, err := s.files.Create(name)
	if err != nil {
		return "", err
	}
	if err = fill(f); err == nil {
		err = f.Sync()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		s.files.Remove(name)
		return "", err
	}
	return name, nil
}

// remove removes files; one that isn't there is removed. It returns the first error.
func (s *Spool) remove(names ...string) (first error) {
	for _, name := range names {
		if err := s.files.Remove(name); err != nil && !errors.Is(err, os.ErrNotExist) && first == nil {
			first = err
		}
	}
	return first
}
