package s3

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"io"
	"mime"
	"net/url"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go/middleware"

	"mxhook/inbound/message"
	"mxhook/inbound/status"
	"mxhook/sinks"
	"mxhook/sinks/payload"
)

// object is what one request puts.
type object struct {
	key, contentType, disposition string
	size                          int64
	open                          func() io.Reader
	about                         map[string]string // metadata
	sum                           [sha256.Size]byte
	summed                        bool
}

func ofBody(key string, b *payload.Body, about map[string]string) *object {
	return &object{key: key, contentType: b.ContentType(), size: b.Size(), open: func() io.Reader { return b.Open() }, about: about}
}

func attachment(base string, i int, a *message.Attachment, about map[string]string) *object {
	return ofContent(base, payload.Content{
		Name: strconv.Itoa(i + 1), ContentType: a.ContentType, Filename: a.Filename, Size: a.Size, SHA256: a.SHA256, Open: a.Open,
	}, about)
}

func ofContent(base string, c payload.Content, about map[string]string) *object {
	return &object{key: base + "/" + c.Name, contentType: mediaType(c.ContentType), disposition: disposition(c.Filename),
		size: c.Size, open: c.Open, about: about, sum: c.SHA256, summed: true}
}

// mediaType is a sender's word where it is one of a media type, without parameters.
func mediaType(s string) string {
	if t, _, err := mime.ParseMediaType(s); err == nil && strings.Count(t, "/") == 1 && len(t) <= 127 {
		return t
	}
	return "application/octet-stream"
}

// disposition has who fetches the content save it, and never show it (RFC 6266, RFC 8187).
func disposition(filename string) string {
	escaped := strings.ReplaceAll(url.QueryEscape(strings.ToValidUTF8(filename, "\uFFFD")), "+", "%20")
	if escaped == "" || len(escaped) > 900 {
		return "attachment"
	}
	return "attachment; filename*=UTF-8''" + escaped
}

// about is the metadata of an event's objects. It holds no word of a sender: an id, a
// route's name and results, which are closed sets.
func (s *Sink) about(e *sinks.Event) map[string]string {
	about := map[string]string{"mxhook-id": e.ID, "mxhook-route": escape(e.Route)}
	if r := e.Results; r != nil {
		dkim := "none"
		for i, d := range r.DKIM {
			if result := string(d.Result); i == 0 || result == "pass" {
				dkim = result
			}
		}
		for name, value := range map[string]string{
			"spf": string(r.SPF.Result), "dkim": dkim, "dmarc": string(r.DMARC.Result), "arc": string(r.ARC.Result),
			"from-verified": strconv.FormatBool(r.FromVerified),
		} {
			if value != "" {
				about["mxhook-"+name] = value
			}
		}
	}
	return about
}

// tagging is the header of the configured tags.
func (s *Sink) tagging(about map[string]string) *string {
	if len(s.config.Tags) == 0 {
		return nil
	}
	tags := url.Values{}
	for name, value := range s.config.Tags {
		tags.Set(name, strings.ReplaceAll(value, "{route}", about["mxhook-route"]))
	}
	return aws.String(tags.Encode())
}

var errUnread = errors.New("the message can't be read")

// digest reads the object once for its SHA-256, if that isn't known.
func (o *object) digest() error {
	if o.summed {
		return nil
	}
	h := sha256.New()
	if n, err := io.Copy(h, o.open()); err != nil || n != o.size {
		return errUnread
	}
	h.Sum(o.sum[:0])
	o.summed = true
	return nil
}

// put puts one object. The digest is signed, so that no server takes other bytes; AWS
// keeps it with the object, too, which others may not take.
func (s *Sink) put(ctx context.Context, client *s3.Client, o *object, once bool) error {
	if err := o.digest(); err != nil {
		return status.LocalError.Wrap(s.cloud.Op(), err)
	}
	sum := hex.EncodeToString(o.sum[:])
	in := &s3.PutObjectInput{
		Bucket: &s.config.Bucket, Key: &o.key, Body: &body{object: o}, ContentLength: &o.size, ContentType: &o.contentType,
		Metadata: map[string]string{"mxhook-sha256": sum}, Tagging: s.tagging(o.about),
		StorageClass: types.StorageClass(s.config.StorageClass), ServerSideEncryption: types.ServerSideEncryption(s.config.Encryption),
	}
	for name, value := range o.about {
		in.Metadata[name] = value
	}
	if o.disposition != "" {
		in.ContentDisposition = &o.disposition
	}
	if s.config.KMSKeyID != "" {
		in.SSEKMSKeyId = &s.config.KMSKeyID
	}
	if once {
		in.IfNoneMatch = aws.String("*")
	}
	if client.Options().BaseEndpoint == nil {
		in.ChecksumSHA256 = aws.String(base64.StdEncoding.EncodeToString(o.sum[:]))
	}
	out, err := client.PutObject(ctx, in, s3.WithAPIOptions(signed(sum)))
	if err == nil && aws.ToString(out.ETag) == "" {
		return status.SinkUnavailable.Wrap(s.cloud.Op(), errors.New("a yes without an ETag, which is not S3's"))
	}
	return err
}

// signed gives the SDK the digest of the payload, so that it needn't read it.
func signed(sum string) func(*middleware.Stack) error {
	return func(stack *middleware.Stack) error {
		return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("PayloadDigest",
			func(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (middleware.InitializeOutput, middleware.Metadata, error) {
				return next.HandleInitialize(v4.SetPayloadHash(ctx, sum), in)
			}), middleware.Before)
	}
}

// body reads an object from its beginning. The SDK asks for its end to know the length.
type body struct {
	object *object
	reader io.Reader
	at     int64
}

// Read implements io.Reader.
func (b *body) Read(p []byte) (int, error) {
	if b.reader == nil {
		if b.at != 0 {
			return 0, io.EOF
		}
		b.reader = b.object.open()
	}
	n, err := b.reader.Read(p)
	b.at += int64(n)
	if b.at > b.object.size || err == io.EOF && b.at != b.object.size {
		return n, errUnread
	}
	return n, err
}

// Seek implements io.Seeker, for the beginning, the end, and where it stands.
func (b *body) Seek(offset int64, whence int) (int64, error) {
	switch {
	case whence == io.SeekCurrent && offset == 0:
		return b.at, nil
	case whence == io.SeekStart && offset == b.at:
		return b.at, nil
	case whence == io.SeekStart && offset == 0:
		b.at, b.reader = 0, nil
	case whence == io.SeekEnd && offset == 0:
		b.at, b.reader = b.object.size, nil
	default:
		return 0, errors.New("s3: no such place")
	}
	return b.at, nil
}
