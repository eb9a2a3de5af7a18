package bridge

import (
	"context"
	"fmt"
	"time"

	"mxhook/cmd/internal/config"
	"mxhook/cmd/internal/worker"
	"mxhook/sinks/sqs/source"
)

// openQueue makes the queue of a source. It opens no connection.
func (b *Bridge) openQueue(s config.Source) (worker.Queue, error) {
	if b.options.Queue != nil {
		return b.options.Queue(s)
	}
	switch s.Type {
	case "sqs":
		q, err := source.New(source.Config{
			Name: s.Name, URL: s.QueueURL, Region: s.Region, Endpoint: s.Endpoint, Connections: 2 * s.Concurrency,
			AccessKeyID: s.Account.AccessKeyID, SecretAccessKey: string(s.Account.SecretAccessKey), SessionToken: string(s.Account.SessionToken),
		})
		return sqsQueue{q}, err
	}
	return nil, fmt.Errorf("type %s is unknown", s.Type)
}

// sqsQueue is a queue of SQS in the words of a worker.
type sqsQueue struct{ *source.Queue }

// Properties implements worker.Queue.
func (q sqsQueue) Properties(ctx context.Context) (worker.Properties, error) {
	p, err := q.Queue.Properties(ctx)
	return worker.Properties(p), err
}

// Receive implements worker.Queue.
func (q sqsQueue) Receive(ctx context.Context, n int, hidden, wait time.Duration) ([]worker.Message, error) {
	got, err := q.Queue.Receive(ctx, n, hidden, wait)
	list := make([]worker.Message, len(got))
	for i, m := range got {
		list[i] = worker.Message(m)
	}
	return list, err
}

// Hide implements worker.Queue.
func (q sqsQueue) Hide(ctx context.Context, m worker.Message, d time.Duration) error {
	return q.Queue.Hide(ctx, m.Handle, d)
}

// Delete implements worker.Queue.
func (q sqsQueue) Delete(ctx context.Context, m worker.Message) error {
	return q.Queue.Delete(ctx, m.Handle)
}

// Queues opens the queues of a configuration's sources outside a bridge, as Sinks makes
// its sinks. It opens no connection.
func Queues(c *config.Config, o Options) (map[string]worker.Queue, error) {
	b := &Bridge{options: o}
	all := map[string]worker.Queue{}
	for _, s := range c.Sources {
		q, err := b.openQueue(s)
		if err != nil {
			return nil, fmt.Errorf("source %q: %w", s.Name, err)
		}
		all[s.Name] = q
	}
	return all, nil
}
