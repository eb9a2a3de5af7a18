// Package dir is a sink that keeps events as files in a folder: ID.eml, the raw
// message with trace fields, and ID.json, the native payload, written last. It says
// yes only when both, and their names, are on stable storage.
//
// It is a payload.Store, too: what the payloads of other sinks name by a URL goes to
// ID.DIGEST/N, see Store.
//
// With Maildir the folder is one (https://cr.yp.to/proto/maildir.html), an event is the
// one file new/ID, the raw message alone, and nothing is stored for others. The same
// event again writes nothing while its message is in new or cur.
//
// The same event again replaces the files by rename, so that a reader sees whole
// files only. Names are made of the event id alone. A file that begins with
// ".mxhook-" was left by a crash and can be deleted. Writing can't be interrupted,
// so a hanging file system holds Deliver beyond its context.
//
// Full storage is 452 4.3.1; a folder that can't be made or written to is the
// operator's, 451 4.3.5. No path stands in an error. It is safe for concurrent use.
package dir

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"path/filepath"
	"regexp"
	"sync/atomic"
	"syscall"
	"time"

	"mxhook/inbound/status"
	"mxhook/sinks"
	"mxhook/sinks/durable"
	"mxhook/sinks/payload"
)

// Config says where the files go. Name and Path are needed.
type Config struct {
	Name string
	Path string // made with its parents when it isn't there
	// URL is where Path is served, without a final slash, for what other sinks store here.
	// Without it URLs are of the scheme file (RFC 8089).
	URL      string
	Include  payload.Include
	Maildir  bool         // Path is a Maildir; URL and Include say nothing then
	Log      *slog.Logger // nil: silent
	Observer sinks.Observer
}

// Sink writes events into one folder.
type Sink struct {
	config   Config
	absolute string // Path
	log      *slog.Logger
	busy     keys
	swept    atomic.Pointer[time.Time]
}

// New returns a Sink. It touches no file.
func New(c Config) (*Sink, error) {
	if c.Name == "" || c.Path == "" {
		return nil, errors.New("a dir sink needs a name and a path")
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	absolute, err := filepath.Abs(c.Path)
	if err != nil {
		return nil, errors.New("a dir sink's path is relative to a folder that is gone")
	}
	return &Sink{config: c, absolute: absolute, log: c.Log.With("sink", c.Name)}, nil
}

// Name returns the sink's name in the configuration.
func (s *Sink) Name() string { return s.config.Name }

// FanOut is always FanOutMessage: one pair of files an event, or one file of a Maildir.
func (s *Sink) FanOut() sinks.FanOut { return sinks.FanOutMessage }

// Deliver writes the event's files, see sinks.Sink. It makes one attempt.
func (s *Sink) Deliver(ctx context.Context, e *sinks.Event) sinks.Outcome {
	if ctx.Err() != nil {
		return s.outcome(status.BudgetExceeded, 0, "the budget ended before anything was written")
	}
	start := time.Now()
	o := s.write(ctx, e)
	c := status.ConditionOf(o.Err)
	if s.config.Observer != nil {
		s.config.Observer.Attempt(sinks.Attempt{Sink: s.config.Name, Event: e.ID, Message: e.Likeness(), Condition: c, Took: time.Since(start), Detail: o.Detail})
	}
	s.log.Debug("attempt", "event", e.ID, "attempt", 1, "outcome", c.Name(), "detail", o.Detail, "took", time.Since(start))
	return o
}

// eventID is what a file's name may be made of.
var eventID = regexp.MustCompile(`^msg_[a-z2-7]{26}$`)

func (s *Sink) write(ctx context.Context, e *sinks.Event) sinks.Outcome {
	if !eventID.MatchString(e.ID) {
		return s.outcome(status.LocalError, 1, "the event id can't be a file's name")
	}
	raw, err := payload.Raw(e)
	if err != nil {
		return s.outcome(status.LocalError, 1, "the raw copy can't be made")
	}
	if s.config.Maildir {
		unlock, err := s.busy.lock(ctx, e.ID)
		if err != nil {
			return s.failed(err)
		}
		defer unlock()
		return s.maildir(e, raw)
	}
	native, err := payload.Native(ctx, e, s.config.Include)
	if err != nil {
		return s.outcome(status.LocalError, 1, "the payload can't be made")
	}
	if err := durable.MkdirAll(s.config.Path); err != nil {
		return s.failed(err)
	}
	if err := s.file(e.ID+".eml", raw); err != nil {
		return s.failed(err)
	}
	if err := s.file(e.ID+".json", native); err != nil {
		return s.failed(err)
	}
	return sinks.Outcome{Attempts: 1, Detail: "written"}
}

// errPayload marks an error of reading the message, which is not the folder's.
var errPayload = errors.New("dir: the message can't be read")

func (s *Sink) file(name string, body *payload.Body) error {
	return copyTo(durable.File{Dir: s.config.Path, Name: name}, body)
}

// copyTo writes the file of what body yields.
func copyTo(f durable.File, body *payload.Body) error {
	return f.Write(func(w io.Writer) error {
		r := body.Open()
		defer r.Close()
		return copyAll(w, &source{r: r, ctx: context.Background()}, body.Size())
	})
}

// copyAll writes what r yields, which must be size octets.
func copyAll(w io.Writer, r *source, size int64) error {
	n, err := io.Copy(w, r)
	if r.failed || err == nil && n != size {
		return errPayload
	}
	return err
}

// source notes that reading failed, to tell it from writing, and ends with ctx.
type source struct {
	r      io.Reader
	ctx    context.Context
	failed bool
}

func (s *source) Read(p []byte) (int, error) {
	if err := s.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := s.r.Read(p)
	s.failed = s.failed || err != nil && err != io.EOF
	return n, err
}

// failed tells storage that is full or broken, and that will mend or be mended
// soon, from a folder that only the operator can put right.
func (s *Sink) failed(err error) sinks.Outcome {
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return s.outcome(status.BudgetExceeded, 1, "the budget ended before all was written")
	case errors.Is(err, errPayload):
		return s.outcome(status.LocalError, 1, "the message can't be read")
	case durable.IsStorage(err):
		return s.outcome(status.NoStorage, 1, durable.Reason(err))
	case errors.Is(err, fs.ErrPermission), errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrExist), errors.Is(err, fs.ErrInvalid),
		errors.Is(err, syscall.ENOTDIR), errors.Is(err, syscall.EISDIR), errors.Is(err, syscall.ELOOP), errors.Is(err, syscall.ENAMETOOLONG):
		return s.outcome(status.SinkOperator, 1, durable.Reason(err))
	}
	return s.outcome(status.LocalError, 1, durable.Reason(err))
}

func (s *Sink) outcome(c *status.Condition, attempts int, detail string) sinks.Outcome {
	return sinks.Outcome{Err: c.Wrap("sink "+s.config.Name, errors.New(detail)), Attempts: attempts, Detail: detail}
}
