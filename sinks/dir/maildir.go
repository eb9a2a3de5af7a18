package dir

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"mxhook/inbound/status"
	"mxhook/sinks"
	"mxhook/sinks/durable"
	"mxhook/sinks/payload"
)

// The folders of a Maildir (https://cr.yp.to/proto/maildir.html): a message is written
// in tmp, appears in new, and is moved to cur by whoever has seen it.
const (
	maildirTmp = "tmp"
	maildirNew = "new"
	maildirCur = "cur"
)

// maildir puts the raw copy into new/ID. A message that is there, or in cur with any
// flags, is not written again: it is the same event, which the sender has repeated.
func (s *Sink) maildir(e *sinks.Event, raw *payload.Body) sinks.Outcome {
	for _, name := range []string{maildirTmp, maildirNew, maildirCur} {
		if err := durable.MkdirAll(filepath.Join(s.config.Path, name)); err != nil {
			return s.failed(err)
		}
	}
	fresh := filepath.Join(s.config.Path, maildirNew)
	there, err := s.inMaildir(e.ID)
	switch {
	case err != nil:
		return s.failed(err)
	case there != "": // whoever wrote it may have crashed before its name was durable
		if err := durable.SyncDir(there); err != nil {
			return s.failed(err)
		}
		return sinks.Outcome{Attempts: 1, Detail: "there already"}
	}
	info, err := os.Stat(fresh)
	if err != nil {
		return s.failed(err)
	}
	temp := filepath.Join(s.config.Path, maildirTmp)
	s.sweep(temp)
	_, perm := modes(info.Mode())
	if err := copyTo(durable.File{Dir: fresh, Name: e.ID, Temp: temp, Perm: perm}, raw); err != nil {
		return s.failed(err)
	}
	return sinks.Outcome{Attempts: 1, Detail: "written"}
}

// inMaildir returns the folder that has the event's message, "" for none. It looks into
// new first: a message moves from there to cur, never back.
func (s *Sink) inMaildir(id string) (folder string, err error) {
	fresh, seen := filepath.Join(s.config.Path, maildirNew), filepath.Join(s.config.Path, maildirCur)
	if _, err := os.Lstat(filepath.Join(fresh, id)); err == nil {
		return fresh, nil
	} else if !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	d, err := os.Open(seen)
	if err != nil {
		return "", err
	}
	defer d.Close()
	for {
		names, err := d.Readdirnames(1024)
		for _, name := range names {
			if isOf(name, id) {
				return seen, nil
			}
		}
		switch {
		case err == io.EOF:
			return "", nil
		case err != nil:
			return "", err
		}
	}
}

// isOf tells whether a file of cur is the event's message: its flags follow a colon, or
// what a reader writes where the file system takes none, and some readers put a size
// before them.
func isOf(name, id string) bool {
	rest, found := strings.CutPrefix(name, id)
	return found && (rest == "" || strings.ContainsRune(":,;!-", rune(rest[0])))
}

// noStore is the answer of a Maildir that is asked to store something else.
func (s *Sink) noStore() sinks.Outcome {
	return s.outcome(status.SinkOperator, 1, "a Maildir holds messages alone, and stores nothing for other sinks")
}
