package spool

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"sync"
)

// loadDead lists the dead events; their records are read when they are asked for.
func (s *Spool) loadDead() error {
	files, err := s.files.List(deadFolder)
	if err != nil {
		if errors.Is(err, errNotFolder) {
			s.log.Error("dead events can't be kept", "problem", "the folder dead is a file")
			return nil
		}
		return err
	}
	sizes := map[string]int64{}
	slices.SortFunc(files, func(a, b Listed) int { return a.Modified.Compare(b.Modified) })
	for _, f := range files {
		sizes[f.Name] = f.Size
	}
	for _, f := range files {
		name, size := f.Name, f.Size
		base, suffix := cutSuffix(name)
		id, ok := deadID(name, suffix)
		octets, whole := sizes[base+map[string]string{".json": ".eml", ".eml": ".json"}[suffix]]
		switch {
		case isTemporary(name):
			s.files.Remove(deadFolder + "/" + name)
		case !ok:
			// A person's.
		case !whole:
			s.log.Warn("half a dead event removed, nobody was told that it is kept, or it was removed", "file", name)
			s.files.Remove(deadFolder + "/" + name)
		case suffix == ".json":
			s.enlist(id, size+octets)
			s.bytes += size + octets
		}
	}
	return nil
}

func isTemporary(name string) bool {
	return strings.HasPrefix(name, tempPrefix) && strings.HasSuffix(name, tempSuffix)
}

// pair finds the batches among files, and removes what a crash left of others.
func (s *Spool) pair(files []Listed) (batches []*loaded) {
	type trio struct {
		eml, meta, log bool
		bytes          int64
	}
	names := map[string]*trio{}
	for _, f := range files {
		base, suffix := cutSuffix(f.Name)
		switch {
		case isTemporary(f.Name):
			s.files.Remove(waitingFolder + "/" + f.Name)
			continue
		case suffix == "":
			if strings.HasSuffix(f.Name, damagedSuffix) {
				s.bytes += f.Size
			}
			continue
		}
		t := names[base]
		if t == nil {
			t = &trio{}
			names[base] = t
		}
		t.bytes += f.Size
		t.eml = t.eml || suffix == ".eml"
		t.meta = t.meta || suffix == ".json"
		t.log = t.log || suffix == ".log"
	}
	for base, t := range names {
		b := &batch{name: base, bytes: t.bytes}
		if t.eml && t.meta {
			l := &loaded{batch: b}
			if t.log {
				l.log = map[string]progress{}
			}
			batches = append(batches, l)
			continue
		}
		s.log.Warn("half a batch removed: it was not acknowledged, or is done", "batch", base)
		s.removeNamed(b.file(".json"), b.file(".eml"), b.file(".log"))
	}
	return batches
}

func cutSuffix(name string) (base, suffix string) {
	for _, suffix := range []string{".eml", ".json", ".log"} {
		if base, ok := strings.CutSuffix(name, suffix); ok && base != "" {
			return base, suffix
		}
	}
	return name, ""
}

// readHeads reads heads and logs, several at a time.
func (s *Spool) readHeads(batches []*loaded) {
	buffers := sync.Pool{New: func() any { return new([4096]byte) }}
	each(len(batches), func(i int) {
		l := batches[i]
		buffer := buffers.Get().(*[4096]byte)
		l.head, l.err = s.readHead(l.batch, buffer[:])
		buffers.Put(buffer)
		if l.err == nil && l.log != nil {
			l.log = s.readLog(l.batch)
		}
	})
}

// each calls do for 0 to n-1, in a few goroutines.
func each(n int, do func(i int)) {
	const crowd = 16
	var wg sync.WaitGroup
	for g := range min(crowd, n) {
		wg.Go(func() {
			for i := g; i < n; i += crowd {
				do(i)
			}
		})
	}
	wg.Wait()
}

// readHead reads the first line of a batch's record, with the help of buffer.
func (s *Spool) readHead(b *batch, buffer []byte) (h head, err error) {
	f, err := s.files.Open(b.file(".json"))
	if err != nil {
		return h, err
	}
	defer f.Close()
	n, err := f.ReadAt(buffer, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return h, err
	}
	line, _, whole := bytes.Cut(buffer[:n], []byte{'\n'})
	if !whole && err == nil { // there is more
		text, err := s.read(b.file(".json"))
		if err != nil {
			return h, err
		}
		line, _, _ = bytes.Cut(text, []byte{'\n'})
	}
	if !decode(line, &h) || h.Schema != WaitingSchema || len(h.Events) == 0 {
		return h, errRecord
	}
	return h, nil
}

const damagedSuffix = ".damaged"

// setAside keeps files that can't be read from being read again.
func (s *Spool) setAside(b *batch) {
	s.log.Error("spooled message set aside, its record is damaged: look at it and deliver it by hand", "batch", b.name)
	s.bytes += b.bytes
	for _, suffix := range []string{".json", ".eml", ".log"} {
		if err := s.files.Rename(b.file(suffix), b.file(suffix)+damagedSuffix); err != nil && !missing(err) {
			s.log.Error("file not set aside", "batch", b.name, "suffix", suffix)
		}
	}
}
