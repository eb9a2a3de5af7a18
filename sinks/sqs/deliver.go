package sqs

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"mxhook/inbound/status"
	"mxhook/sinks"
	"mxhook/sinks/cloud"
	"mxhook/sinks/payload"
)

// Deliver sends the event, see sinks.Sink.
func (s *Sink) Deliver(ctx context.Context, e *sinks.Event) sinks.Outcome {
	if ctx.Err() != nil {
		return s.client.Fail(status.BudgetExceeded, "the budget ended before the request was sent")
	}
	d := &delivery{sink: s, event: e}
	if err := d.compose(ctx); err != nil {
		return s.unmade(err)
	}
	return s.client.Deliver(ctx, e, d.send)
}

// delivery is one event on its way: the attempts of one Deliver.
type delivery struct {
	sink       *Sink
	event      *sinks.Event
	payload    *payload.Body
	attributes []attribute // without that of a pointer
	message    message     // whose body is "" until the payload was read
}

// send makes one attempt. A message that the queue finds too large takes another form when
// its owner has lowered the maximum since.
func (d *delivery) send(ctx context.Context, sdk *aws.Config) error {
	if err := d.read(); err != nil {
		return err
	}
	err := d.sendMessage(ctx, sdk)
	if !tooLarge(err) {
		return err
	}
	refused := d.sink.failure(status.SinkOperator, "the queue refuses the message: "+cloud.MeaningOf(cloud.StatusOf(err), cloud.Code(err)).Detail)
	if d.sink.learn(ctx, sdk) != nil {
		return refused
	}
	if limit, _ := d.sink.limit(); d.message.size() <= limit {
		return refused
	}
	if err := d.fit(ctx); err != nil {
		return err
	}
	if err := d.read(); err != nil {
		return err
	}
	return d.sendMessage(ctx, sdk)
}

// oversize are the codes of answers to a message that is too large, among other things.
var oversize = []string{"InvalidParameterValue", "InvalidParameterValueException", "MessageTooLong", "RequestEntityTooLarge"}

func tooLarge(err error) bool {
	return err != nil && (slices.Contains(oversize, cloud.Code(err)) || cloud.StatusOf(err) == http.StatusRequestEntityTooLarge)
}

// sendMessage makes one request. A yes with a digest of something else is none.
func (d *delivery) sendMessage(ctx context.Context, sdk *aws.Config) error {
	m := d.message
	in := &awssqs.SendMessageInput{
		QueueUrl: &d.sink.config.QueueURL, MessageBody: &m.body, MessageAttributes: make(map[string]types.MessageAttributeValue, len(m.attributes)),
	}
	for _, a := range m.attributes {
		in.MessageAttributes[a.name] = types.MessageAttributeValue{DataType: &a.dataType, StringValue: &a.value}
	}
	if d.sink.fifo {
		in.MessageGroupId, in.MessageDeduplicationId = aws.String(groupOf(d.event.Recipients[0])), &d.event.ID
	}
	out, err := d.sink.sqs(sdk).SendMessage(ctx, in)
	if err != nil {
		return err
	}
	if aws.ToString(out.MD5OfMessageBody) != digestOf(m.body) || aws.ToString(out.MD5OfMessageAttributes) != digestOfAttributes(m.attributes) {
		return status.SinkFailed.Wrap(d.sink.client.Op(), errors.New("the queue's digest is not that of what was sent"))
	}
	return nil
}

// sdkClient is the SDK's client of one of its configurations.
type sdkClient struct {
	of *aws.Config
	*awssqs.Client
}

// sqs returns the SDK's client. Digests are compared here, since it knows those of bodies
// alone.
func (s *Sink) sqs(sdk *aws.Config) *awssqs.Client {
	c := s.made.Load()
	if c == nil || c.of != sdk {
		c = &sdkClient{sdk, awssqs.NewFromConfig(*sdk, func(o *awssqs.Options) { o.DisableMessageChecksumValidation = true })}
		s.made.Store(c)
	}
	return c.Client
}
