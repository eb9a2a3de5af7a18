package sqs_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"mxhook/inbound/status"
	"mxhook/sinks"
	"mxhook/sinks/cloud"
	"mxhook/sinks/record"
	"mxhook/sinks/sinktest"
	"mxhook/sinks/sqs"
)

func condition(o sinks.Outcome) *status.Condition { return status.ConditionOf(o.Err) }

func TestAMessageCarriesPayloadAndEvent(t *testing.T) {
	f := startFake(t)
	s := newSink(t, sqs.Config{Cloud: cloud.Config{Endpoint: f.URL}})
	e := sinktest.NewEvent(1000, "Ann@in.example", "bob@in.example")
	if o := s.Deliver(t.Context(), e); o.Err != nil || o.Attempts != 1 {
		t.Fatalf("%+v", o)
	}
	all := f.sent()
	if len(all) != 1 {
		t.Fatalf("%d messages", len(all))
	}
	m := all[0]
	if m.Group != "" || m.ID != "" {
		t.Errorf("a standard queue got group %q and deduplication id %q", m.Group, m.ID)
	}
	var p struct {
		Schema, ID string
		Raw        struct{ Content *string }
	}
	if err := json.Unmarshal([]byte(m.Body), &p); err != nil || p.Schema != "mxhook.v1" || p.ID != e.ID || p.Raw.Content == nil {
		t.Errorf("%v: %+v", err, p)
	}
	for name, want := range map[string]string{sqs.AttributeID: e.ID, sqs.AttributeRoute: e.Route, sqs.AttributeFormat: "mxhook"} {
		if a := m.Attributes[name]; a.StringValue != want || a.DataType != "String" {
			t.Errorf("%s: %+v", name, a)
		}
	}
	again, err := record.Unmarshal([]byte(m.Attributes[sqs.AttributeEvent].StringValue))
	if err != nil || again.ID != e.ID || len(again.Recipients) != 2 || again.Recipients[0].Key() != "ann@in.example" {
		t.Errorf("%v: %+v", err, again)
	}
	if len(m.Attributes) != 4 {
		t.Errorf("attributes %v", m.Attributes)
	}
}

func TestAFIFOQueueHasAGroupForEachRecipient(t *testing.T) {
	f := startFake(t)
	s := newSink(t, sqs.Config{Cloud: cloud.Config{Endpoint: f.URL}, QueueURL: f.URL + queuePath + ".fifo"})
	if s.FanOut() != sinks.FanOutRecipient {
		t.Fatalf("fan-out %s", s.FanOut())
	}
	e := sinktest.NewEvent(10, "Ann@in.example")
	if o := s.Deliver(t.Context(), e); o.Err != nil {
		t.Fatal(o.Err)
	}
	if m := f.sent()[0]; m.Group != "ann@in.example" || m.ID != e.ID {
		t.Errorf("group %q, deduplication id %q", m.Group, m.ID)
	}
	if o := s.Deliver(t.Context(), sinktest.NewEvent(10, "ann@in.example", "bob@in.example")); condition(o) != status.LocalError || len(f.sent()) != 1 {
		t.Errorf("two recipients in one event: %+v", o)
	}
}

func TestAYesWithAnotherDigestIsNone(t *testing.T) {
	for name, answer := range map[string]func(in request) map[string]any{
		"of the body": func(in request) map[string]any {
			return map[string]any{"MD5OfMessageBody": sqs.DigestOf("x"), "MD5OfMessageAttributes": in.digest()}
		},
		"of the attributes": func(in request) map[string]any {
			return map[string]any{"MD5OfMessageBody": sqs.DigestOf(in.MessageBody), "MD5OfMessageAttributes": sqs.DigestOf("x")}
		},
		"none of the body": func(in request) map[string]any { return map[string]any{"MD5OfMessageAttributes": in.digest()} },
		"none of the attribute": func(in request) map[string]any {
			return map[string]any{"MD5OfMessageBody": sqs.DigestOf(in.MessageBody)}
		},
		"nothing": func(request) map[string]any { return map[string]any{} },
	} {
		t.Run(name, func(t *testing.T) {
			f := startFake(t)
			f.set(func(w http.ResponseWriter, target string, in request) bool {
				if target == "SendMessage" {
					answerJSON(w, answer(in))
				}
				return target == "SendMessage"
			})
			s := newSink(t, sqs.Config{Cloud: cloud.Config{Endpoint: f.URL}})
			if o := s.Deliver(t.Context(), sinktest.NewEvent(10)); o.Class() != status.Temporary || o.Attempts != 1 || len(f.sent()) != 0 {
				t.Errorf("%+v", o)
			}
		})
	}
}

func TestAttemptsAreOursAlone(t *testing.T) {
	for _, c := range []struct {
		code     int
		name     string
		attempts int
		want     *status.Condition
	}{
		{500, "InternalFailure", 3, status.SinkFailed},
		{503, "ServiceUnavailable", 3, status.SinkBusy},
		{400, "KmsThrottled", 3, status.SinkBusy},
		{400, "KmsAccessDenied", 1, status.SinkOperator},
		{403, "InvalidClientTokenId", 1, status.SinkOperator},
		{403, "SignatureDoesNotMatch", 1, status.SinkOperator},
		{400, "RequestThrottled", 3, status.SinkBusy},
		{400, "AccessDeniedException", 1, status.SinkOperator},
		{400, "QueueDoesNotExist", 1, status.SinkOperator},
	} {
		f := startFake(t)
		f.refusing(c.code, c.name)
		s := newSink(t, sqs.Config{Cloud: cloud.Config{Endpoint: f.URL}})
		o := s.Deliver(t.Context(), sinktest.NewEvent(10))
		if condition(o) != c.want || o.Attempts != c.attempts || f.count("SendMessage") != c.attempts {
			t.Errorf("%s: %+v, %d requests", c.name, o, f.count("SendMessage"))
		}
	}
}

func TestAQueueThatRecoversIsTriedAgain(t *testing.T) {
	f := startFake(t)
	n := 0
	f.set(func(w http.ResponseWriter, target string, _ request) bool {
		if n++; n < 3 {
			refuse(w, 500, "InternalFailure")
		}
		return n < 3
	})
	s := newSink(t, sqs.Config{Cloud: cloud.Config{Endpoint: f.URL}})
	if o := s.Deliver(t.Context(), sinktest.NewEvent(10)); o.Err != nil || o.Attempts != 3 || len(f.sent()) != 1 {
		t.Errorf("%+v", o)
	}
}

func TestNoAttemptBeginsThatTheBudgetHasNoRoomFor(t *testing.T) {
	f := startFake(t)
	f.refusing(503, "ServiceUnavailable")
	s := newSink(t, sqs.Config{Cloud: cloud.Config{Endpoint: f.URL, Backoff: time.Hour}})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	start := time.Now()
	if o := s.Deliver(ctx, sinktest.NewEvent(10)); condition(o) != status.SinkBusy || o.Attempts != 1 || time.Since(start) > 30*time.Second {
		t.Errorf("%+v", o)
	}
}

func TestAQueueThatDoesNotAnswerIsATimeOut(t *testing.T) {
	f := startFake(t)
	end := make(chan struct{})
	f.set(func(http.ResponseWriter, string, request) bool { <-end; return true })
	defer close(end)
	s := newSink(t, sqs.Config{Cloud: cloud.Config{Endpoint: f.URL, Timeout: 50 * time.Millisecond, Attempts: 1}})
	o := s.Deliver(t.Context(), sinktest.NewEvent(10))
	if condition(o) != status.SinkTimeout || o.Attempts != 1 || !strings.HasPrefix(status.ReplyOf(o.Err).String(), "451 4.4.1") {
		t.Errorf("%+v", o)
	}
}

func TestWithoutCredentialsItIsTheOperatorsAndNothingIsSent(t *testing.T) {
	f := startFake(t)
	empty := t.TempDir() + "/none"
	for name, value := range map[string]string{"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_SESSION_TOKEN": "", "AWS_PROFILE": "", "AWS_EC2_METADATA_DISABLED": "true",
		"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "", "AWS_CONTAINER_CREDENTIALS_FULL_URI": "", "AWS_WEB_IDENTITY_TOKEN_FILE": "", "AWS_CONFIG_FILE": empty, "AWS_SHARED_CREDENTIALS_FILE": empty} {
		t.Setenv(name, value)
	}
	deliver := func() sinks.Outcome {
		s, err := sqs.New(sqs.Config{Cloud: cloud.Config{Name: "jobs", Endpoint: f.URL, Region: "eu-central-1"}, QueueURL: f.URL + queuePath, FormatName: "mxhook", Format: sized(10)})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		return s.Deliver(t.Context(), sinktest.NewEvent(10))
	}
	if o := deliver(); condition(o) != status.SinkOperator || f.count("SendMessage") != 0 || !strings.HasPrefix(status.ReplyOf(o.Err).String(), "451 4.3.5") {
		t.Errorf("%+v", o)
	}
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "x")
	if o := deliver(); o.Err != nil {
		t.Errorf("the environment's are not used: %+v", o)
	}
}

func TestEventsWaitForASlot(t *testing.T) {
	f := startFake(t)
	end, came := make(chan struct{}), make(chan struct{}, 1)
	f.set(func(http.ResponseWriter, string, request) bool {
		came <- struct{}{}
		<-end
		return false
	})
	s := newSink(t, sqs.Config{Cloud: cloud.Config{Endpoint: f.URL, Concurrency: 1}})
	first := make(chan sinks.Outcome)
	go func() { first <- s.Deliver(t.Context(), sinktest.NewEvent(10)) }()
	<-came
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if o := s.Deliver(ctx, sinktest.NewEvent(10, "b@in.example")); condition(o) != status.SinkBusy || o.Attempts != 0 {
		t.Errorf("%+v", o)
	}
	close(end)
	if o := <-first; o.Err != nil {
		t.Error(o.Err)
	}
}
