package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go"
)

// deadLetters is the queue for what no other try will deliver: what a sink has refused for
// good, and what can't be read. The source's own redrive policy would bring it here only
// after all its tries, each of which a sink would see.
type deadLetters struct {
	client *sqs.Client
	url    string
}

// put sends a message as it came. The error holds no text of a server.
func (d *deadLetters) put(ctx context.Context, m events.SQSMessage) error {
	in := &sqs.SendMessageInput{QueueUrl: &d.url, MessageBody: &m.Body, MessageAttributes: map[string]types.MessageAttributeValue{}}
	for name, a := range m.MessageAttributes {
		in.MessageAttributes[name] = types.MessageAttributeValue{DataType: aws.String(a.DataType), StringValue: a.StringValue, BinaryValue: a.BinaryValue}
	}
	if strings.HasSuffix(d.url, ".fifo") {
		in.MessageGroupId, in.MessageDeduplicationId = aws.String(m.Attributes["MessageGroupId"]), aws.String(m.MessageId)
	}
	_, err := d.client.SendMessage(ctx, in)
	var told smithy.APIError
	switch {
	case errors.As(err, &told):
		return fmt.Errorf("SQS says %s of the dead-letter queue", told.ErrorCode())
	case err != nil:
		return errors.New("the dead-letter queue can't be reached, or there are no credentials")
	}
	return nil
}
