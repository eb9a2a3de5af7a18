package spool

import (
	"cmp"
	"encoding/json"
	"errors"
	"io"
	"net/url"
	"os"
	"strings"
	"time"

	"mxhook/sinks"
)

// deadFile returns the name of a dead event's file.
func deadFile(id, suffix string) string { return deadFolder + "/" + url.PathEscape(id) + suffix }

// Bury keeps an event that sink refused with o as a dead one. When it returns nil it
// is on stable storage; an event that is kept already, waiting or dead, is not kept
// again.
func (s *Spool) Bury(e *sinks.Event, sink string, o sinks.Outcome) error {
	id := itemID(e.ID, sink)
	release := s.hold(id)
	defer release()
	if s.keeps(id) {
		return nil
	}
	r := newDead(e, sink, o)
	err := s.bury(id, r, func() (string, error) {
		return s.write(deadFolder, func(w io.Writer) error {
			_, err := io.Copy(w, e.Data.Open())
			return err
		})
	}, true)
	switch {
	case err == nil:
		s.storage.well(s.log)
		return nil
	case !ours(err):
		s.storage.failed(s.log, err)
	}
	return storageError(err)
}

// keeps tells whether an event waits, or is a dead one whose files a person hasn't
// moved away.
func (s *Spool) keeps(id string) bool {
	s.mu.Lock()
	waits := s.waiting[id] != nil
	_, dead := s.dead[id]
	s.mu.Unlock()
	if waits || !dead {
		return waits
	}
	if _, err := s.readDead(id); err == nil {
		return true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.uncount(id)
	return false
}

// hold waits until nobody has the dead event of an id under way, and takes it.
func (s *Spool) hold(id string) (release func()) {
	key := deadFolder + "/" + id
	s.mu.Lock()
	defer s.mu.Unlock()
	for busy := s.putting[key]; busy != nil; busy = s.putting[key] {
		s.mu.Unlock()
		<-busy
		s.mu.Lock()
	}
	done := make(chan struct{})
	s.putting[key] = done
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.putting, key)
		close(done)
	}
}

// bury writes a dead event; message makes the file of its bytes under a temporary
// name. bounded says whether it counts against
// the bound: what moves from waiting to dead doesn't. After an error it is not there.
func (s *Spool) bury(id string, r record, message func() (string, error), bounded bool) error {
	r.BuriedAt = time.Now().UTC()
	if !r.BuriedAt.After(r.SpooledAt) {
		r.BuriedAt = r.SpooledAt.Add(time.Microsecond)
	}
	text, err := encodeDead(r)
	if err != nil {
		return err
	}
	need := r.Raw.Size + int64(len(text))
	if bounded {
		s.makeRoom(r.Sink, need)
		err = s.reserve(need)
	} else {
		s.count(need)
	}
	if err != nil {
		return err
	}
	if err := s.writeDead(id, text, message); err != nil {
		s.count(-need)
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.enlist(id, need)
	return nil
}

func (s *Spool) writeDead(id string, text []byte, message func() (string, error)) error {
	if err := s.files.Mkdir(deadFolder); err != nil {
		return err
	}
	eml, err := message()
	if err != nil {
		return err
	}
	meta, err := s.write(deadFolder, func(w io.Writer) error {
		_, err := w.Write(text)
		return err
	})
	if err == nil {
		err = s.files.Rename(eml, deadFile(id, ".eml"))
	}
	if err == nil {
		err = s.files.Rename(meta, deadFile(id, ".json"))
	}
	if err == nil {
		err = s.deads.wait()
	}
	if err != nil {
		s.removeNamed(meta, deadFile(id, ".json"), deadFile(id, ".eml"))
	}
	s.removeNamed(eml) // also a link that the rename left, being the same file as its target
	return err
}

// linked makes a second name of a file under a temporary name, or a copy where there
// are no links.
func (s *Spool) linked(from, folder string) (string, error) {
	name := tempName(folder)
	if s.files.Link(from, name) == nil {
		return name, nil
	}
	f, err := s.files.Open(from)
	if err != nil {
		return "", err
	}
	defer f.Close()
	size, err := f.Size()
	if err != nil {
		return "", err
	}
	return s.write(folder, func(w io.Writer) error {
		_, err := io.Copy(w, io.NewSectionReader(f, 0, size))
		return err
	})
}

// exhume removes dead events for good and forgets them: the record first, so that a
// crash never leaves one without its bytes.
func (s *Spool) exhume(ids ...string) error {
	var err error
	for _, id := range ids {
		err = cmp.Or(err, s.remove(deadFile(id, ".json")))
	}
	if err == nil && len(ids) > 0 {
		err = s.deads.wait()
	}
	if err != nil {
		return err
	}
	for _, id := range ids {
		s.remove(deadFile(id, ".eml")) // without its record it is litter, which the next start removes
		s.mu.Lock()
		s.uncount(id)
		s.mu.Unlock()
	}
	return nil
}

// supersede removes dead events whose ids wait again. Where that fails, the next start
// does it, since the waiting ones are newer.
func (s *Spool) supersede(ids []string) {
	if err := s.exhume(ids...); err != nil {
		s.log.Warn("dead event not removed though it waits again", "ids", ids)
	}
}

// burial returns when a dead event was buried; zero when there is none, or it can't be
// read.
func (s *Spool) burial(id string) time.Time {
	r, _ := s.readDead(id)
	return r.BuriedAt
}

// readDead reads a dead event's record. One without a seal, of an earlier version or
// changed by a person, is believed.
func (s *Spool) readDead(id string) (r record, err error) {
	text, err := s.read(deadFile(id, ".json"))
	if err != nil {
		return r, err
	}
	var had struct{ Sum *string }
	if json.Unmarshal(text, &had) != nil || json.Unmarshal(text, &r) != nil || had.Sum != nil && !sealed(text, sealText) {
		return record{}, errRecord
	}
	return r, nil
}

// read returns a file's octets.
func (s *Spool) read(name string) ([]byte, error) {
	f, err := s.files.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	size, err := f.Size()
	if err != nil {
		return nil, err
	}
	b := make([]byte, size)
	n, err := f.ReadAt(b, 0)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return b[:n], err
}

// deadID returns the item id of a dead event's file.
func deadID(name, suffix string) (string, bool) {
	if suffix != ".json" && suffix != ".eml" {
		return "", false
	}
	name, ok := strings.CutSuffix(name, suffix)
	if !ok || strings.HasPrefix(name, tempPrefix) {
		return "", false
	}
	id, err := url.PathUnescape(name)
	_, sink, found := strings.Cut(id, ".")
	return id, err == nil && found && sink != ""
}

func missing(err error) bool { return errors.Is(err, os.ErrNotExist) }
