// Package s3 is a sink that keeps events as objects of a bucket: PREFIX + id + .eml, the
// raw message with trace fields, + .json, the native payload, and + /N, the attachments.
// It says yes when all of them are acknowledged. It is a payload.Store, too, see Store.
//
// Each object is one PutObject of known length, streamed from the message, with the
// SHA-256 of its content in the signature, and If-None-Match: *, so that a resend writes
// nothing twice: 412 is a yes. Attachments come first, then the raw message, then the JSON:
// who finds the last finds all. Keys are made of the event id, of the route's name, the
// date and a recipient's domain, escaped; no other word of a sender is part of one.
//
// What an answer means is in package cloud. Sources: the S3 API reference (PutObject).
package s3

import (
	"cmp"
	"context"
	"errors"
	"regexp"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"mxhook/inbound/status"
	"mxhook/sinks"
	"mxhook/sinks/cloud"
	"mxhook/sinks/payload"
)

// The contents.
const (
	Raw         = "raw"
	JSON        = "json"
	Attachments = "attachments"
)

// MaxExpiry is the longest life of a URL that S3 signs.
const MaxExpiry = 7 * 24 * time.Hour

// Config says where the objects go. Cloud.Name and Bucket are needed.
type Config struct {
	Cloud  cloud.Config
	Bucket string
	// Prefix begins each key; {route} {year} {month} {day} {domain} are the event's.
	Prefix    string
	Content   []string // default Raw and JSON
	PathStyle bool     // the bucket is part of the path, not of the host
	// Overwrite leaves If-None-Match away, for servers that don't know it.
	Overwrite    bool
	StorageClass string
	Encryption   string            // AES256, aws:kms or aws:kms:dsse; "" is the bucket's own
	KMSKeyID     string            // "" is AWS's own key
	Tags         map[string]string // {route} in a value is the event's
	URLExpiry    time.Duration     // of what other sinks store here; default MaxExpiry
}

// Sink puts events into one bucket.
type Sink struct {
	config Config
	prefix template
	cloud  *cloud.Client

	mu     sync.Mutex
	client *s3.Client
	sdk    *aws.Config // of which client was made
}

// New returns a Sink. It opens no connection and reads nothing.
func New(c Config) (*Sink, error) {
	if len(c.Content) == 0 {
		c.Content = []string{Raw, JSON}
	}
	c.URLExpiry = cmp.Or(c.URLExpiry, MaxExpiry)
	prefix, why := parsePrefix(c.Prefix)
	switch {
	case c.Bucket == "":
		return nil, errors.New("an s3 sink needs a bucket")
	case why != "":
		return nil, errors.New("prefix " + why)
	case slices.ContainsFunc(c.Content, func(s string) bool { return s != Raw && s != JSON && s != Attachments }):
		return nil, errors.New("content is of raw, json and attachments")
	case c.URLExpiry < time.Second || c.URLExpiry > MaxExpiry:
		return nil, errors.New("url_expiry is 1s to 168h")
	}
	client, err := cloud.New(c.Cloud)
	if err != nil {
		return nil, err
	}
	return &Sink{config: c, prefix: prefix, cloud: client}, nil
}

// Name returns the sink's name in the configuration.
func (s *Sink) Name() string { return s.config.Cloud.Name }

// FanOut is one event a domain where the prefix has {domain}, else one for all.
func (s *Sink) FanOut() sinks.FanOut {
	if s.prefix.domain {
		return sinks.FanOutDomain
	}
	return sinks.FanOutMessage
}

// Dated tells whether the prefix has a part of the date.
func (s *Sink) Dated() bool { return s.prefix.dated }

// Close closes the connections that wait for use.
func (s *Sink) Close() { s.cloud.Close() }

// Deliver puts the event's objects, see sinks.Sink. What one attempt has put the next one
// leaves out.
func (s *Sink) Deliver(ctx context.Context, e *sinks.Event) sinks.Outcome {
	if !eventID.MatchString(e.ID) || len(e.Recipients) == 0 {
		return s.cloud.Fail(status.LocalError, "the event's id can't be a key")
	}
	objects, err := s.objects(ctx, e)
	if err != nil {
		return s.cloud.Fail(status.LocalError, "the payload can't be made")
	}
	return s.cloud.Deliver(ctx, e, func(ctx context.Context, sdk *aws.Config) error {
		client := s.connect(sdk)
		for len(objects) > 0 {
			err := s.put(ctx, client, objects[0], !s.config.Overwrite)
			if err != nil && !isThere(err) {
				return err
			}
			objects = objects[1:]
		}
		return nil
	})
}

// Check asks for the bucket's first key, which no permission is needed for: a server that
// refuses it knows the credentials. See sinks.Checker.
func (s *Sink) Check(ctx context.Context) error {
	err := s.cloud.Check(ctx, func(ctx context.Context, sdk *aws.Config) error {
		_, err := s.connect(sdk).ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: &s.config.Bucket, MaxKeys: aws.Int32(1)})
		if cloud.Code(err) == "AccessDenied" {
			return nil
		}
		return err
	})
	return err
}

// connect returns the client of a configuration of the SDK.
func (s *Sink) connect(sdk *aws.Config) *s3.Client {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sdk != sdk {
		s.sdk = sdk
		s.client = s3.NewFromConfig(*sdk, func(o *s3.Options) { o.UsePathStyle = s.config.PathStyle })
	}
	return s.client
}

// eventID is what a key may be made of.
var eventID = regexp.MustCompile(`^msg_[a-z2-7]{26}$`)

// isThere tells whether a server refused an object because it has one of that key.
func isThere(err error) bool {
	return cloud.Code(err) == "PreconditionFailed" || cloud.StatusOf(err) == 412
}

// objects are those of an event, in the order in which they are put.
func (s *Sink) objects(ctx context.Context, e *sinks.Event) (list []*object, err error) {
	wants := func(content string) bool { return slices.Contains(s.config.Content, content) }
	if e.Message == nil || e.Data == nil {
		return nil, errors.New("the event has no message")
	}
	base, tell := s.prefix.expand(e)+e.ID, s.about(e)
	include := payload.Include{Attachments: "inline", HTML: true}
	if wants(Attachments) {
		include.Attachments, include.AttachmentStore = payload.Stored, located{s}
		for i := range e.Message.Attachments {
			list = append(list, attachment(base, i, &e.Message.Attachments[i], tell))
		}
	}
	if wants(Raw) {
		body, err := payload.Raw(e)
		if err != nil {
			return nil, err
		}
		list = append(list, ofBody(base+".eml", body, tell))
	}
	if wants(JSON) {
		body, err := payload.Native(ctx, e, include)
		if err != nil {
			return nil, err
		}
		list = append(list, ofBody(base+".json", body, tell))
	}
	return list, nil
}

// located is a store of what Deliver puts: a payload names the object.
type located struct{ *Sink }

// Store implements payload.Store.
func (l located) Store(_ context.Context, e *sinks.Event, c payload.Content) (string, error) {
	return "s3://" + l.config.Bucket + "/" + l.prefix.expand(e) + e.ID + "/" + c.Name, nil
}
