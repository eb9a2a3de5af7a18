package sqs_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"mxhook/inbound/status"
	"mxhook/sinks"
	"mxhook/sinks/payload"
	"mxhook/sinks/payload/formats"
	"mxhook/sinks/sqs"
)

// fake is a queue behind SQS's JSON protocol. It holds no digest of its own making: those
// it answers with are computed by the sink's code, which the emulators check.
type fake struct {
	*httptest.Server
	t testing.TB

	mu       sync.Mutex
	maximum  int
	messages []sent
	calls    []string
	answer   func(w http.ResponseWriter, target string, in request) bool // true: it has answered
}

type sent struct {
	Body       string
	Attributes map[string]attributeValue
	Group, ID  string
}

type attributeValue struct{ DataType, StringValue string }

// request is a SendMessage or a GetQueueAttributes.
type request struct {
	QueueURL               string `json:"QueueUrl"`
	MessageBody            string
	MessageAttributes      map[string]attributeValue
	MessageGroupID         string `json:"MessageGroupId"`
	MessageDeduplicationID string `json:"MessageDeduplicationId"`
	AttributeNames         []string
}

func startFake(t testing.TB) *fake {
	f := &fake{t: t, maximum: 1 << 20}
	f.Server = httptest.NewServer(http.HandlerFunc(f.serve))
	t.Cleanup(f.Close)
	return f
}

func (f *fake) serve(w http.ResponseWriter, r *http.Request) {
	_, target, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	var in request
	body, err := io.ReadAll(r.Body)
	if err != nil || json.Unmarshal(body, &in) != nil || !strings.HasPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 Credential=") {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	f.mu.Lock()
	f.calls = append(f.calls, target)
	answer, maximum := f.answer, f.maximum
	f.mu.Unlock()
	if answer != nil && answer(w, target, in) {
		return
	}
	switch target {
	case "GetQueueAttributes":
		answerJSON(w, map[string]any{"Attributes": map[string]string{"MaximumMessageSize": fmt.Sprint(maximum)}})
	case "SendMessage":
		if in.size() > maximum {
			refuse(w, http.StatusBadRequest, "com.amazonaws.sqs#InvalidParameterValue")
			return
		}
		f.keep(in)
		answerJSON(w, map[string]any{"MessageId": "1", "MD5OfMessageBody": sqs.DigestOf(in.MessageBody), "MD5OfMessageAttributes": in.digest()})
	default:
		f.t.Errorf("unknown action %q", target)
	}
}

func (f *fake) keep(in request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.messages = append(f.messages, sent{in.MessageBody, in.MessageAttributes, in.MessageGroupID, in.MessageDeduplicationID})
}

// size is written out here, so that the sink's own sum is not asked.
func (r request) size() int {
	n := len(r.MessageBody)
	for name, a := range r.MessageAttributes {
		n += len(name) + len(a.DataType) + len(a.StringValue)
	}
	return n
}

func (r request) digest() string {
	var list []sqs.Attribute
	for name, a := range r.MessageAttributes {
		list = append(list, sqs.NewAttribute(name, a.DataType, a.StringValue))
	}
	return sqs.DigestOfAttributes(list)
}

func answerJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	json.NewEncoder(w).Encode(v)
}

func refuse(w http.ResponseWriter, code int, name string) {
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	w.WriteHeader(code)
	json.NewEncoder(w).Encode(map[string]string{"__type": name, "message": "answer-canary"})
}

// set changes what is answered; nil is what a queue does.
func (f *fake) set(answer func(w http.ResponseWriter, target string, in request) bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answer = answer
}

// refusing answers each SendMessage with an error.
func (f *fake) refusing(code int, name string) {
	f.set(func(w http.ResponseWriter, target string, _ request) bool {
		if target == "SendMessage" {
			refuse(w, code, name)
		}
		return target == "SendMessage"
	})
}

func (f *fake) shrink(maximum int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.maximum = maximum
}

func (f *fake) sent() []sent {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.messages)
}

// count tells how often an action was called.
func (f *fake) count(target string) (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range f.calls {
		if c == target {
			n++
		}
	}
	return n
}

// stored returns the events that the queue has.
func (f *fake) stored() map[string]int {
	ids := map[string]int{}
	for _, m := range f.sent() {
		ids[m.Attributes[sqs.AttributeID].StringValue]++
	}
	return ids
}

// shelf is an overflow in memory.
type shelf struct {
	mu   sync.Mutex
	kept map[string]string
	err  error
}

func (s *shelf) Name() string { return "archive" }

func (s *shelf) Put(ctx context.Context, _ *sinks.Event, name string, body *payload.Body) (bucket, key string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return "", "", s.err
	}
	if err := ctx.Err(); err != nil {
		return "", "", status.BudgetExceeded.Wrap("sink archive", err)
	}
	var b bytes.Buffer
	if _, err := io.Copy(&b, body.Open()); err != nil {
		return "", "", status.LocalError.Wrap("sink archive", err)
	}
	if s.kept == nil {
		s.kept = map[string]string{}
	}
	if _, there := s.kept[name]; !there {
		s.kept[name] = b.String()
	}
	return "mail-archive", "in/overflow/" + name, nil
}

func (s *shelf) all() map[string]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.kept)
}

const queuePath = "/123456789012/jobs"

// newSink makes a sink with what a test's configuration leaves out.
func newSink(t testing.TB, c sqs.Config) *sqs.Sink {
	t.Helper()
	c.Cloud.Name, c.Cloud.Region = cmp.Or(c.Cloud.Name, "jobs"), "eu-central-1"
	c.Cloud.AccessKeyID, c.Cloud.SecretAccessKey = "AKIDEXAMPLE", "key-canary"
	c.Cloud.Backoff = cmp.Or(c.Cloud.Backoff, time.Millisecond)
	c.QueueURL = cmp.Or(c.QueueURL, c.Cloud.Endpoint+queuePath)
	if c.FormatName == "" {
		c.FormatName = "mxhook"
	}
	if c.Format == nil {
		var err error
		if c.Format, err = formats.New(c.FormatName, formats.Options{Include: payload.Include{Attachments: "inline", Raw: "inline", HTML: true}}); err != nil {
			t.Fatal(err)
		}
	}
	s, err := sqs.New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}
