// Package ses takes mail that Amazon SES has received: SES keeps the message in an S3
// bucket and sends a notification with the envelope; a Source fetches the message and
// runs it through the same Handler as a listener does.
//
// SES has said yes to the sender long before, so that there is no reply to give: what
// would be a 4xx is an error, after which the notification must come again, and what
// would be a 5xx is a log line, while the message stays in the bucket.
//
// What is believed: the envelope and the verdicts of a notification, which comes by
// Lambda, SNS or SQS, whose policies let SES alone write; a message in the bucket that
// the configuration names. Of the message's own header nothing is, but for the first
// fields that carry SES's id of the message, which no sender can foresee: they tell the
// sender's address and EHLO name.
//
// Nothing here imports the AWS SDK but objects.go. A Source is safe for concurrent use.
package ses

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"

	"mxhook/inbound"
	"mxhook/inbound/status"
)

// Objects gets what a bucket holds.
type Objects interface {
	// Get returns an object's content and its size, which the caller closes. The error
	// is ErrNoObject, or one that holds no secret.
	Get(ctx context.Context, bucket, key string) (content io.ReadCloser, size int64, err error)
}

// ErrNoObject says that a bucket has no such object.
var ErrNoObject = errors.New("there is no such object in the bucket; is it older than the bucket's lifecycle keeps it?")

// ErrTooLarge says that a message is larger than the configuration takes. SES takes
// 40 MiB.
var ErrTooLarge = errors.New("the message is larger than limits.message_size; raise it")

// Config is what a Source is made of.
type Config struct {
	Handler  inbound.Handler
	Objects  Objects
	Store    *inbound.Store
	Bucket   string // the only one from which messages are taken
	Prefix   string // of the keys, as in SES's S3 action
	MaxSize  int64  // octets of a message
	Hostname string
	Log      *slog.Logger
}

// Source runs notifications.
type Source struct{ config Config }

// New makes a Source. It has no side effects.
func New(c Config) *Source { return &Source{c} }

// Receive runs one message to its end: nil says that everything that is to be done with
// it is done, be it delivered or refused for good. An error, which is ErrNoObject,
// ErrTooLarge, ErrNotSES or wraps a condition of package status, says that the same
// notification must come again.
//
// Recipients whom no route takes are left out. If one of them can't be decided now, none
// gets the message: the events of the next try would have other recipients, and other
// ids with them.
func (s *Source) Receive(ctx context.Context, n Notification) error {
	log := s.config.Log.With("ses", n.MessageID, "bucket", n.Bucket, "key", n.Key)
	if n.Bucket != s.config.Bucket || !strings.HasPrefix(n.Key, s.config.Prefix) {
		return fmt.Errorf("%w: it names an object of another bucket or prefix than MXHOOK_SES_BUCKET and MXHOOK_SES_PREFIX do", ErrNotSES)
	}
	data, err := s.fetch(ctx, n)
	if err != nil {
		return err
	}
	defer data.Release()
	first, err := readOpening(data, n.MessageID)
	if err != nil {
		return status.LocalError.Wrap("read the message", err)
	}
	if n.fromObject {
		if err := n.fillFrom(first); err != nil {
			return err
		}
	}
	return s.run(ctx, log, n, first, data)
}

// fetch reads the object.
func (s *Source) fetch(ctx context.Context, n Notification) (*inbound.MailData, error) {
	content, size, err := s.config.Objects.Get(ctx, n.Bucket, n.Key)
	if err != nil {
		return nil, err
	}
	defer content.Close()
	if size > s.config.MaxSize {
		return nil, ErrTooLarge
	}
	buffer := s.config.Store.NewBuffer(size)
	defer buffer.Discard()
	source := &reading{Reader: io.LimitReader(content, size+1)}
	_, err = io.Copy(buffer, source)
	switch {
	case source.err != nil:
		return nil, status.LocalError.Wrap("fetch the message", errors.New("the object could not be read to its end"))
	case err != nil:
		return nil, status.NoStorage.Wrap("fetch the message", err)
	case buffer.Size() != size:
		return nil, status.LocalError.Wrap("fetch the message", fmt.Errorf("%d octets came of %d", buffer.Size(), size))
	}
	return buffer.Freeze()
}

// reading knows whether it was the reading that failed.
type reading struct {
	io.Reader
	err error
}

func (r *reading) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	if err != nil && err != io.EOF {
		r.err = err
	}
	return n, err
}

// run is one transaction.
func (s *Source) run(ctx context.Context, log *slog.Logger, n Notification, first opening, data *inbound.MailData) error {
	session, mail, recipients, err := s.envelope(n, first)
	if err != nil {
		return err
	}
	t, err := s.config.Handler.Mail(ctx, session, mail)
	if err != nil {
		return refused(log, err)
	}
	defer t.Close()
	taken := 0
	for _, r := range recipients {
		switch err := t.Rcpt(ctx, r); status.ClassOf(err) {
		case status.Temporary:
			return fmt.Errorf("recipient: %w", err)
		case status.Permanent:
		default:
			taken++
		}
	}
	if taken == 0 {
		return refused(log, status.NoValidRecipients.Wrap("recipients", nil))
	}
	return refused(log, t.Data(ctx, data).Err)
}

// refused returns a temporary err, and logs one for good: no sender is there to be told,
// but the message can still be had.
func refused(log *slog.Logger, err error) error {
	if err == nil || status.ClassOf(err) == status.Temporary {
		return err
	}
	log.Warn("refused for good; the message stays in the bucket until its lifecycle ends it", "reply", status.ReplyOf(err).String())
	return nil
}

// envelope makes the facts of a session of what SES says.
func (s *Source) envelope(n Notification, first opening) (session inbound.Session, mail inbound.Mail, recipients []inbound.Path, err error) {
	session = inbound.Session{
		ID: "ses-" + n.MessageID + "-" + strings.ToLower(rand.Text()[:8]), Listener: "ses", LocalName: s.config.Hostname,
		RemoteIP: first.remoteIP, HELO: status.CleanText(first.helo, 255),
	}
	mail = inbound.Mail{Protocol: "SMTP", Provider: &n.Provider}
	if mail.ReversePath, err = inbound.ParsePath(n.ReversePath, true); err != nil {
		return session, mail, nil, fmt.Errorf("%w: its reverse-path is none: %w", ErrNotSES, err)
	}
	mail.SMTPUTF8 = slices.ContainsFunc(append([]string{n.ReversePath}, n.Recipients...), func(a string) bool {
		return strings.ContainsFunc(a, func(r rune) bool { return r > 0x7f })
	})
	for _, r := range n.Recipients {
		p, err := inbound.ParsePath(r, true)
		if err != nil || p.IsNull() {
			return session, mail, nil, fmt.Errorf("%w: a recipient of it is no address", ErrNotSES)
		}
		recipients = append(recipients, p)
	}
	return session, mail, recipients, nil
}
