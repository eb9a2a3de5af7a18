package spool

import (
	"bytes"
	"errors"
	"io"

	"mxhook/inbound"
	"mxhook/sinks"
	recording "mxhook/sinks/record"
)

var errBytes = errors.New("the message's bytes are damaged")

// prepare makes the event from its files. The record is returned as far as it is
// known, with an error too.
func (s *Spool) prepare(e *event) (*sinks.Event, record, error) {
	s.parsing <- struct{}{}
	defer func() { <-s.parsing }()
	r, err := s.readWaiting(e)
	if err != nil {
		return nil, r, err
	}
	data, err := s.openMessage(e.batch.file(".eml"), r.Raw)
	if err != nil {
		return nil, r, err
	}
	ev, err := r.event(data)
	if err != nil {
		data.Release()
	}
	return ev, r, err
}

// prepareDead makes the event of a dead one.
func (s *Spool) prepareDead(id string) (*sinks.Event, error) {
	s.parsing <- struct{}{}
	defer func() { <-s.parsing }()
	r, err := s.readDead(id)
	if err != nil {
		return nil, err
	}
	data, err := s.openMessage(deadFile(id, ".eml"), r.Raw)
	if err != nil {
		return nil, err
	}
	ev, err := r.event(data)
	if err != nil {
		data.Release()
	}
	return ev, err
}

// openMessage opens a message and checks that it is the one that was kept.
func (s *Spool) openMessage(name string, want recording.Raw) (*inbound.MailData, error) {
	f, err := s.files.Open(name)
	if missing(err) {
		return nil, errBytes
	}
	if err != nil {
		return nil, err
	}
	size, err := f.Size()
	if err == nil && size != want.Size {
		err = errBytes
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	data, err := inbound.OpenMailData(f, size)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, errBytes
	}
	if err != nil {
		return nil, err
	}
	if !want.Is(data) {
		data.Release()
		return nil, errBytes
	}
	return data, nil
}

// readWaiting returns the record of a waiting event. After errRecord it holds what the
// index knows.
func (s *Spool) readWaiting(e *event) (record, error) {
	b := e.batch
	r := record{Schema: DeadSchema, ID: e.event, Sink: e.sink, Route: e.route, SpooledAt: b.spooledAt,
		MessageID: b.messageID, Raw: recording.Raw{Size: b.size, SHA256: b.digest}}
	text, err := s.read(b.file(".json"))
	if missing(err) {
		return r, errRecord
	}
	if err != nil {
		return r, err
	}
	first, rest, _ := bytes.Cut(text, []byte{'\n'})
	second, _, _ := bytes.Cut(rest, []byte{'\n'})
	var h head
	if !decode(first, &h) {
		return r, errRecord
	}
	found := false
	for _, x := range h.Events {
		if itemID(x.ID, x.Sink) == e.id {
			found = true
			r.Units, r.Envelope.Recipients = x.Units, x.Recipients
		}
	}
	var f facts
	if !found || !decode(second, &f) {
		return r, errRecord
	}
	recipients := r.Envelope.Recipients
	r.facts = f
	r.Envelope.Recipients = recipients
	return r, nil
}
