package bridge

import (
	"context"
	"errors"
	"io"

	"mxhook/cmd/internal/worker"
	"mxhook/sinks"
	"mxhook/sinks/s3"
)

// buckets are the s3 sinks of a configuration, by their buckets: what a message of a queue
// points to is read from them, and from nowhere else.
type buckets map[string]*s3.Sink

func bucketsOf(list map[string]sinks.Sink) buckets {
	all := buckets{}
	for _, s := range list {
		if store, ok := within[*s3.Sink](s); ok {
			all[store.Bucket()] = store
		}
	}
	return all
}

// Open implements worker.Objects.
func (b buckets) Open(ctx context.Context, bucket, key string) (io.ReadCloser, error) {
	s, ok := b[bucket]
	if !ok {
		return nil, worker.ErrBucket
	}
	body, err := s.Get(ctx, key)
	if errors.Is(err, s3.ErrNoObject) {
		err = worker.ErrNoObject
	}
	return body, err
}
