// Package source is the other end of an SQS queue: it receives, hides and deletes messages
// for a worker. It knows nothing of what they hold, and never tries again by itself.
//
// A Queue is safe for concurrent use. Its errors wrap a Condition of package status, whose
// texts may be logged: the server's error code and status, or how the connection failed.
// Sources: SQS API Reference (2012-11-05).
package source

import (
	"cmp"
	"context"
	"errors"
	"strconv"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"mxhook/sinks/cloud"
)

// Config says which queue, and who we are there. URL is needed.
type Config struct {
	Name     string // of the source
	URL      string
	Region   string // "": the environment's
	Endpoint string // "": AWS's
	// The keys are "" for the SDK's own chain.
	AccessKeyID, SecretAccessKey, SessionToken string
	Connections                                int // that are kept for use; default 32
}

// Message is one message as it was received.
type Message struct {
	ID, Handle, Group string // Group is that of a FIFO queue
	Receives          int    // 1 at the least
	Body              string
	Attributes        map[string]string // those of type String and Number
}

// Properties are what the queue does by itself.
type Properties struct {
	Hidden time.Duration // the visibility timeout
	Most   int           // maxReceiveCount of the redrive policy; 0: there is none
}

// answerTime bounds how long a call may take, beyond the wait of a long poll.
const answerTime = 10 * time.Second

// Queue is one queue.
type Queue struct {
	config Config
	cloud  *cloud.Client

	mu     sync.Mutex
	sdk    *aws.Config // that client was made of
	client *sqs.Client
}

// New returns a Queue. It opens no connection.
func New(c Config) (*Queue, error) {
	if c.URL == "" {
		return nil, errors.New("a queue needs its URL")
	}
	api, err := cloud.New(cloud.Config{
		Name: cmp.Or(c.Name, "source"), Region: c.Region, Endpoint: c.Endpoint, Concurrency: cmp.Or(c.Connections, 32),
		AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey, SessionToken: c.SessionToken,
	})
	return &Queue{config: c, cloud: api}, err
}

// Close closes the connections that wait for use.
func (q *Queue) Close() { q.cloud.Close() }

// api returns the client of the SDK's present configuration.
func (q *Queue) api(ctx context.Context) (*sqs.Client, error) {
	sdk, err := q.cloud.SDK(ctx)
	if err != nil {
		return nil, err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.sdk != sdk {
		q.sdk, q.client = sdk, sqs.NewFromConfig(*sdk)
	}
	return q.client, nil
}

// Properties asks for the queue's attributes.
func (q *Queue) Properties(ctx context.Context) (p Properties, err error) {
	api, err := q.api(ctx)
	if err != nil {
		return p, err
	}
	out, err := api.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{QueueUrl: &q.config.URL,
		AttributeNames: []types.QueueAttributeName{types.QueueAttributeNameAll}}) // some servers know no single RedrivePolicy
	if err != nil {
		return p, q.failed("GetQueueAttributes", err)
	}
	seconds, _ := strconv.Atoi(out.Attributes[string(types.QueueAttributeNameVisibilityTimeout)])
	p.Hidden = time.Duration(seconds) * time.Second
	p.Most = maxReceiveCount(out.Attributes[string(types.QueueAttributeNameRedrivePolicy)])
	return p, nil
}

// Receive returns up to n messages, 10 at most, hidden for hidden. It waits for one for
// wait, 20 s at most.
func (q *Queue) Receive(ctx context.Context, n int, hidden, wait time.Duration) ([]Message, error) {
	ctx, cancel := context.WithTimeout(ctx, wait+answerTime)
	defer cancel()
	api, err := q.api(ctx)
	if err != nil {
		return nil, err
	}
	out, err := api.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{
		QueueUrl: &q.config.URL, MaxNumberOfMessages: int32(min(n, 10)), VisibilityTimeout: seconds(hidden), WaitTimeSeconds: seconds(wait),
		MessageAttributeNames:       []string{"All"},
		MessageSystemAttributeNames: []types.MessageSystemAttributeName{types.MessageSystemAttributeNameApproximateReceiveCount, types.MessageSystemAttributeNameMessageGroupId},
	})
	if err != nil {
		return nil, q.failed("ReceiveMessage", err)
	}
	list := make([]Message, 0, len(out.Messages))
	for _, m := range out.Messages {
		list = append(list, message(m))
	}
	return list, nil
}

func message(m types.Message) Message {
	out := Message{ID: aws.ToString(m.MessageId), Handle: aws.ToString(m.ReceiptHandle), Body: aws.ToString(m.Body),
		Group: m.Attributes[string(types.MessageSystemAttributeNameMessageGroupId)], Attributes: map[string]string{}}
	n, _ := strconv.Atoi(m.Attributes[string(types.MessageSystemAttributeNameApproximateReceiveCount)])
	out.Receives = max(n, 1)
	for name, v := range m.MessageAttributes {
		if v.StringValue != nil {
			out.Attributes[name] = *v.StringValue
		}
	}
	return out
}

// seconds is d as SQS takes it, a part of a second as a whole one.
func seconds(d time.Duration) int32 { return int32((d + time.Second - 1) / time.Second) }

// Hide hides a message for d, 12 hours at most; 0 makes it visible.
func (q *Queue) Hide(ctx context.Context, handle string, d time.Duration) error {
	api, err := q.api(ctx)
	if err != nil {
		return err
	}
	_, err = api.ChangeMessageVisibility(ctx, &sqs.ChangeMessageVisibilityInput{QueueUrl: &q.config.URL, ReceiptHandle: &handle, VisibilityTimeout: seconds(d)})
	return q.failed("ChangeMessageVisibility", err)
}

// Delete removes a message. One that is gone already is no error.
func (q *Queue) Delete(ctx context.Context, handle string) error {
	api, err := q.api(ctx)
	if err != nil {
		return err
	}
	_, err = api.DeleteMessage(ctx, &sqs.DeleteMessageInput{QueueUrl: &q.config.URL, ReceiptHandle: &handle})
	return q.failed("DeleteMessage", err)
}

// failed says what an error of the SDK means, in words of our own.
func (q *Queue) failed(call string, err error) error {
	return cloud.Failed("source "+q.config.Name, call, err)
}
