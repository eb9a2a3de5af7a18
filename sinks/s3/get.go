package s3

import (
	"context"
	"errors"
	"io"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"mxhook/sinks/cloud"
)

// ErrNoObject says that the bucket has no object under a key.
var ErrNoObject = errors.New("the object is not there")

// Bucket returns the bucket's name.
func (s *Sink) Bucket() string { return s.config.Bucket }

// Get returns an object's octets, which the caller closes; ctx ends reading, too. The error
// is ErrNoObject, or wraps a Condition, and its text may be logged.
func (s *Sink) Get(ctx context.Context, key string) (io.ReadCloser, error) {
	sdk, err := s.cloud.SDK(ctx)
	if err != nil {
		return nil, err
	}
	out, err := s.connect(sdk).GetObject(ctx, &s3.GetObjectInput{Bucket: &s.config.Bucket, Key: &key})
	switch {
	case err == nil:
		return out.Body, nil
	case cloud.Code(err) == "NoSuchKey":
		return nil, ErrNoObject
	}
	return nil, cloud.Failed(s.cloud.Op(), "GetObject", err)
}
