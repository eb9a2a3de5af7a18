package spool

import (
	"crypto/rand"
	"errors"
	"io"
	"slices"
	"strings"
	"time"

	recording "mxhook/sinks/record"
)

func (e Entry) id() string { return itemID(e.Event.ID, e.Sink) }

// Put makes the events of one message (all have the same Data) wait for their sinks.
// When it returns nil, all are on stable storage; after an error none is. An event
// that waits already is not put again. Nothing of the events is used after it returned.
func (s *Spool) Put(entries []Entry) error {
	for _, e := range entries {
		if len(e.Event.Recipients) == 0 || e.Sink == "" || e.Event.Data != entries[0].Event.Data {
			return storageError(errNotBatch)
		}
	}
	taken := s.take(entries)
	if len(taken) == 0 {
		return nil
	}
	defer s.leave(taken)
	err := s.put(taken)
	switch {
	case err == nil:
		s.ring()
		return nil
	case !ours(err):
		s.storage.failed(s.log, err)
	}
	return storageError(err)
}

var errNotBatch = errors.New("not the events of one message")

// take takes the entries that don't wait yet, once each. It waits for those that
// another Put has under way, and then looks again.
func (s *Spool) take(entries []Entry) (taken []Entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := 0; i < len(entries); i++ {
		if busy := s.putting[entries[i].id()]; busy != nil {
			s.mu.Unlock()
			<-busy
			s.mu.Lock()
			i = -1
		}
	}
	for _, e := range entries {
		if s.waiting[e.id()] == nil && s.putting[e.id()] == nil {
			s.putting[e.id()] = make(chan struct{})
			taken = append(taken, e)
		}
	}
	return taken
}

// leave lets others put these entries.
func (s *Spool) leave(taken []Entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range taken {
		close(s.putting[e.id()])
		delete(s.putting, e.id())
	}
}

// put writes a batch and lets it wait.
func (s *Spool) put(entries []Entry) error {
	dead, release := s.holdDead(entries)
	defer release()
	if len(dead) > 0 {
		entries = s.notWaiting(entries) // a Replay may have had the dead event
	}
	if len(entries) == 0 {
		return nil
	}
	data := entries[0].Event.Data
	h := head{Schema: WaitingSchema, SpooledAt: s.after(dead), Raw: recording.NewRaw(data)}
	for _, e := range entries {
		h.Events = append(h.Events, newEntry(e))
	}
	f := newFacts(entries[0].Event)
	h.ReversePath = clean(entries[0].Event.Mail.ReversePath.String())
	if m := entries[0].Event.Message; m != nil {
		h.MessageID = clean(m.MessageID)
	}
	text, err := encodeBatch(h, f)
	if err != nil {
		return err
	}
	need := data.Size() + int64(len(text))
	if err := s.reserve(need); err != nil {
		return err
	}
	b := &batch{name: newName(h.SpooledAt)}
	if err := s.writeBatch(b, text, func() (string, error) {
		return s.write(waitingFolder, func(w io.Writer) error {
			_, err := io.Copy(w, data.Open())
			return err
		})
	}); err != nil {
		s.count(-need)
		return err
	}
	b.bytes = need
	s.storage.well(s.log)
	s.supersede(dead) // before an attempt can bury it anew
	s.enter(b, h)
	return nil
}

// holdDead returns and holds the dead events of the same ids, until release.
func (s *Spool) holdDead(entries []Entry) (dead []string, release func()) {
	s.mu.Lock()
	for _, e := range entries {
		if _, known := s.dead[e.id()]; known {
			dead = append(dead, e.id())
		}
	}
	s.mu.Unlock()
	slices.Sort(dead) // so that no two wait for each other
	var releases []func()
	for _, id := range dead {
		releases = append(releases, s.hold(id))
	}
	return dead, func() {
		for _, r := range releases {
			r()
		}
	}
}

// notWaiting returns the entries that don't wait.
func (s *Spool) notWaiting(entries []Entry) []Entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(entries), func(e Entry) bool { return s.waiting[e.id()] != nil })
}

// after returns the moment of spooling: now, and after the burial of these dead events,
// so that of two states of an event the newer is known.
func (s *Spool) after(dead []string) time.Time {
	now := time.Now()
	for _, id := range dead {
		if at := s.burial(id); !now.After(at) {
			now = at.Add(time.Microsecond)
		}
	}
	return now.UTC()
}

// newName returns a name for a batch. Names sort by time.
func newName(at time.Time) string {
	return at.UTC().Format("20060102T150405.000000Z") + "-" + strings.ToLower(rand.Text()[:10])
}

func encodeBatch(h head, f facts) ([]byte, error) {
	first, err := encode(h)
	if err != nil {
		return nil, err
	}
	second, err := encode(f)
	return slices.Concat(first, second), err
}

// writeBatch makes the files of a batch durable; message makes the file of its bytes,
// durable but for its name. After an error they are not there, or, when the folder
// can't be synced nor a file removed, may come back after a crash: nobody was told
// that they wait, and the resend then has the same id.
func (s *Spool) writeBatch(b *batch, text []byte, message func() (string, error)) error {
	var emlErr, textErr error
	var eml, meta string
	done := make(chan struct{})
	go func() { // the two fsyncs share what the file system does for one
		defer close(done)
		meta, textErr = s.write(waitingFolder, func(w io.Writer) error {
			_, err := w.Write(text)
			return err
		})
	}()
	eml, emlErr = message()
	<-done
	if err := errors.Join(emlErr, textErr); err != nil {
		s.removeNamed(eml, meta)
		return err
	}
	err := s.files.Rename(eml, b.file(".eml"))
	if err == nil {
		err = s.files.Rename(meta, b.file(".json"))
	}
	if err == nil {
		err = s.waitings.wait()
	}
	if err != nil {
		s.removeNamed(b.file(".json"), b.file(".eml"), eml, meta)
	}
	return err
}

func (s *Spool) removeNamed(names ...string) {
	for _, n := range names {
		if n != "" {
			s.files.Remove(n)
		}
	}
}

// enter puts a batch that is on stable storage into the index; its events are due.
func (s *Spool) enter(b *batch, h head) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	for _, e := range s.index(b, h) {
		e.due = now
		s.enqueue(e)
	}
}

// index fills b from h and returns its events. s.mu is held.
func (s *Spool) index(b *batch, h head) (list []*event) {
	b.spooledAt, b.reversePath, b.messageID = h.SpooledAt, h.ReversePath, h.MessageID
	b.size, b.digest = h.Raw.Size, h.Raw.SHA256
	b.left = len(h.Events)
	for _, x := range h.Events {
		e := &event{id: itemID(x.ID, x.Sink), event: x.ID, batch: b, sink: s.lane(x.Sink).sink, route: x.Route, remembered: x.Units != nil}
		for _, r := range x.Recipients {
			e.recipients = append(e.recipients, addressOf(r))
		}
		list = append(list, e)
	}
	return list
}
