package sqs_test

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"mxhook/inbound/status"
	"mxhook/sinks"
	"mxhook/sinks/cloud"
	"mxhook/sinks/payload/payloadtest"
	"mxhook/sinks/s3"
	"mxhook/sinks/sinktest"
	"mxhook/sinks/sqs"
)

// received is a message as boto3 reads it.
type received struct {
	Body       string
	Attributes map[string][2]string
	Group      string
	Object     *struct {
		Key    string
		Size   int64
		SHA256 string
	}
}

func (b boto) receive(e *emulator, queue string) []received {
	b.t.Helper()
	var got struct{ Messages []received }
	b.ask(map[string]any{"do": "receive", "endpoint": e.url(), "queue": e.queue(queue)}, &got)
	return got.Messages
}

func emulatorSink(t *testing.T, e *emulator, queue string, c sqs.Config) *sqs.Sink {
	c.Cloud.Endpoint, c.QueueURL = e.url(), e.queue(queue)
	return newSink(t, c)
}

// TestEmulators runs against both servers, which boto3 reads from.
func TestEmulators(t *testing.T) {
	need(t, "the packages of testdata/emulators/package.json", "node", "-e",
		`require("local-aws-sqs"); require.resolve.paths("x").find(p => require("fs").existsSync(p + "/fauxqs")) || process.exit(1)`)
	b := startBoto(t)
	for _, e := range []*emulator{
		{name: "local-aws-sqs", account: "123456789012"},
		{name: "fauxqs", account: "000000000000", queueHost: "sqs.eu-central-1."},
	} {
		t.Run(e.name, func(t *testing.T) {
			e.address, e.queues = unused(t), []string{"text", "limit", "order.fifo", "large", "down"}
			e.start(t)
			t.Run("boto reads what was sent", func(t *testing.T) { readsWhatWasSent(t, e, b) })
			t.Run("the limit of a mebibyte", func(t *testing.T) { limitOfAMebibyte(t, e, b) })
			t.Run("a FIFO queue drops the same event", func(t *testing.T) { dropsTheSameEvent(t, e, b) })
			t.Run("a queue that is not there is the operator's", func(t *testing.T) { queueNotThere(t, e) })
			if e.name == "fauxqs" { // which has buckets, too
				t.Run("a pointer leads to the payload", func(t *testing.T) { pointerLeads(t, e, b) })
			}
			t.Run("a server that comes back is used again", func(t *testing.T) { comesBack(t, e, b) })
		})
	}
}

// readsWhatWasSent: body and attributes, in all the characters that mail has.
func readsWhatWasSent(t *testing.T, e *emulator, b boto) {
	f := startFake(t) // has what the sink sends, octet by octet
	mail := string(awkwardMail)
	if e.name == "fauxqs" { // which refuses what lies beyond U+FFFF; SQS does not
		mail = strings.NewReplacer("\U0001fffe", "", "\U0001f600", "", "=F0=9F=98=80", "").Replace(mail)
	}
	event := payloadtest.Event(t, []byte(mail))
	for _, s := range []*sqs.Sink{newSink(t, sqs.Config{Cloud: cloud.Config{Endpoint: f.URL}}), emulatorSink(t, e, "text", sqs.Config{})} {
		if o := s.Deliver(t.Context(), event); o.Err != nil {
			t.Fatalf("%+v", o)
		}
	}
	got, want := b.receive(e, "text"), f.sent()[0]
	if len(got) != 1 || got[0].Body != want.Body {
		t.Fatalf("%d messages, or another body", len(got))
	}
	attributes := map[string][2]string{}
	for name, a := range want.Attributes {
		attributes[name] = [2]string{a.DataType, a.StringValue}
	}
	if !maps.Equal(got[0].Attributes, attributes) {
		t.Errorf("got %v, want %v", got[0].Attributes, attributes)
	}
}

// limitOfAMebibyte: what the sink lets through the server takes, and what it
// doesn't the server refuses, to the octet, attributes and all.
func limitOfAMebibyte(t *testing.T, e *emulator, b boto) {
	event := sinktest.NewEvent(10)
	n := attributesOf(t, event)
	if o := emulatorSink(t, e, "limit", sqs.Config{Format: sized(1<<20 - n)}).Deliver(t.Context(), event); o.Err != nil {
		t.Fatalf("1 MiB: %+v", o)
	}
	got := b.receive(e, "limit")
	if len(got) != 1 || int64(len(got[0].Body)) != 1<<20-n {
		t.Fatalf("%d messages", len(got))
	}
	if o := emulatorSink(t, e, "limit", sqs.Config{Format: sized(1<<20 - n + 1)}).Deliver(t.Context(), event); condition(o) != status.SinkTooBig || o.Attempts != 0 {
		t.Errorf("1 MiB and an octet: %+v", o)
	}
	for extra, refused := range map[int64]bool{0: false, 1: true} {
		var answer struct{ Error string }
		b.ask(map[string]any{"do": "send", "endpoint": e.url(), "queue": e.queue("limit"), "size": 1<<20 - n + extra, "attributes": got[0].Attributes}, &answer)
		if (answer.Error != "") != refused {
			t.Errorf("%d octets more: the server says %q", extra, answer.Error)
		}
	}
}

func dropsTheSameEvent(t *testing.T, e *emulator, b boto) {
	s := emulatorSink(t, e, "order.fifo", sqs.Config{})
	for _, recipient := range []string{"ann@in.example", "ann@in.example", "\"a b\"@in.example", "Ann@in.example"} {
		if o := s.Deliver(t.Context(), sinktest.NewEvent(10, recipient)); o.Err != nil {
			t.Fatalf("%s: %+v", recipient, o)
		}
	}
	got := b.receive(e, "order.fifo")
	if len(got) != 2 {
		t.Fatalf("%d messages", len(got))
	}
	if groups := []string{got[0].Group, got[1].Group}; e.name == "fauxqs" && !slices.Contains(groups, "ann@in.example") {
		t.Errorf("groups %q", groups)
	}
}

func queueNotThere(t *testing.T, e *emulator) {
	o := emulatorSink(t, e, "other", sqs.Config{}).Deliver(t.Context(), sinktest.NewEvent(10))
	if condition(o) != status.SinkOperator || o.Attempts != 1 || !strings.HasPrefix(status.ReplyOf(o.Err).String(), "451 4.3.5") {
		t.Errorf("%+v", o)
	}
	if err := emulatorSink(t, e, "other", sqs.Config{}).Check(t.Context()); status.ConditionOf(err) != status.SinkOperator {
		t.Errorf("check: %v", err)
	}
}

func comesBack(t *testing.T, e *emulator, b boto) {
	s := emulatorSink(t, e, "down", sqs.Config{})
	deliver := func(recipient string) sinks.Outcome {
		return s.Deliver(t.Context(), sinktest.NewEvent(10, recipient))
	}
	if o := deliver("a@in.example"); o.Err != nil {
		t.Fatal(o.Err)
	}
	e.stop()
	if o := deliver("b@in.example"); condition(o) != status.SinkUnavailable || !strings.HasPrefix(status.ReplyOf(o.Err).String(), "451 4.4.1") {
		t.Errorf("down: %+v", o)
	}
	e.start(t)
	if o := deliver("c@in.example"); o.Err != nil {
		t.Errorf("up again: %+v", o)
	}
	if got := b.receive(e, "down"); len(got) != 1 {
		t.Errorf("%d messages", len(got))
	}
}

// pointerLeads: boto3 finds the payload where the message says, octet by octet.
func pointerLeads(t *testing.T, e *emulator, b boto) {
	over, err := s3.New(s3.Config{
		Bucket: "mail-archive", Prefix: "in/{route}/", PathStyle: true,
		Cloud: cloud.Config{Name: "archive", Region: "eu-central-1", Endpoint: e.url(), AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "key-canary"},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(over.Close)
	f, kept := startFake(t), &shelf{} // has what goes into the overflow
	event := sinktest.NewEvent(3 << 20)
	for _, s := range []*sqs.Sink{newSink(t, sqs.Config{Cloud: cloud.Config{Endpoint: f.URL}, Overflow: kept}), emulatorSink(t, e, "large", sqs.Config{Overflow: over})} {
		if o := s.Deliver(t.Context(), event); o.Err != nil {
			t.Fatalf("%+v", o)
		}
	}
	var got struct{ Messages []received }
	b.ask(map[string]any{"do": "receive", "endpoint": e.url(), "queue": e.queue("large"), "s3": e.url()}, &got)
	name := event.Edition() + ".jobs.mxhook"
	sum := sha256.Sum256([]byte(kept.all()[name]))
	if len(got.Messages) != 1 || got.Messages[0].Object == nil {
		t.Fatalf("%+v", got)
	}
	m := got.Messages[0]
	if o := m.Object; o.Key != "in/overflow/"+name || o.SHA256 != hex.EncodeToString(sum[:]) || m.Attributes[sqs.AttributeExtended] != [2]string{"Number", strconv.FormatInt(o.Size, 10)} {
		t.Errorf("%+v, %v", o, m.Attributes[sqs.AttributeExtended])
	}
}
