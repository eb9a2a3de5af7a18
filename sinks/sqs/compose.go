package sqs

import (
	"context"
	"errors"
	"io"
	"strings"
	"time"

	"mxhook/inbound/status"
	"mxhook/sinks"
	"mxhook/sinks/payload"
	"mxhook/sinks/record"
)

// message is what one SendMessage carries.
type message struct {
	body       string
	attributes []attribute
}

func (m message) size() int64 { return sizeOf(int64(len(m.body)), m.attributes) }

// failure is an error of ours: there is no message, or not now.
func (s *Sink) failure(c *status.Condition, words string) error {
	return c.Wrap(s.client.Op(), errors.New(words))
}

// elsewhere is the failure of a sink that stores for this one. It is always temporary:
// nobody has refused the message.
func (s *Sink) elsewhere(words string, err error) error {
	c := status.ConditionOf(err)
	if c.Class() != status.Temporary {
		c = status.LocalError
	}
	return s.failure(c, words+": "+err.Error())
}

// unmade is the outcome of an event that came to no attempt.
func (s *Sink) unmade(err error) sinks.Outcome {
	words := "the message can't be made"
	if own := (*status.Error)(nil); errors.As(err, &own) && own.Err != nil {
		words = own.Err.Error()
	}
	return s.client.Fail(status.ConditionOf(err), words)
}

// compose makes the parts of an event's message and gives it its form. Errors wrap a
// Condition.
func (d *delivery) compose(ctx context.Context) error {
	s, e := d.sink, d.event
	if len(e.Recipients) == 0 || s.config.FanOut == sinks.FanOutRecipient && len(e.Recipients) != 1 {
		return s.failure(status.LocalError, "the event has the wrong number of recipients")
	}
	encoded, err := s.config.Format.Encode(ctx, e)
	if stored := (*payload.StoreError)(nil); errors.As(err, &stored) {
		return s.elsewhere("store "+stored.Store, stored.Err)
	}
	if err != nil {
		return s.failure(status.LocalError, "the payload can't be made")
	}
	request, err := encoded.Request(payload.Attempt{Time: time.Now(), URL: s.config.QueueURL})
	if err != nil {
		return s.failure(status.LocalError, "the payload can't be made")
	}
	facts, err := record.Marshal(e)
	if err != nil {
		return s.failure(status.LocalError, "the event can't be written down")
	}
	d.payload, d.attributes = request.Body, []attribute{
		{AttributeID, typeString, e.ID},
		{AttributeRoute, typeString, e.Route},
		{AttributeFormat, typeString, s.config.FormatName},
		{AttributeEvent, typeString, string(facts)},
	}
	if s.config.Raw != nil {
		if l, ok := s.config.Raw(e); ok {
			d.attributes = append(d.attributes, attribute{AttributeRaw, typeString, l.text()})
		}
	}
	return d.fit(ctx)
}

// fit gives the message the form that the queue takes: with the payload, or with a
// pointer to it. Nobody's mail is refused on a guess of how much that is.
func (d *delivery) fit(ctx context.Context) error {
	s := d.sink
	limit, sure := s.limit()
	size := sizeOf(d.payload.Size(), d.attributes)
	if size > limit && !sure && s.config.Overflow == nil {
		if err := s.ask(ctx); err != nil {
			return s.elsewhere("the queue's maximum is needed for a message of this size", err)
		}
		limit, _ = s.limit()
	}
	switch {
	case size <= limit:
		d.message = message{attributes: d.attributes}
		return nil
	case sizeOf(0, d.attributes) >= limit:
		return s.failure(status.SinkOperator, "the queue's maximum is too small for the attributes of a message")
	case s.config.Overflow == nil:
		return s.failure(status.SinkTooBig, "the message is larger than the queue takes, and there is no overflow")
	}
	return d.overflow(ctx, limit)
}

// overflow puts the payload where the message only points to. It is there before the
// message is, under a name that the next try has again.
func (d *delivery) overflow(ctx context.Context, limit int64) error {
	s := d.sink
	bucket, key, err := s.config.Overflow.Put(ctx, d.event, overflowName(d.event, s.Name(), s.config.FormatName), d.payload)
	if err != nil {
		return s.elsewhere("overflow "+s.config.Overflow.Name(), err)
	}
	d.message = message{body: Location{bucket, key}.pointer(), attributes: append(d.attributes[:len(d.attributes):len(d.attributes)], extended(d.payload.Size()))}
	if d.message.size() > limit {
		return s.failure(status.SinkOperator, "the queue's maximum is too small for a pointer and the attributes of a message")
	}
	return nil
}

// read reads the payload into the message, once, and sees that it is in characters that the
// queue takes. Formats make no others.
func (d *delivery) read() error {
	if d.message.body == "" {
		var b strings.Builder
		b.Grow(int(d.payload.Size()))
		r := d.payload.Open()
		defer r.Close()
		if _, err := io.Copy(&b, r); err != nil || int64(b.Len()) != d.payload.Size() {
			return d.sink.failure(status.LocalError, "the message can't be read")
		}
		d.message.body = b.String()
	}
	if !isText(d.message.body) {
		return d.sink.failure(status.LocalError, "the payload holds characters that no SQS message can")
	}
	for _, a := range d.message.attributes {
		if a.value == "" || !isText(a.value) {
			return d.sink.failure(status.LocalError, "attribute "+a.name+" is empty or holds characters that no SQS message can")
		}
	}
	return nil
}
