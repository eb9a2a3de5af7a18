package source_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"mxhook/inbound/status"
	"mxhook/sinks/sqs/source"
)

// fake answers each call with what a test says.
type fake struct {
	*httptest.Server
	mu     sync.Mutex
	calls  []string // the operation and its input
	answer http.HandlerFunc
}

func newFake(t *testing.T, answer http.HandlerFunc) (*fake, *source.Queue) {
	t.Helper()
	f := &fake{answer: answer}
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		f.mu.Lock()
		f.calls = append(f.calls, strings.TrimPrefix(r.Header.Get("X-Amz-Target"), "AmazonSQS.")+" "+string(body))
		f.mu.Unlock()
		if a := r.Header.Get("Authorization"); !strings.Contains(a, "Credential=AKIAEXAMPLE/") || !strings.Contains(a, "/eu-central-1/sqs/") {
			t.Errorf("Authorization %q", a)
		}
		w.Header().Set("Content-Type", "application/x-amz-json-1.0")
		f.answer(w, r)
	}))
	t.Cleanup(f.Close)
	q, err := source.New(source.Config{Name: "jobs", URL: f.URL + "/1/jobs", Region: "eu-central-1", Endpoint: f.URL,
		AccessKeyID: "AKIAEXAMPLE", SecretAccessKey: "canary-secret"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(q.Close)
	return f, q
}

func saying(code int, text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(code)
		io.WriteString(w, text)
	}
}

func (f *fake) last(t *testing.T) (op string, input map[string]any) {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	op, body, _ := strings.Cut(f.calls[len(f.calls)-1], " ")
	if err := json.Unmarshal([]byte(body), &input); err != nil {
		t.Fatal(err)
	}
	delete(input, "QueueUrl")
	return op, input
}

func TestWhatIsAskedForAndRead(t *testing.T) {
	f, q := newFake(t, saying(200, `{"Messages":[{"MessageId":"m1","ReceiptHandle":"h1","Body":"{}","MD5OfBody":"99914b932bd37a50b983c5e7c90ae93b",
		"Attributes":{"ApproximateReceiveCount":"3","MessageGroupId":"ann@in.example"},
		"MessageAttributes":{"mxhook-id":{"DataType":"String","StringValue":"msg_x"},"n":{"DataType":"Number","StringValue":"7"},"b":{"DataType":"Binary","BinaryValue":"AA=="}}},
		{"MessageId":"m2","ReceiptHandle":"h2","Body":"x"}]}`))
	got, err := q.Receive(t.Context(), 99, 1500*time.Millisecond, 20*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	want := []source.Message{
		{ID: "m1", Handle: "h1", Group: "ann@in.example", Receives: 3, Body: "{}", Attributes: map[string]string{"mxhook-id": "msg_x", "n": "7"}},
		{ID: "m2", Handle: "h2", Receives: 1, Body: "x", Attributes: map[string]string{}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v", got)
	}
	if op, input := f.last(t); op != "ReceiveMessage" || input["MaxNumberOfMessages"] != 10.0 || input["VisibilityTimeout"] != 2.0 || input["WaitTimeSeconds"] != 20.0 {
		t.Errorf("%s %v", op, input)
	}
	f.answer = saying(200, `{}`)
	if got, err := q.Receive(t.Context(), 1, time.Minute, 0); err != nil || len(got) != 0 {
		t.Errorf("%v %v", got, err)
	}
	if err := q.Hide(t.Context(), "h1", 0); err != nil {
		t.Error(err)
	}
	if op, input := f.last(t); op != "ChangeMessageVisibility" || input["VisibilityTimeout"] != 0.0 || input["ReceiptHandle"] != "h1" {
		t.Errorf("%s %v", op, input)
	}
	if err := q.Delete(t.Context(), "h1"); err != nil {
		t.Error(err)
	}
	if op, _ := f.last(t); op != "DeleteMessage" {
		t.Error(op)
	}
}

func TestProperties(t *testing.T) {
	for policy, most := range map[string]int{
		`{"deadLetterTargetArn":"arn:x","maxReceiveCount":5}`: 5, `{"maxReceiveCount":"7"}`: 7, ``: 0, `no json`: 0, `{"maxReceiveCount":true}`: 0,
	} {
		text, _ := json.Marshal(map[string]any{"Attributes": map[string]string{"VisibilityTimeout": "45", "RedrivePolicy": policy}})
		_, q := newFake(t, saying(200, string(text)))
		p, err := q.Properties(t.Context())
		if err != nil || p != (source.Properties{Hidden: 45 * time.Second, Most: most}) {
			t.Errorf("%s: %+v %v", policy, p, err)
		}
	}
}

func TestErrorsAreOurOwnWordsAndConditions(t *testing.T) {
	hang := make(chan struct{})
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		want   *status.Condition
		words  string
	}{
		"no such queue": {saying(400, `{"__type":"com.amazonaws.sqs#QueueDoesNotExist","message":"canary of the server"}`), status.SinkOperator, "HTTP 400 QueueDoesNotExist"},
		"not allowed":   {saying(403, `{"__type":"AccessDeniedException","message":"canary of the server"}`), status.SinkOperator, "HTTP 403 AccessDeniedException"},
		"throttled":     {saying(400, `{"__type":"RequestThrottled"}`), status.SinkBusy, "RequestThrottled"},
		"failing":       {saying(500, `<html>`), status.SinkFailed, "HTTP 500"},
		"no JSON":       {saying(200, `<html>canary`), status.SinkUnavailable, "no answer that can be used"},
		"a damaged body": {saying(200, `{"Messages":[{"MessageId":"m1","ReceiptHandle":"h1","Body":"x","MD5OfBody":"99914b932bd37a50b983c5e7c90ae93b"}]}`),
			status.SinkUnavailable, "no answer that can be used"},
		"a redirect": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://127.0.0.1:1/", http.StatusTemporaryRedirect)
		}, status.SinkOperator, "HTTP 307"},
		"broken":  {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, status.SinkUnavailable, "ReceiveMessage"},
		"hanging": {func(http.ResponseWriter, *http.Request) { <-hang }, status.SinkTimeout, "no answer in time"},
	} {
		t.Run(name, func(t *testing.T) {
			_, q := newFake(t, c.answer)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if name == "hanging" {
				defer close(hang) // before the server is closed
				ctx, cancel = context.WithTimeout(ctx, 50*time.Millisecond)
				defer cancel()
			}
			got, err := q.Receive(ctx, 1, time.Minute, 0)
			if status.ConditionOf(err) != c.want || !strings.Contains(err.Error(), c.words) || got != nil {
				t.Errorf("%v (%s)", err, status.ConditionOf(err).Name())
			}
			if strings.Contains(err.Error(), "canary") || strings.Contains(err.Error(), "127.0.0.1") {
				t.Errorf("told: %v", err)
			}
		})
	}
}

func TestAServerThatIsNotThere(t *testing.T) {
	f, q := newFake(t, saying(200, `{}`))
	f.Close()
	_, err := q.Receive(t.Context(), 1, time.Minute, 0)
	if status.ConditionOf(err) != status.SinkUnavailable || strings.Contains(err.Error(), "127.0.0.1") {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := q.Receive(ctx, 1, time.Minute, 0); err == nil {
		t.Error("given up without an error")
	}
}
