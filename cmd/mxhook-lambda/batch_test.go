package main

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"mxhook/cmd/internal/worker"
	"mxhook/cmd/internal/worker/workertest"
	"mxhook/inbound"
	"mxhook/inbound/message"
	"mxhook/sinks"
)

// scripted answers by a message's body.
type scripted struct {
	mu   sync.Mutex
	seen []string
	got  worker.Message
}

func (s *scripted) HandleQueued(ctx context.Context, source string, m worker.Message) worker.Outcome {
	s.mu.Lock()
	s.seen, s.got = append(s.seen, m.ID), m
	s.mu.Unlock()
	switch m.Body {
	case "panic":
		panic("secret")
	case "wait":
		<-ctx.Done()
		return worker.Outcome{Result: worker.Temporary, Err: ctx.Err()}
	case "":
		return worker.Outcome{Result: worker.Accepted}
	}
	return worker.Outcome{Result: worker.Result(m.Body)}
}

// event is a record with the attributes of an event.
func event(t *testing.T, id, body, group string) string {
	attributes := `"messageAttributes": {"mxhook-event": {"stringValue": "{}", "dataType": "String", "stringListValues": [], "binaryListValues": []}}`
	text := strings.Replace(record(t, id, body), `"messageAttributes": {}`, attributes, 1)
	if group != "" {
		text = strings.Replace(text, `"ApproximateReceiveCount": "1"`, `"ApproximateReceiveCount": "3", "MessageGroupId": "`+group+`"`, 1)
	}
	return text
}

func fifo(text string) string {
	return strings.Replace(text, ":123456789012:jobs", ":123456789012:jobs.fifo", 1)
}

func TestTheAnswerNamesWhatMustComeAgain(t *testing.T) {
	for rule, c := range map[string]struct {
		records []string
		again   string
	}{
		"all delivered":             {[]string{event(t, "a", "", ""), event(t, "b", "", "")}, ""},
		"one of three is put off":   {[]string{event(t, "a", "", ""), event(t, "b", "temporary", ""), event(t, "c", "", "")}, "b"},
		"poison goes to the DLQ":    {[]string{event(t, "a", "poison", "")}, "a"},
		"refused goes to the DLQ":   {[]string{event(t, "a", "refused", ""), event(t, "b", "", "")}, "a"},
		"returned":                  {[]string{event(t, "a", "returned", "")}, "a"},
		"a panic is one message's":  {[]string{event(t, "a", "panic", ""), event(t, "b", "", "")}, "a"},
		"a queue of no source":      {[]string{strings.Replace(event(t, "a", "", ""), ":jobs\"", ":other\"", 1), event(t, "b", "", "")}, "a"},
		"another account's queue":   {[]string{strings.Replace(event(t, "a", "", ""), ":123456789012:", ":23456789012:", 1)}, "a"},
		"a group of a plain queue":  {[]string{event(t, "a", "temporary", "g"), event(t, "b", "", "g")}, "a"},
		"twice the same message":    {[]string{event(t, "a", "", ""), event(t, "a", "", "")}, ""},
		"an event and a foreign":    {[]string{event(t, "a", "", ""), record(t, "b", "hello")}, "b"},
		"an ARN that is none":       {[]string{strings.Replace(event(t, "a", "", ""), "arn:aws:sqs:", "sqs:", 1)}, "a"},
		"the rest of a FIFO group":  {[]string{fifo(event(t, "a", "", "g")), fifo(event(t, "b", "temporary", "g")), fifo(event(t, "c", "", "g")), fifo(event(t, "d", "", "h"))}, "b c"},
		"a whole FIFO group":        {[]string{fifo(event(t, "a", "panic", "g")), fifo(event(t, "b", "", "g")), fifo(event(t, "c", "", "h"))}, "a b"},
		"FIFO groups beside others": {[]string{fifo(event(t, "a", "poison", "g")), fifo(event(t, "b", "refused", "h")), fifo(event(t, "c", "", "g")), fifo(event(t, "d", "", "i"))}, "a b c"},
	} {
		t.Run(rule, func(t *testing.T) {
			w := newWorld(t)
			s := &scripted{}
			w.queued = s
			w.sources = append(w.sources, w.sources[0])
			w.sources[1].QueueURL += ".fifo"
			if again := w.invokeBatch(t.Context(), c.records...); again != c.again {
				t.Errorf("again %q, want %q\n%s", again, c.again, w.log)
			}
			if strings.Contains(w.log.String(), `"secret"`) {
				t.Error("the panic's value is told")
			}
		})
	}
}

func TestNoMessageOfAGroupIsTriedAfterOneThatFailed(t *testing.T) {
	w := newWorld(t)
	s := &scripted{}
	w.queued = s
	w.sources[0].QueueURL += ".fifo"
	var records []string
	for i := range 20 {
		body := ""
		if i == 5 {
			body = "temporary"
		}
		records = append(records, fifo(event(t, fmt.Sprint("m", i), body, "g")))
	}
	w.invokeBatch(t.Context(), records...)
	if want := []string{"m0", "m1", "m2", "m3", "m4", "m5"}; !slices.Equal(s.seen, want) {
		t.Errorf("%q", s.seen)
	}
	if s.got.Group != "g" || s.got.Receives != 3 || s.got.Attributes[worker.AttributeEvent] != "{}" || s.got.Handle == "" {
		t.Errorf("%+v", s.got)
	}
}

func TestOneSlowMessageCostsNoOther(t *testing.T) {
	w := newWorld(t)
	w.queued = &scripted{}
	ctx, cancel := context.WithTimeout(t.Context(), reserve+200*time.Millisecond)
	defer cancel()
	var records []string
	for i := range 30 {
		body := ""
		if i < 3 {
			body = "wait"
		}
		records = append(records, event(t, fmt.Sprint("m", i), body, ""))
	}
	if again := w.invokeBatch(ctx, records...); again != "m0 m1 m2" {
		t.Errorf("again %q", again)
	}
}

func TestEventsThatAreNone(t *testing.T) {
	w := newWorld(t)
	for rule, text := range map[string]string{
		"nothing":                 ``,
		"null":                    `null`,
		"no records":              `{"Records": []}`,
		"a scheduled event":       `{"source": "aws.events", "detail-type": "Scheduled Event"}`,
		"a record that is a list": `{"Records": [[]]}`,
		"of another service":      `{"Records": [{"eventSource": "aws:dynamodb"}]}`,
		"a message without an id": `{"Records": [` + strings.Replace(record(t, "", "x"), `"messageId": ""`, `"messageId": null`, 1) + `]}`,
		"two services in a batch": `{"Records": [` + record(t, "a", "x") + `, {"eventSource": "aws:s3", "messageId": "b"}]}`,
		"a message of SNS":        `{"Records": [{"EventSource": "aws:sns", "Sns": []}]}`,
		"an object of S3":         `{"Records": [{"eventSource": "aws:s3", "s3": []}]}`,
		"an object without a key": `{"Records": [{"eventSource": "aws:s3", "eventName": "ObjectCreated:Put"}]}`,
		"a key that is none":      `{"Records": [{"eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "s3": {"object": {"key": "%zz"}}}]}`,
		"a message of SES":        `{"Records": [{"eventSource": "aws:ses", "ses": 1}]}`,
	} {
		if out, err := w.Invoke(t.Context(), []byte(text)); err == nil {
			t.Errorf("%s: %s", rule, out)
		}
	}
}

// TestAnEventOfTheQueueReachesTheWebhook goes the whole way, with what an sqs sink
// writes.
func TestAnEventOfTheQueueReachesTheWebhook(t *testing.T) {
	w := newWorld(t)
	data := inbound.NewMailData([]byte(sent))
	recipients := []sinks.Recipient{{Path: inbound.Path{LocalPart: "bob", Domain: "in.example"}, Canonical: "bob@in.example"}}
	identity := sinks.Identity{MessageID: "<1@sender.example>"}.Sum()
	m := workertest.MessageOf(t, &sinks.Event{
		ID: sinks.EventID(identity, "mail", recipients), Identity: identity, Route: "mail", Recipients: recipients, ReceivedAt: time.Now().UTC(),
		Hostname: "mx.in.example", Message: message.Parse(data, data.Size(), message.Options{}), Data: data,
		Mail: inbound.Mail{ReversePath: inbound.Path{LocalPart: "ann", Domain: "sender.example"}, Protocol: "ESMTPS"},
	})
	attributes := map[string]any{}
	for name, value := range m.Attributes {
		attributes[name] = map[string]string{"dataType": "String", "stringValue": value}
	}
	text, err := json.Marshal(attributes)
	if err != nil {
		t.Fatal(err)
	}
	good := strings.Replace(record(t, "good", m.Body), `"messageAttributes": {}`, `"messageAttributes": `+string(text), 1)
	bad := strings.Replace(record(t, "bad", "{}"), `"messageAttributes": {}`, `"messageAttributes": `+string(text), 1)
	if again := w.invokeBatch(t.Context(), good, bad); again != "bad" {
		t.Errorf("again %q\n%s", again, w.log)
	}
	got := w.app.requests()
	if len(got) != 1 || got[0].payload.Message.Subject != "Hello" || got[0].payload.Envelope.ReversePath != "ann@sender.example" {
		t.Fatalf("%+v", got)
	}
	w.app.set("bob@in.example", 503)
	if again := w.invokeBatch(t.Context(), good); again != "good" {
		t.Errorf("a webhook that is down: again %q\n%s", again, w.log)
	}
	if got := w.app.requests(); got[1].id != got[0].id {
		t.Errorf("ids %s and %s", got[0].id, got[1].id)
	}
}

// deadQueue speaks enough of SQS to take messages.
type deadQueue struct {
	*httptest.Server
	mu   sync.Mutex
	down bool
	got  []map[string]any
}

func (q *deadQueue) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	q.mu.Lock()
	defer q.mu.Unlock()
	var in map[string]any
	json.NewDecoder(r.Body).Decode(&in)
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	if q.down || r.Header.Get("X-Amz-Target") != "AmazonSQS.SendMessage" {
		w.WriteHeader(http.StatusBadRequest)
		json.NewEncoder(w).Encode(map[string]string{"__type": "com.amazonaws.sqs#QueueDoesNotExist", "message": "secret words"})
		return
	}
	q.got = append(q.got, in)
	sum := md5.Sum([]byte(in["MessageBody"].(string)))
	json.NewEncoder(w).Encode(map[string]string{"MessageId": "1", "MD5OfMessageBody": hex.EncodeToString(sum[:])})
}

func TestWhatNoTryWillDeliverGoesToTheDeadLettersAtOnce(t *testing.T) {
	w := newWorld(t)
	w.queued = &scripted{}
	q := &deadQueue{}
	q.Server = httptest.NewServer(q)
	t.Cleanup(q.Close)
	w.dead = &deadLetters{url: q.URL + "/123456789012/dead", client: sqs.New(sqs.Options{
		Region: "eu-central-1", BaseEndpoint: &q.URL, Credentials: credentials.NewStaticCredentialsProvider("AKIA", "secret", ""),
	})}
	if again := w.invokeBatch(t.Context(), event(t, "a", "refused", ""), event(t, "b", "poison", ""), event(t, "c", "temporary", ""), event(t, "d", "", "")); again != "c" {
		t.Errorf("again %q\n%s", again, w.log)
	}
	bodies := []string{}
	for _, in := range q.got {
		bodies = append(bodies, in["MessageBody"].(string))
		if facts := in["MessageAttributes"].(map[string]any)["mxhook-event"].(map[string]any); facts["StringValue"] != "{}" || facts["DataType"] != "String" {
			t.Errorf("%v", in)
		}
	}
	if slices.Sort(bodies); !slices.Equal(bodies, []string{"poison", "refused"}) {
		t.Errorf("%q", bodies)
	}
	q.down = true
	if again := w.invokeBatch(t.Context(), event(t, "a", "refused", "")); again != "a" || strings.Contains(w.log.String(), "secret words") || !strings.Contains(w.log.String(), "QueueDoesNotExist") {
		t.Errorf("a queue that is not there: again %q\n%s", again, w.log)
	}
	q.down, w.dead.url = false, w.dead.url+".fifo"
	w.sources[0].QueueURL += ".fifo"
	if again := w.invokeBatch(t.Context(), fifo(event(t, "a", "refused", "g")), fifo(event(t, "b", "", "g"))); again != "" {
		t.Errorf("again %q", again)
	}
	if last := q.got[len(q.got)-1]; last["MessageGroupId"] != "g" || last["MessageDeduplicationId"] != "a" {
		t.Errorf("%v", last)
	}
}
