package sqs_test

import (
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"testing"

	"mxhook/inbound/status"
	"mxhook/sinks"
	"mxhook/sinks/cloud"
	"mxhook/sinks/sinktest"
	"mxhook/sinks/sqs"
)

// TestAPointerHasTheFormOfTheExtendedClients: the text is what
// amazon-sqs-java-extended-client-lib 2.x writes.
func TestAPointerHasTheFormOfTheExtendedClients(t *testing.T) {
	f, over := startFake(t), &shelf{}
	s := newSink(t, sqs.Config{Cloud: cloud.Config{Endpoint: f.URL}, Overflow: over, FormatName: "cloudevents"})
	e := sinktest.NewEvent(3 << 20)
	if o := s.Deliver(t.Context(), e); o.Err != nil || o.Attempts != 1 {
		t.Fatalf("%+v", o)
	}
	name := e.Edition() + ".jobs.cloudevents"
	kept := over.all()[name]
	if len(over.all()) != 1 || len(kept) < 3<<20 || !strings.Contains(kept, e.ID) {
		t.Fatalf("kept %d octets, %d objects", len(kept), len(over.all()))
	}
	m := f.sent()[0]
	if want := `["software.amazon.payloadoffloading.PayloadS3Pointer",{"s3BucketName":"mail-archive","s3Key":"in/overflow/` + name + `"}]`; m.Body != want {
		t.Errorf("body %s", m.Body)
	}
	if a := m.Attributes[sqs.AttributeExtended]; a.DataType != "Number" || a.StringValue != strconv.Itoa(len(kept)) {
		t.Errorf("%+v", a)
	}
	if m.Attributes[sqs.AttributeID].StringValue != e.ID || m.Attributes[sqs.AttributeFormat].StringValue != "cloudevents" || m.Attributes[sqs.AttributeEvent].StringValue == "" {
		t.Errorf("%+v", m.Attributes)
	}
}

func TestAResendPointsToTheSameObject(t *testing.T) {
	f, over := startFake(t), &shelf{}
	s := newSink(t, sqs.Config{Cloud: cloud.Config{Endpoint: f.URL}, Overflow: over})
	for range 2 {
		if o := s.Deliver(t.Context(), sinktest.NewEvent(1<<20)); o.Err != nil {
			t.Fatal(o.Err)
		}
	}
	if all := f.sent(); len(all) != 2 || all[0].Body != all[1].Body || len(over.all()) != 1 {
		t.Errorf("%d messages, %d objects", len(all), len(over.all()))
	}
	// Another sink's payload of the same event is another object.
	other := newSink(t, sqs.Config{Cloud: cloud.Config{Name: "other", Endpoint: f.URL}, Overflow: over, FormatName: "ses"})
	if o := other.Deliver(t.Context(), sinktest.NewEvent(1<<20)); o.Err != nil || len(over.all()) != 2 {
		t.Errorf("%v, %d objects", o.Err, len(over.all()))
	}
}

func TestTheOverflowComesFirst(t *testing.T) {
	for _, c := range []struct {
		err  error
		want *status.Condition
	}{
		{status.SinkUnavailable.Wrap("sink archive", errors.New("connection refused")), status.SinkUnavailable},
		{status.SinkOperator.Wrap("sink archive", errors.New("no such bucket")), status.SinkOperator},
		{status.SinkTooBig.Wrap("sink archive", errors.New("too big")), status.LocalError}, // no one refused the message
		{errors.New("unknown"), status.LocalError},
	} {
		f := startFake(t)
		s := newSink(t, sqs.Config{Cloud: cloud.Config{Endpoint: f.URL}, Overflow: &shelf{err: c.err}})
		o := s.Deliver(t.Context(), sinktest.NewEvent(1<<20))
		if condition(o) != c.want || o.Attempts != 0 || f.count("SendMessage") != 0 || !strings.Contains(o.Detail, "overflow archive: ") {
			t.Errorf("%+v, %d requests", o, f.count("SendMessage"))
		}
	}
	f, over := startFake(t), &shelf{}
	f.refusing(503, "ServiceUnavailable")
	s := newSink(t, sqs.Config{Cloud: cloud.Config{Endpoint: f.URL}, Overflow: over})
	if o := s.Deliver(t.Context(), sinktest.NewEvent(1<<20)); condition(o) != status.SinkBusy || len(over.all()) != 1 {
		t.Errorf("%+v", o)
	}
}

func TestAMessageThatFitsLeavesTheOverflowAlone(t *testing.T) {
	f, over := startFake(t), &shelf{}
	s := newSink(t, sqs.Config{Cloud: cloud.Config{Endpoint: f.URL}, Overflow: over})
	if o := s.Deliver(t.Context(), sinktest.NewEvent(1000)); o.Err != nil || len(over.all()) != 0 || !json.Valid([]byte(f.sent()[0].Body)) {
		t.Errorf("%+v", o)
	}
}

func TestWhereTheRawMessageIsStandsInAnAttribute(t *testing.T) {
	f := startFake(t)
	s := newSink(t, sqs.Config{Cloud: cloud.Config{Endpoint: f.URL}, Raw: func(e *sinks.Event) (sqs.Location, bool) {
		return sqs.Location{Bucket: "b", Key: "in/a<&>ö/" + e.ID}, true
	}})
	e := sinktest.NewEvent(10)
	if o := s.Deliver(t.Context(), e); o.Err != nil {
		t.Fatal(o.Err)
	}
	if got, want := f.sent()[0].Attributes[sqs.AttributeRaw].StringValue, `{"s3BucketName":"b","s3Key":"in/a<&>ö/`+e.ID+`"}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
