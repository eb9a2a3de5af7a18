package bridge

import (
	"context"
	"fmt"

	"mxhook/cmd/internal/config"
	"mxhook/sinks"
	"mxhook/sinks/cloud"
	"mxhook/sinks/payload"
	"mxhook/sinks/s3"
)

func (b *Bridge) buildS3(name string, c *config.S3) (sinks.Sink, error) {
	tlsConfig, err := clientTLS(c.TLS)
	if err != nil {
		return nil, fmt.Errorf("sink %q: %w", name, err)
	}
	sc := s3Config(name, c)
	sc.Cloud.TLS, sc.Cloud.Log, sc.Cloud.Observer = tlsConfig, b.log, b.circuits.Observe(b.observer())
	s, err := s3.New(sc)
	if err != nil {
		return nil, fmt.Errorf("sink %q: %w", name, err)
	}
	return b.circuits.Guard(s), nil
}

// s3Config is the part of a sink's configuration that is in the file.
func s3Config(name string, c *config.S3) s3.Config {
	return s3.Config{
		Cloud: cloud.Config{
			Name: name, Region: c.Region, Endpoint: c.Endpoint, AccessKeyID: c.Account.AccessKeyID,
			SecretAccessKey: string(c.Account.SecretAccessKey), SessionToken: string(c.Account.SessionToken),
			Timeout: c.Timeout, Attempts: c.Attempts, Concurrency: c.Concurrency,
		},
		Bucket: c.Bucket, Prefix: c.Prefix, Content: c.Content, PathStyle: c.PathStyle, Overwrite: c.Overwrite, StorageClass: c.StorageClass,
		Encryption: c.Encryption, KMSKeyID: c.KMSKeyID, Tags: c.Tags, URLExpiry: c.URLExpiry,
	}
}

// within returns what a sink is beside, or the one that it stands before: a store, an
// overflow.
func within[T any](s sinks.Sink) (found T, ok bool) {
	for {
		if found, ok = s.(T); ok {
			return found, true
		}
		outer, ok := s.(interface{ Unwrap() sinks.Sink })
		if !ok {
			return found, false
		}
		s = outer.Unwrap()
	}
}

// addressed is a store of a kind that keeps nothing: it says where a content would be,
// without a signature.
type addressed struct{ *s3.Sink }

// Store implements payload.Store.
func (a addressed) Store(ctx context.Context, e *sinks.Event, c payload.Content) (string, error) {
	return a.URL(ctx, e, c.Name)
}
