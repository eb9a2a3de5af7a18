package sqs

import (
	"cmp"
	"context"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"mxhook/inbound/status"
)

const (
	// Most is what SQS takes at most, of any queue.
	Most = 1 << 20
	// assumed is what stands for the queue's maximum until the queue has told it: what every
	// queue takes whose owner did not lower it.
	assumed = 256 << 10
)

// askAgain is how often the queue is asked for its maximum, which its owner may change. After
// an error it is asked after a second, and twice as late each time up to askAgain.
const askAgain = 10 * time.Minute

// limit returns how large a message may be. sure is false when that is a guess, on which
// nobody's mail may be refused.
func (s *Sink) limit() (n int64, sure bool) {
	n, sure = s.maximum.Load(), true
	if n == 0 {
		n, sure = Most, false
		if s.config.MaxSize == 0 {
			n = assumed
		}
	}
	n = min(n, Most)
	if s.config.MaxSize > 0 {
		n, sure = min(n, s.config.MaxSize), true
	}
	return n, sure
}

// learn asks the queue for its maximum, in an attempt that is under way.
func (s *Sink) learn(ctx context.Context, sdk *aws.Config) error {
	const name = types.QueueAttributeNameMaximumMessageSize
	out, err := s.sqs(sdk).GetQueueAttributes(ctx, &awssqs.GetQueueAttributesInput{QueueUrl: &s.config.QueueURL, AttributeNames: []types.QueueAttributeName{name}})
	if err != nil {
		return err
	}
	n, err := strconv.ParseInt(out.Attributes[string(name)], 10, 64)
	if err != nil || n <= 0 {
		return s.failure(status.SinkFailed, "the queue tells no MaximumMessageSize")
	}
	if old := s.maximum.Swap(n); old != n {
		s.log.Info("the queue's maximum is known", "maximum_message_size", n)
	}
	return nil
}

// ask asks the queue for its maximum. The error wraps a Condition.
func (s *Sink) ask(ctx context.Context) error {
	if ctx.Err() == nil {
		own, cancel := context.WithTimeout(ctx, cmp.Or(s.config.Cloud.Timeout, 25*time.Second))
		defer cancel()
		if err := s.client.Check(own, s.learn); err == nil || ctx.Err() == nil {
			return err
		}
	}
	return s.failure(status.BudgetExceeded, "the budget ended before there was an answer")
}

// Start begins to ask the queue for its maximum, again and again. It doesn't wait: until
// the queue has answered, 256 KiB stand for it. Close ends it.
func (s *Sink) Start() {
	ctx, cancel := context.WithCancel(context.Background())
	s.stop = cancel
	s.asking.Go(func() { s.keepAsking(ctx) })
}

func (s *Sink) keepAsking(ctx context.Context) {
	first := cmp.Or(s.config.Cloud.Backoff, time.Second)
	wait, last := first, ""
	for ctx.Err() == nil {
		err := s.ask(ctx)
		switch {
		case err == nil:
			wait, last = askAgain, ""
		case ctx.Err() == nil && last != err.Error(): // once for each reason
			last = err.Error()
			s.log.Warn("the queue doesn't tell its maximum", "error", err)
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-timer.C:
		}
		timer.Stop()
		if wait = min(2*wait, askAgain); err == nil {
			wait = first
		}
	}
}

// Check asks the queue for its maximum, which tells of the network, the certificate, the
// credentials, the queue and one of the two rights that the sink needs. See sinks.Checker.
func (s *Sink) Check(ctx context.Context) error { return s.ask(ctx) }
