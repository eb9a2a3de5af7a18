package dir

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"mxhook/inbound/status"
	"mxhook/sinks"
	"mxhook/sinks/durable"
	"mxhook/sinks/payload"
)

// contentName is what the last part of a stored file's path may be.
var contentName = regexp.MustCompile(`^(raw|[1-9][0-9]{0,8})$`)

// Store writes c to PATH/EDITION/NAME, see payload.Store and sinks.Event's Edition. The temporary file is in
// PATH/.mxhook-tmp, where the store removes what crashes have left.
func (s *Sink) Store(ctx context.Context, e *sinks.Event, c payload.Content) (string, error) {
	start := time.Now()
	o := s.store(ctx, e, c)
	condition := status.ConditionOf(o.Err)
	if s.config.Observer != nil {
		s.config.Observer.Attempt(sinks.Attempt{Sink: s.config.Name, Event: e.ID, Message: e.Likeness(), Condition: condition, Took: time.Since(start), Detail: o.Detail})
	}
	s.log.Debug("stored", "event", e.ID, "content", c.Name, "outcome", condition.Name(), "detail", o.Detail, "took", time.Since(start))
	if o.Err != nil {
		return "", o.Err
	}
	return s.URL(e, c.Name), nil
}

// URL is where Store says that the content of that name is.
func (s *Sink) URL(e *sinks.Event, name string) string {
	if s.config.URL != "" {
		return s.config.URL + "/" + e.Edition() + "/" + name
	}
	path := filepath.ToSlash(filepath.Join(s.absolute, e.Edition(), name))
	if path[0] != '/' { // a drive's letter
		path = "/" + path
	}
	return (&url.URL{Scheme: "file", Path: path}).String()
}

func (s *Sink) store(ctx context.Context, e *sinks.Event, c payload.Content) sinks.Outcome {
	if s.config.Maildir {
		return s.noStore()
	}
	if !eventID.MatchString(e.ID) || !contentName.MatchString(c.Name) {
		return s.outcome(status.LocalError, 1, "the event id can't be a file's name")
	}
	folder := e.Edition()
	unlock, err := s.busy.lock(ctx, folder+"/"+c.Name)
	if err != nil {
		return s.failed(err)
	}
	defer unlock()
	if s.stands(ctx, folder, c) {
		err = s.settle(folder)
	} else if err = ctx.Err(); err == nil {
		err = s.keep(ctx, folder, c)
	}
	if err != nil {
		return s.failed(err)
	}
	return sinks.Outcome{Attempts: 1, Detail: "stored"}
}

// stands tells whether the file has c's octets. What can't be read doesn't.
func (s *Sink) stands(ctx context.Context, folder string, c payload.Content) bool {
	path := filepath.Join(s.config.Path, folder, c.Name)
	if info, err := os.Lstat(path); err != nil || !info.Mode().IsRegular() || info.Size() != c.Size {
		return false
	}
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, &source{r: f, ctx: ctx}); err != nil {
		return false
	}
	return [sha256.Size]byte(h.Sum(nil)) == c.SHA256 && f.Sync() == nil
}

// settle makes the names of a file that stands durable: whoever wrote it may have
// crashed before it did.
func (s *Sink) settle(folder string) error {
	if err := durable.SyncDir(filepath.Join(s.config.Path, folder)); err != nil {
		return err
	}
	return durable.SyncDir(s.config.Path)
}

// keep writes the file. Its folder is made when the content is on the disk, so that a
// store that is full is left as it was.
func (s *Sink) keep(ctx context.Context, folder string, c payload.Content) error {
	temp := filepath.Join(s.config.Path, tempFolder)
	if err := durable.MkdirAll(temp); err != nil {
		return err
	}
	s.sweep(temp)
	info, err := os.Stat(s.config.Path)
	if err != nil {
		return err
	}
	mode, file := modes(info.Mode())
	t := durable.File{Dir: filepath.Join(s.config.Path, folder), Name: c.Name, Temp: temp, Perm: file}
	return t.Write(func(w io.Writer) error {
		if err := copyAll(w, &source{r: c.Open(), ctx: ctx}, c.Size); err != nil {
			return err
		}
		return s.folder(t.Dir, mode)
	})
}

// modes are those of stored folders and files: the owner's alone, unless the group of
// the sink's folder is inherited (setgid) and may read it.
func modes(path fs.FileMode) (folder, file fs.FileMode) {
	if path&fs.ModeSetgid != 0 && path&0o050 == 0o050 {
		return 0o750, 0o640
	}
	return 0o700, 0o600
}

// folder makes an event's folder, durably.
func (s *Sink) folder(dir string, mode fs.FileMode) error {
	err := os.Mkdir(dir, 0o700)
	if err == nil && mode != 0o700 {
		err = os.Chmod(dir, mode)
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return durable.SyncDir(s.config.Path)
}

const (
	tempFolder = ".mxhook-tmp"
	// A temporary file that nobody has written to for tempAge is a crash's: no delivery
	// waits for so long. Others, of other processes too, are left alone.
	tempAge = time.Hour
)

// sweep removes what crashes left in temp, at the first store and then once in tempAge.
// What it can't remove hurts nobody.
func (s *Sink) sweep(temp string) {
	now := time.Now()
	if last := s.swept.Load(); last != nil && now.Sub(*last) < tempAge {
		return
	}
	s.swept.Store(&now)
	entries, err := os.ReadDir(temp)
	if err != nil {
		return
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), ".mxhook-") {
			continue // the tmp of a Maildir is that of other programs, too
		}
		if info, err := e.Info(); err == nil && info.Mode().IsRegular() && now.Sub(info.ModTime()) > tempAge {
			os.Remove(filepath.Join(temp, e.Name()))
		}
	}
}
