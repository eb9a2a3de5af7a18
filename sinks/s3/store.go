package s3

import (
	"context"
	"encoding/hex"
	"errors"
	"regexp"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"mxhook/inbound/status"
	"mxhook/sinks"
	"mxhook/sinks/payload"
)

// contentName is what the last part of a stored object's key may be.
var contentName = regexp.MustCompile(`^(raw|[1-9][0-9]{0,8})$`)

// Store puts c at PREFIX + edition + / + NAME and returns a URL that is signed for
// URLExpiry, or for as long as the credentials live, see payload.Store and sinks.Event's
// Edition. Another content under the key, which somebody else put there, is overwritten.
func (s *Sink) Store(ctx context.Context, e *sinks.Event, c payload.Content) (string, error) {
	if !eventID.MatchString(e.ID) || !contentName.MatchString(c.Name) {
		return "", status.LocalError.Wrap(s.cloud.Op(), errors.New("the event's id can't be a key"))
	}
	o := ofContent(s.prefix.expand(e)+e.Edition(), c, s.about(e))
	url := ""
	out := s.cloud.Deliver(ctx, e, func(ctx context.Context, sdk *aws.Config) (err error) {
		client := s.connect(sdk)
		if err := s.replace(ctx, client, o); err != nil {
			return err
		}
		url, err = s.presign(ctx, client, o.key)
		return err
	})
	return url, out.Err
}

// replace puts o unless the object is there with the same content.
func (s *Sink) replace(ctx context.Context, client *s3.Client, o *object) error {
	if !s.config.Overwrite {
		if err := s.put(ctx, client, o, true); err == nil || !isThere(err) {
			return err
		}
		head, err := client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &s.config.Bucket, Key: &o.key})
		if err == nil && aws.ToInt64(head.ContentLength) == o.size && head.Metadata["mxhook-sha256"] == hex.EncodeToString(o.sum[:]) {
			return nil
		}
	}
	return s.put(ctx, client, o, false)
}

func (s *Sink) presign(ctx context.Context, client *s3.Client, key string) (string, error) {
	r, err := s3.NewPresignClient(client).PresignGetObject(ctx, &s3.GetObjectInput{Bucket: &s.config.Bucket, Key: &key}, s3.WithPresignExpires(s.config.URLExpiry))
	if err != nil {
		return "", status.SinkOperator.Wrap(s.cloud.Op(), errors.New("no URL can be signed: look at region and endpoint"))
	}
	return r.URL, nil
}

// URL is where Store would put the content of that name, without the signature. It needs
// no credentials and no network.
func (s *Sink) URL(ctx context.Context, e *sinks.Event, name string) (string, error) {
	sdk, err := s.cloud.SDK(ctx)
	if err != nil {
		return "", err
	}
	nobody := sdk.Copy()
	nobody.Credentials = credentials.NewStaticCredentialsProvider("NOBODY", "NOTHING", "")
	client := s3.NewFromConfig(nobody, func(o *s3.Options) { o.UsePathStyle = s.config.PathStyle })
	url, err := s.presign(ctx, client, s.prefix.expand(e)+e.Edition()+"/"+name)
	url, _, _ = strings.Cut(url, "?")
	return url, err
}
