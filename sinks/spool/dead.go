// Package spool keeps events on disk. In this version it only writes dead events:
// those that a sink refused for good while another unit of the same message was
// delivered, so that the sender was told 250. Nothing reads them yet; a person can.
//
// A dead event is two files in the folder "dead" under the state folder: ID.SINK.eml,
// the bytes as received, and ID.SINK.json, written last: envelope, session, verdicts,
// and why. Both are on stable storage when Bury returns nil. It is safe for
// concurrent use; the same event buried again replaces the files.
package spool

import (
	"encoding/json"
	"errors"
	"io"
	"net/url"
	"path/filepath"

	"mxhook/inbound/status"
	"mxhook/sinks"
	"mxhook/sinks/durable"
)

// Spool is a folder of events.
type Spool struct{ dead string }

// New returns the Spool under the state folder. Folders are made when they are
// needed.
func New(state string) *Spool { return &Spool{dead: filepath.Join(state, "dead")} }

// DeadSchema names the format of a dead event's JSON.
const DeadSchema = "mxhook.dead.v1"

// Bury keeps an event that sink refused with o. The error wraps status.NoStorage
// and names no path.
func (s *Spool) Bury(e *sinks.Event, sink string, o sinks.Outcome) error {
	if err := s.bury(e, sink, o); err != nil {
		return status.NoStorage.Wrap("dead event", errors.New(durable.Reason(err)))
	}
	return nil
}

func (s *Spool) bury(e *sinks.Event, sink string, o sinks.Outcome) error {
	meta, err := json.MarshalIndent(newRecord(e, sink, o), "", "  ")
	if err != nil {
		return err
	}
	if err := durable.MkdirAll(s.dead); err != nil {
		return err
	}
	name := url.PathEscape(e.ID + "." + sink)
	if err := durable.WriteFile(s.dead, name+".eml", func(w io.Writer) error {
		_, err := io.Copy(w, e.Data.Open())
		return err
	}); err != nil {
		return err
	}
	return durable.WriteFile(s.dead, name+".json", func(w io.Writer) error {
		_, err := w.Write(append(meta, '\n'))
		return err
	})
}
