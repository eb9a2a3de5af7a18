package bridge

import (
	"fmt"

	"mxhook/cmd/internal/config"
	"mxhook/sinks"
	"mxhook/sinks/cloud"
	"mxhook/sinks/s3"
	"mxhook/sinks/sqs"
)

func (b *Bridge) buildSQS(sink config.Sink, stores map[string]sinks.Sink) (sinks.Sink, error) {
	c := sink.SQS
	tlsConfig, err := clientTLS(c.TLS)
	if err != nil {
		return nil, fmt.Errorf("sink %q: %w", sink.Name, err)
	}
	format, err := formatIn(sink, stores)
	if err != nil {
		return nil, err
	}
	var overflow sqs.Overflow
	if c.Overflow != "" {
		var ok bool
		if overflow, ok = within[sqs.Overflow](stores[c.Overflow]); !ok {
			return nil, fmt.Errorf("sink %q: overflow: sink %q can't take what a queue can't", sink.Name, c.Overflow)
		}
	}
	s, err := sqs.New(sqs.Config{
		Cloud: cloud.Config{
			Name: sink.Name, Region: c.Region, Endpoint: c.Endpoint, AccessKeyID: c.Account.AccessKeyID,
			SecretAccessKey: string(c.Account.SecretAccessKey), SessionToken: string(c.Account.SessionToken), TLS: tlsConfig,
			Timeout: c.Timeout, Attempts: c.Attempts, Concurrency: c.Concurrency, Log: b.log, Observer: b.circuits.Observe(b.observer()),
		},
		Raw:      rawAt(c.Include.Raw, stores),
		QueueURL: c.QueueURL, Format: format, FormatName: c.Format, FanOut: sinks.FanOut(c.FanOut), MaxSize: c.MaxSize, Overflow: overflow,
	})
	if err != nil {
		return nil, err
	}
	return b.circuits.Guard(s), nil
}

// rawAt tells where the message as received is stored, if it is, in S3. value is that of
// include.
func rawAt(value string, stores map[string]sinks.Sink) func(*sinks.Event) (sqs.Location, bool) {
	name, _ := config.StoreIn(value)
	store, ok := within[*s3.Sink](stores[name])
	if !ok {
		return nil
	}
	return func(e *sinks.Event) (sqs.Location, bool) {
		bucket, key := store.Object(e, "raw")
		return sqs.Location{Bucket: bucket, Key: key}, true
	}
}
