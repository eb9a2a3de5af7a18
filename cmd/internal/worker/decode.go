package worker

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"strings"

	"mxhook/inbound"
	"mxhook/inbound/status"
	"mxhook/sinks"
	"mxhook/sinks/record"
	"mxhook/sinks/sqs"
)

// The errors of Objects.
var (
	ErrNoObject = errors.New("the object is not there")
	ErrBucket   = errors.New("no s3 sink of the configuration has the bucket")
)

// nativeFormat is the format that carries the message as received.
const nativeFormat = "mxhook"

const op = "worker"

// Decoder makes events of messages.
type Decoder struct {
	Store   *inbound.Store // takes the message's bytes
	Objects Objects        // nil: what only points elsewhere can't be read
}

// Decode makes the event again that a sink has put into the queue, with its bytes and the
// Message parsed from them. The caller releases Data. The error is a *PoisonError, or
// wraps a temporary Condition.
//
// The bytes are never held twice: they are decoded from the body, or from an object, while
// they go into the Store. Their digest is checked.
func (d Decoder) Decode(ctx context.Context, m Message) (*sinks.Event, error) {
	e, raw, err := readEvent(m)
	if err != nil {
		return nil, err
	}
	if err := d.Store.Admit(raw.Size); err != nil {
		return e, err
	}
	data, err := d.data(ctx, m, raw)
	if err != nil {
		return e, err
	}
	err = record.Complete(e, data)
	switch {
	case err == nil:
		return e, nil
	case errors.Is(err, record.ErrRecord):
		err = poison(cureForeign, "attribute %s doesn't fit the message", AttributeEvent)
	default:
		err = status.LocalError.Wrap(op, err)
	}
	data.Release()
	e.Data = nil
	return e, err
}

// The cures.
const (
	cureForeign = "let sqs sinks of mxhook alone write to this queue; what others have put there goes to its dead-letter queue"
	cureRaw     = "give the sqs sink that fills the queue format: mxhook and include: {raw: inline}, or raw: store:SINK"
	cureDamage  = "the message was changed on its way; look at it in the dead-letter queue"
	cureBucket  = "define an s3 sink with that bucket in the worker's configuration: from no other bucket is anything read"
	cureGone    = "keep objects in the bucket for longer than messages in the queue and its dead-letter queue"
)

// readEvent reads what the attributes say. The digest is always known.
func readEvent(m Message) (*sinks.Event, record.Raw, error) {
	text, ok := m.Attributes[AttributeEvent]
	if !ok {
		return nil, record.Raw{}, poison(cureForeign, "attribute %s is missing", AttributeEvent)
	}
	e, raw, err := record.Read([]byte(text))
	if err != nil || raw == nil {
		return nil, record.Raw{}, poison(cureForeign, "attribute %s can't be read", AttributeEvent)
	}
	return e, *raw, nil
}

// data gets the message's bytes.
func (d Decoder) data(ctx context.Context, m Message, want record.Raw) (*inbound.MailData, error) {
	buffer := d.Store.NewBuffer(want.Size)
	defer buffer.Discard()
	to := &bounded{to: buffer, left: want.Size}
	if err := d.fill(ctx, m, to); err != nil {
		switch {
		case to.failed != nil:
			return nil, status.NoStorage.Wrap(op, to.failed)
		case to.over:
			return nil, poison(cureDamage, "the message is larger than attribute %s says", AttributeEvent)
		}
		return nil, err
	}
	data, err := buffer.Freeze()
	if err != nil {
		return nil, status.NoStorage.Wrap(op, err)
	}
	if !want.Is(data) {
		data.Release()
		return nil, poison(cureDamage, "the message's digest or size is not that of attribute %s", AttributeEvent)
	}
	return data, nil
}

// bounded is a Buffer that takes so many octets alone, and knows why it took no more.
type bounded struct {
	to     io.Writer
	left   int64
	over   bool
	failed error
}

func (b *bounded) Write(p []byte) (int, error) {
	if b.left -= int64(len(p)); b.left < 0 {
		b.over = true
		return 0, errors.New("too large")
	}
	n, err := b.to.Write(p)
	b.failed = err
	return n, err
}

// fill writes the message as received: from where attribute mxhook-raw says, else from
// the payload, which is the body or where the body points to.
func (d Decoder) fill(ctx context.Context, m Message, to io.Writer) error {
	if text, ok := m.Attributes[sqs.AttributeRaw]; ok {
		var l sqs.Location
		if json.Unmarshal([]byte(text), &l) != nil || l.Bucket == "" || l.Key == "" {
			return poison(cureForeign, "attribute %s can't be read", sqs.AttributeRaw)
		}
		return d.object(ctx, l, func(r io.Reader) error {
			_, err := io.Copy(to, r)
			return err
		})
	}
	if f := m.Attributes[sqs.AttributeFormat]; f != nativeFormat {
		return poison(cureRaw, "format %s doesn't carry the message as received", strconv.Quote(status.CleanText(f, 64)))
	}
	l, isPointer := pointerIn(m)
	if !isPointer {
		return rawContent(strings.NewReader(m.Body), to)
	}
	return d.object(ctx, l, func(r io.Reader) error { return rawContent(r, to) })
}

// pointerIn tells whether the body points to the payload. A native payload is an object,
// so that it is never taken for one.
func pointerIn(m Message) (l sqs.Location, ok bool) {
	if !strings.HasPrefix(strings.TrimLeft(m.Body, " \t\r\n"), "[") || len(m.Body) > 64<<10 {
		return l, false
	}
	var parts []json.RawMessage
	var class string
	if json.Unmarshal([]byte(m.Body), &parts) != nil || len(parts) != 2 || json.Unmarshal(parts[0], &class) != nil || class != sqs.PointerClass {
		return l, false
	}
	err := json.Unmarshal(parts[1], &l)
	return l, err == nil && l.Bucket != "" && l.Key != ""
}

// object reads an object.
func (d Decoder) object(ctx context.Context, l sqs.Location, read func(io.Reader) error) error {
	if d.Objects == nil {
		return poison(cureBucket, "it points to bucket %s: %v", strconv.Quote(status.CleanText(l.Bucket, 64)), ErrBucket)
	}
	body, err := d.Objects.Open(ctx, l.Bucket, l.Key)
	if err == nil {
		defer body.Close()
		err = read(body)
	}
	var p *PoisonError
	switch {
	case err == nil || errors.As(err, &p):
		return err
	case errors.Is(err, ErrBucket):
		return poison(cureBucket, "it points to bucket %s: %v", strconv.Quote(status.CleanText(l.Bucket, 64)), err)
	case errors.Is(err, ErrNoObject):
		return poison(cureGone, "it points to bucket %s, and %v", strconv.Quote(status.CleanText(l.Bucket, 64)), err)
	}
	if c := status.ConditionOf(err); c != status.LocalError && c.Class() == status.Temporary {
		return err
	}
	return status.SinkUnavailable.Wrap("bucket "+strconv.Quote(status.CleanText(l.Bucket, 64)), errors.New("the object can't be read to its end"))
}

// rawContent writes raw.content of a native payload.
func rawContent(payload io.Reader, to io.Writer) error {
	s := newScanner(payload)
	found := false
	err := s.object(func(key string) error {
		if key != "raw" {
			return s.skip()
		}
		return s.object(func(key string) error {
			if key != "content" || found {
				return s.skip()
			}
			var err error
			found, err = s.base64(to)
			return err
		})
	})
	if err == nil {
		err = s.end()
	}
	var corrupt base64.CorruptInputError
	switch {
	case errors.Is(err, errJSON) || errors.As(err, &corrupt):
		return poison(cureForeign, "the body is no payload of mxhook: %v", err)
	case err == nil && !found:
		return poison(cureRaw, "the payload doesn't carry the message as received: raw.content is null")
	}
	return err
}

// base64 writes what a string holds; false where it is null.
func (s *scanner) base64(to io.Writer) (bool, error) {
	c, err := s.next()
	switch {
	case err != nil:
		return false, err
	case c == 'n':
		return false, s.literal(c)
	case c != '"':
		return false, errJSON
	}
	content := &text{s: s}
	if _, err := io.Copy(to, base64.NewDecoder(base64.StdEncoding, content)); err != nil {
		if errors.Is(err, io.ErrUnexpectedEOF) && content.done { // of the base64
			err = errJSON
		}
		return false, err
	}
	return true, nil
}
