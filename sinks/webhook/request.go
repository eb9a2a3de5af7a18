package webhook

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"hash"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"mxhook/sinks"
	"mxhook/sinks/payload"
)

// smallBody is the size up to which a payload is held in memory instead of being
// generated anew for each pass.
const smallBody = 64 << 10

// content is the payload of an attempt, with what stays the same as long as the payload
// does.
type content struct {
	body   *payload.Body
	header map[string]string // the format's own fields of this attempt
	small  []byte            // the payload, if it is small
	digest string            // Content-Digest, "" before the first pass
}

func (c *content) open() io.ReadCloser {
	if c.small != nil {
		return io.NopCloser(bytes.NewReader(c.small))
	}
	return c.body.Open()
}

// sign makes the payload of an attempt that begins now, and its webhook-signature.
func (d *delivery) sign(now time.Time) (signature string, err error) {
	r, err := d.encoded.Request(payload.Attempt{Time: now, URL: d.url})
	if err != nil {
		return "", err
	}
	if r.Body != d.content.body {
		d.content = content{body: r.Body}
	}
	d.content.header = r.Header
	return d.content.sign(d.event.ID, now.Unix(), d.sink.config.Secrets)
}

// sign reads the payload once and returns webhook-signature for this id and
// timestamp; the first pass also makes the digest. Without secrets and with the
// digest known nothing is read.
func (c *content) sign(id string, timestamp int64, secrets [][]byte) (signature string, err error) {
	macs := make([]hash.Hash, 0, len(secrets))
	var all []io.Writer
	for _, key := range secrets {
		mac := hmac.New(sha256.New, key)
		io.WriteString(mac, id+"."+strconv.FormatInt(timestamp, 10)+".")
		macs, all = append(macs, mac), append(all, mac)
	}
	digest := sha256.New()
	if c.digest == "" {
		all = append(all, digest)
	}
	if len(all) > 0 {
		if err := c.pass(io.MultiWriter(all...)); err != nil {
			return "", err
		}
	}
	if c.digest == "" {
		c.digest = "sha-256=:" + base64.StdEncoding.EncodeToString(digest.Sum(nil)) + ":"
	}
	signatures := make([]string, 0, len(macs))
	for _, mac := range macs {
		signatures = append(signatures, "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	}
	return strings.Join(signatures, " "), nil
}

// pass writes the payload to w.
func (c *content) pass(w io.Writer) error {
	if c.small == nil && c.body.Size() <= smallBody {
		r := c.body.Open()
		p, err := io.ReadAll(r)
		if closeErr := r.Close(); err == nil {
			err = closeErr
		}
		if err != nil {
			return err
		}
		if int64(len(p)) != c.body.Size() {
			return io.ErrUnexpectedEOF
		}
		c.small = p
	}
	r := c.open()
	n, err := io.Copy(w, r)
	if closeErr := r.Close(); err == nil {
		err = closeErr
	}
	if err == nil && n != c.body.Size() {
		err = io.ErrUnexpectedEOF
	}
	return err
}

// header returns the fields of one attempt. None holds anything of the mail; the
// route's name is the operator's.
func (s *Sink) header(e *sinks.Event, c *content, attempt int, now time.Time, signature string) http.Header {
	h := s.headers.Clone()
	h.Set("User-Agent", "mxhook/"+s.config.Version)
	h.Set("Accept", "*/*")
	h.Set("Content-Type", c.body.ContentType())
	h.Set("Content-Digest", c.digest)
	h.Set("Webhook-Id", e.ID)
	h.Set("Webhook-Timestamp", strconv.FormatInt(now.Unix(), 10))
	if signature != "" {
		h.Set("Webhook-Signature", signature)
	}
	h.Set("Idempotency-Key", e.ID)
	h.Set("X-Mxhook-Attempt", strconv.Itoa(attempt))
	h.Set("X-Mxhook-Route", url.PathEscape(e.Route))
	return h
}
