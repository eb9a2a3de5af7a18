package ses

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
)

// Actions returns the IAM actions that Bucket calls, on the bucket's objects.
// ListBucket, on the bucket, makes S3 say that an object is missing; without it a
// missing one is forbidden.
func Actions() (onObjects, onBucket []string) {
	return []string{"s3:GetObject"}, []string{"s3:ListBucket"}
}

// Bucket gets objects by the AWS SDK.
type Bucket struct{ client *s3.Client }

// NewBucket returns the Objects behind a client.
func NewBucket(client *s3.Client) Bucket { return Bucket{client} }

// encrypted are the names under which SES and others keep the key of an object that was
// encrypted before it came to S3.
var encrypted = []string{"x-amz-key-v2", "x-amz-key", "x-amz-3"}

// Get implements Objects.
func (b Bucket) Get(ctx context.Context, bucket, key string) (io.ReadCloser, int64, error) {
	out, err := b.client.GetObject(ctx, &s3.GetObjectInput{Bucket: &bucket, Key: &key})
	var missing *types.NoSuchKey
	var told smithy.APIError
	switch {
	case errors.As(err, &missing):
		return nil, 0, ErrNoObject
	case errors.As(err, &told):
		return nil, 0, fmt.Errorf("S3 says %s of the message", told.ErrorCode())
	case err != nil:
		return nil, 0, errors.New("the message could not be fetched: S3 can't be reached, or there are no credentials")
	}
	for _, name := range encrypted {
		if _, is := out.Metadata[name]; is {
			out.Body.Close()
			return nil, 0, errors.New("the message is encrypted by SES itself; take the KMS key out of the rule's S3 action and encrypt the bucket instead")
		}
	}
	if out.ContentLength == nil {
		out.Body.Close()
		return nil, 0, errors.New("S3 does not say how large the message is")
	}
	return out.Body, *out.ContentLength, nil
}
