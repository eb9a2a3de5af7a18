package s3

import (
	"context"
	"errors"
	"regexp"

	"github.com/aws/aws-sdk-go-v2/aws"

	"mxhook/inbound/status"
	"mxhook/sinks"
	"mxhook/sinks/payload"
)

// overflowName is what the last part of an overflow's key may be.
var overflowName = regexp.MustCompile(`^msg_[a-z2-7]{26}(\.[A-Za-z0-9._-]{1,128})?$`)

// Put keeps what a message of a queue can't carry, at the prefix up to its first
// placeholder + overflow/ + name, so that one lifecycle rule finds all of them. A resend
// writes nothing; another content under the name is overwritten. It ends with ctx. The
// error wraps a Condition, and its text may be logged. See sqs.Overflow.
func (s *Sink) Put(ctx context.Context, e *sinks.Event, name string, body *payload.Body) (bucket, key string, err error) {
	if !overflowName.MatchString(name) {
		return "", "", status.LocalError.Wrap(s.cloud.Op(), errors.New("the event's id can't be a key"))
	}
	o := ofBody(s.prefix.parts[0]+"overflow/"+name, body, s.about(e))
	out := s.cloud.Deliver(ctx, e, func(ctx context.Context, sdk *aws.Config) error { return s.replace(ctx, s.connect(sdk), o) })
	return s.config.Bucket, o.key, out.Err
}

// Object says where Store puts the content of that name.
func (s *Sink) Object(e *sinks.Event, name string) (bucket, key string) {
	return s.config.Bucket, s.prefix.expand(e) + e.Edition() + "/" + name
}
