package payload

import (
	"context"
	"crypto/sha256"
	"io"
	"strconv"

	"mxhook/sinks"
)

// Store keeps what a payload names by a URL in place of carrying it. A sink that can be
// one implements it beside sinks.Sink. It is safe for concurrent use.
type Store interface {
	// Name returns the sink's name in the configuration.
	Name() string

	// Store makes c durable under a key that is made of e's Edition and c's Name alone, and
	// returns a URL where the receiver fetches it: one that is good for as long as the
	// store is configured to give it out. The same content again writes nothing and returns
	// a URL as good as the first; another content takes its place. It ends with ctx. The
	// error wraps a Condition of package status, and its text may be logged.
	Store(ctx context.Context, e *sinks.Event, c Content) (url string, err error)
}

// Content is an attachment or the message as received.
type Content struct {
	// Name is "1" for the first attachment and so on, "raw" for the message.
	Name string
	// ContentType and Filename are the sender's words, for a store that can tell them to
	// who fetches the content. They are never part of a key.
	ContentType, Filename string
	Size                  int64
	SHA256                [sha256.Size]byte
	// Open returns the octets from the first on. Each reader belongs to one goroutine.
	Open func() io.Reader
}

// Links are the URLs of what an event's payload doesn't carry.
type Links struct {
	Attachments []string // as many as the message has, in their order; nil when they are not stored
	Raw         string   // "" when it is not stored
}

// StoreError says that a Store failed, so that there is no payload. It unwraps to the
// store's error, and so to a Condition.
type StoreError struct {
	Store string // its name
	Err   error
}

func (e *StoreError) Error() string { return "store " + e.Store + ": " + e.Err.Error() }

// Unwrap implements errors.Unwrap.
func (e *StoreError) Unwrap() error { return e.Err }

// Store stores what inc wants to be stored. The error is a *StoreError, or says that inc
// names no store.
func (inc Include) Store(ctx context.Context, e *sinks.Event) (links Links, err error) {
	if err := inc.check(); err != nil {
		return Links{}, err
	}
	if inc.Attachments == Stored {
		links.Attachments = make([]string, len(e.Message.Attachments))
		for i := range e.Message.Attachments {
			a := &e.Message.Attachments[i]
			links.Attachments[i], err = store(ctx, inc.AttachmentStore, e, Content{
				Name: strconv.Itoa(i + 1), ContentType: a.ContentType, Filename: a.Filename, Size: a.Size, SHA256: a.SHA256, Open: a.Open,
			})
			if err != nil {
				return Links{}, err
			}
		}
	}
	if inc.Raw == Stored {
		links.Raw, err = store(ctx, inc.RawStore, e, Content{
			Name: "raw", ContentType: "message/rfc822", Filename: e.ID + ".eml", Size: e.Data.Size(), SHA256: e.Data.SHA256(),
			Open: func() io.Reader { return e.Data.Open() },
		})
	}
	return links, err
}

func store(ctx context.Context, s Store, e *sinks.Event, c Content) (string, error) {
	url, err := s.Store(ctx, e, c)
	if err != nil {
		return "", &StoreError{s.Name(), err}
	}
	return url, nil
}
