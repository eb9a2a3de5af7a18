package source_test

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"mxhook/inbound/status"
	"mxhook/sinks/sqs/source"
	"mxhook/sinks/sqs/sqstest"
)

// TestEmulators: what two servers that we did not write make of our calls.
func TestEmulators(t *testing.T) {
	for _, name := range sqstest.Emulators {
		t.Run(name, func(t *testing.T) {
			server := sqstest.Start(t, "../testdata/emulators/serve.js", name)
			server.Create(t, "jobs", 3, map[string]string{"VisibilityTimeout": "45"})
			open := func(url string) *source.Queue {
				q, err := source.New(source.Config{Name: "jobs", URL: url, Region: sqstest.Region, Endpoint: "http://" + server.Address,
					AccessKeyID: sqstest.KeyID, SecretAccessKey: sqstest.SecretKey})
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(q.Close)
				return q
			}
			q := open(server.URLs["jobs"])
			if p, err := q.Properties(t.Context()); err != nil || p != (source.Properties{Hidden: 45 * time.Second, Most: 3}) {
				t.Errorf("%+v %v", p, err)
			}
			for _, body := range []string{"one", "two", strings.Repeat("x", 200_000)} {
				if _, err := server.Client.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: aws.String(server.URLs["jobs"]), MessageBody: &body,
					MessageAttributes: map[string]types.MessageAttributeValue{"mxhook-id": {DataType: aws.String("String"), StringValue: &body}}}); err != nil {
					t.Fatal(err)
				}
			}
			seen := map[string]source.Message{}
			for len(seen) < 3 {
				got, err := q.Receive(t.Context(), 10, time.Minute, time.Second)
				if err != nil || len(got) == 0 {
					t.Fatal(len(got), err)
				}
				for _, m := range got {
					if seen[m.Body] = m; m.Receives != 1 || m.Attributes["mxhook-id"] != m.Body || m.ID == "" {
						t.Errorf("%.200v", m)
					}
				}
			}
			if err := q.Hide(t.Context(), seen["one"].Handle, 0); err != nil {
				t.Error(err)
			}
			again, err := q.Receive(t.Context(), 10, time.Minute, 5*time.Second)
			counted := name != "local-aws-sqs" // which tells no count that can be read
			if err != nil || len(again) != 1 || again[0].Body != "one" || counted && again[0].Receives != 2 {
				t.Fatalf("%.200v %v", again, err)
			}
			for _, m := range []source.Message{again[0], seen["two"], seen[strings.Repeat("x", 200_000)]} {
				if err := q.Delete(t.Context(), m.Handle); err != nil {
					t.Error(err)
				}
			}
			server.Await(t, "jobs", 0)
			if err := q.Delete(t.Context(), again[0].Handle); err != nil {
				t.Errorf("deleted twice: %v", err)
			}
			if _, err := open(server.URLs["jobs"]+"-other").Receive(t.Context(), 1, time.Minute, 0); status.ConditionOf(err) != status.SinkOperator {
				t.Errorf("no such queue: %v", err)
			}
			if counted { // nor a group
				fifo(t, server, open)
			}
		})
	}
}

// fifo: a group's messages come with its name, and the next not before the one that came.
func fifo(t *testing.T, server *sqstest.Server, open func(string) *source.Queue) {
	server.Create(t, "order.fifo", 0, map[string]string{"FifoQueue": "true"})
	for _, body := range []string{"1", "2"} {
		if _, err := server.Client.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: aws.String(server.URLs["order.fifo"]), MessageBody: &body,
			MessageGroupId: aws.String("ann@in.example"), MessageDeduplicationId: aws.String("d" + body)}); err != nil {
			t.Fatal(err)
		}
	}
	q := open(server.URLs["order.fifo"])
	got, err := q.Receive(t.Context(), 1, time.Minute, time.Second)
	if err != nil || len(got) != 1 || got[0].Body != "1" || got[0].Group != "ann@in.example" {
		t.Fatalf("%v %v", got, err)
	}
	if more, err := q.Receive(t.Context(), 1, time.Minute, 0); err != nil || len(more) != 0 {
		t.Errorf("%v %v", more, err)
	}
	if err := q.Delete(t.Context(), got[0].Handle); err != nil {
		t.Error(err)
	}
	if more, err := q.Receive(t.Context(), 1, time.Minute, time.Second); err != nil || len(more) != 1 || more[0].Body != "2" {
		t.Errorf("%v %v", more, err)
	}
}
